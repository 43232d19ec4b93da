"""Items hidden from the regression, to see how well content places them among themselves and beside known ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
from scipy import linalg, sparse

from tfrec.evaluation.metrics import ranking_metrics
from tfrec.evaluation.topk import TopK, top_k
from tfrec.model.embedding import Embedder
from tfrec.training.interactions import Interactions

HIDDEN = 0.2  # Share of the items that are hidden.
USERS = 2000
K = 10


@dataclasses.dataclass(frozen=True)
class HiddenItems:
    """Some of the known items as if nobody had touched them, and the users who did.

    They are hidden from the content that is learned from and from the histories, not from the table of vectors.

    Attributes:
        rest, hidden: int, which of the items are left and which are hidden.
        scored: float32 [U, rest], what each vector of the rest, less their mean, scores.
        mean: float32 [U], what their mean scores.
        best: float32 [U, k], the highest scores of the rest, what a user touched left out, best first.
        truth: CSR [U, hidden], who touched what.
    """

    rest: np.ndarray
    hidden: np.ndarray
    scored: np.ndarray
    mean: np.ndarray
    best: np.ndarray
    truth: sparse.csr_matrix

    def ndcg(self, likeness: np.ndarray, ridge: np.ndarray) -> float:
        """nDCG@10 of the hidden items, ranked among themselves by their content.

        Args:
            likeness: [n, n], of all items to each other.
            ridge: [n], of each item.
        """
        lists = self._lists(likeness, ridge).positions
        return ranking_metrics(lists, self.truth, [lists.shape[1]])[f"ndcg@{lists.shape[1]}"]

    def chance(self) -> float:
        """nDCG@10 of hidden items in an order of no meaning."""
        random = np.random.default_rng(len(self.hidden))
        k = min(K, len(self.hidden))
        queries, items = random.normal(size=(len(self.scored), 8)), random.normal(size=(len(self.hidden), 8))
        lists = top_k(queries, items, k).positions
        return ranking_metrics(lists, self.truth, [k])[f"ndcg@{k}"]

    def exposure(self, likeness: np.ndarray, ridge: np.ndarray, scales: np.ndarray) -> np.ndarray:
        """How often a hidden item is among the first ten of all, as a share of how often any item is on the mean.

        Args:
            likeness, ridge: as of `ndcg`.
            scales: [s], what predictions, less the mean, are multiplied by.

        Returns:
            float [s].
        """
        scores = self._lists(likeness, ridge).scores
        length = self.best.shape[1]
        # The i-th of the hidden items is in a list of k if fewer than k + 1 - i of the rest come before it.
        behind = self.best[:, ::-1][:, : scores.shape[1]]
        inside = [scale * scores[:, :length] + self.mean[:, np.newaxis] > behind for scale in scales]
        share = np.array([np.count_nonzero(flags) for flags in inside]) / self.best.size
        return share * (len(self.hidden) + len(self.rest)) / len(self.hidden)

    def _lists(self, likeness: np.ndarray, ridge: np.ndarray) -> TopK:
        known = likeness[np.ix_(self.rest, self.rest)]
        known = known + np.diag(ridge[self.rest]).astype(known.dtype)
        asked = likeness[np.ix_(self.rest, self.hidden)]
        solved = linalg.solve(known, asked, assume_a="pos", check_finite=False)
        return top_k(self.scored, np.ascontiguousarray(solved.T), min(K, len(self.hidden)), truth=self.truth)


def hide_items(
    chosen: np.ndarray,
    vectors: np.ndarray,
    embedder: Embedder,
    pairs: Interactions,
    features: Mapping[str, np.ndarray],
    random: np.random.Generator,
) -> HiddenItems:
    """Hide a share of the items `chosen`, at random; arguments as of `tfrec.training.regression.fit_regression`."""
    hidden = np.sort(random.choice(len(chosen), max(1, int(HIDDEN * len(chosen))), replace=False))
    rest = np.setdiff1d(np.arange(len(chosen)), hidden)
    number = np.full(len(vectors), -1)
    number[chosen[hidden]] = np.arange(len(hidden))
    owners = np.repeat(np.arange(len(pairs.indptr) - 1), np.diff(pairs.indptr))
    users = np.unique(owners[number[pairs.item] >= 0])
    if len(users) > USERS:
        users = np.sort(random.choice(users, USERS, replace=False))
    history = pairs.latest(users, embedder.history)
    history = np.where((history >= 0) & (number[history] >= 0), -1, history)
    queries = embedder.queries(vectors, history, {name: codes[users] for name, codes in features.items()})
    touched = pairs.matrix(len(vectors))[users]
    known = vectors[chosen[rest]]
    mean = known.mean(axis=0)
    best = top_k(queries, known, min(K, len(rest)), exclude=touched[:, chosen[rest]]).scores
    return HiddenItems(rest, hidden, queries @ (known - mean).T, queries @ mean, best, touched[:, chosen[hidden]])
