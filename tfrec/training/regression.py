"""Fits what content says of item vectors: weights of features chosen on items hidden for it, then one solution."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from scipy import linalg

from tfrec.encoders.item_inputs import ItemInputs
from tfrec.model.embedding import Embedder
from tfrec.towers.content_features import ContentFeatures
from tfrec.towers.content_regression import LANDMARKS, ContentRegression
from tfrec.training.content_statistics import BLOCK, describe_content, groups_of
from tfrec.training.hidden_items import HiddenItems, hide_items
from tfrec.training.interactions import Interactions

FOLDS = 8
# Chosen on items held out of the training items of MovieLens 100K: weights and ridges searched for freely did worse on
# other items, so weights begin by a rule, and only a change that is clearly better is taken.
RIDGE = 0.3
TOTAL = 0.8  # The weights' sum at first; the squared distance of two items is about 2 per group.
ALONE = 0.4  # The weight at which a group is tried alone.
TRUST = 5.0  # An item with n events counts n / (n + this): vectors of hardly touched items are mostly chance.
FACTORS = (0.0, 0.25, 4.0)  # What the weight of one group is tried at, times what it is.
SCALES = np.linspace(1.0, 2.0, 21)  # Predictions are nearer to the mean than what they predict; widening undoes that.
CLEARLY = 2.0  # Standard errors over the folds that a gain must have.


@dataclasses.dataclass(frozen=True)
class Fit:
    """What was chosen.

    Attributes:
        weights: the weight of each group of features, by name.
        ndcg: nDCG@10 of hidden items among themselves.
        scale: how far predictions are widened.
        exposure: how often hidden items are then seen among known ones; 1 would be as often as known ones.
    """

    weights: Mapping[str, float]
    ndcg: float
    scale: float = 1.0
    exposure: float = 0.0

    def sentence(self) -> str:
        """What the regression reads, in words."""
        heard = [f"{name} {weight:.3g}" for name, weight in self.weights.items() if weight > 0]
        deaf = [name for name, weight in self.weights.items() if weight == 0]
        off = f"; switched off: {', '.join(deaf)}" if deaf else ""
        return (
            f"content reads {', '.join(heard) or 'nothing'}{off} (nDCG@10 of hidden items {self.ndcg:.4f}); widened by "
            f"{self.scale:.2f}, hidden items stand in lists {self.exposure:.2f} times as often as their number"
        )


def fit_regression(
    layer: ContentRegression,
    inputs: ItemInputs,
    known: np.ndarray,
    vectors: np.ndarray,
    embedder: Embedder,
    pairs: Interactions,
    features: Mapping[str, np.ndarray],
    seed: int,
    exposure: float = 0.0,
) -> Fit:
    """Choose weights and ridge on hidden items, solve for the coefficients and put all into `layer`.

    A group's weight goes with how well it finds hidden items alone, for the users who touched them, but where a change
    of one weight, such as leaving a group out, clearly finds them better. The least-squares prediction of an item is
    nearer to the mean than its vector would be, so that new items would hardly ever win a place from known ones; it is
    widened until hidden items do. Of more items than landmarks, those with the most events are the landmarks, and all
    are fitted; an item counts the more, the more events its vector was learned from.

    Args:
        layer: the regression of the item tower, built.
        inputs: the items' inputs, encoded.
        known: int [n], positions of the items with vectors of their own.
        vectors: float32 [N, width], the table the regression predicts, rows of `known` filled.
        embedder: asks the model for queries.
        pairs: the training interactions.
        features: coded user and context features of all users.
        seed: of users and hidden items.
        exposure: how often new items shall stand in lists, as `tfrec.config.Model.new_items`.
    """
    counts = np.bincount(pairs.item, minlength=len(vectors)).astype(np.float64)
    trust = counts / (counts + TRUST)
    chosen = np.sort(known[np.argsort(-counts[known], kind="stable")[:LANDMARKS]])
    describe_content(layer.features, inputs, known, chosen)
    groups = groups_of(layer.features, inputs, chosen)
    distances = [_squared_distances(group, group) for group in groups.values()]
    folds = [
        hide_items(chosen, vectors, embedder, pairs, features, np.random.default_rng([seed, number]))
        for number in range(FOLDS)
    ]
    # An item without an event is no landmark but where a caller knows it from elsewhere.
    ridge = RIDGE / np.maximum(trust[chosen], 1e-3)
    fit = _chosen(tuple(groups), distances, folds, ridge)
    weights = np.array([fit.weights[name] for name in groups])
    points = np.concatenate([group * np.sqrt(w) for group, w in zip(groups.values(), weights)], axis=1)
    mean = vectors[known].mean(axis=0)
    likeness = _likeness(distances, weights)
    if len(chosen) == len(known):
        coefficients = linalg.solve(likeness + np.diag(ridge), vectors[chosen] - mean, assume_a="pos")
    else:
        coefficients = _of_subset(layer.features, inputs, known, vectors - mean, trust, points, weights, likeness)
    scale, seen = _scale(folds, likeness, ridge, exposure)
    layer.weights_of_groups.assign(weights)
    layer.points.assign(points)
    layer.coefficients.assign(scale * coefficients)
    layer.mean.assign(mean)
    return dataclasses.replace(fit, scale=scale, exposure=seen)


def _squared_distances(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    found = (left**2).sum(axis=1)[:, np.newaxis] + (right**2).sum(axis=1) - 2 * left @ right.T
    return np.maximum(found, 0)


def _likeness(distances: Sequence[np.ndarray], weights: np.ndarray) -> np.ndarray:
    return np.exp(-sum(weight * distance for weight, distance in zip(weights, distances)))


def _chosen(
    names: tuple[str, ...], distances: Sequence[np.ndarray], folds: Sequence[HiddenItems], ridge: np.ndarray
) -> Fit:
    """Weights by what each group finds alone, but where hidden items are clearly found better with another."""

    def tried(weights: np.ndarray) -> np.ndarray:
        likeness = _likeness(distances, weights)
        return np.array([fold.ndcg(likeness, ridge) for fold in folds])

    alone = np.array([tried(ALONE * one).mean() for one in np.eye(len(names))])
    worth = np.maximum(alone - np.mean([fold.chance() for fold in folds]), 0)
    weights = TOTAL * (worth / worth.sum() if worth.any() else np.full(len(names), 1 / len(names)))
    best = tried(weights)
    for _ in range(2):
        for group in range(len(names)):
            for factor in FACTORS:
                other = weights.copy()
                other[group] *= factor
                if not other.any() or np.array_equal(other, weights):
                    continue
                found = tried(other)
                gains = found - best
                if gains.mean() > CLEARLY * gains.std(ddof=1) / np.sqrt(len(gains)):
                    best, weights = found, other
    return Fit(dict(zip(names, weights.tolist())), float(best.mean()))


def _scale(folds: Sequence[HiddenItems], likeness: np.ndarray, ridge: np.ndarray, wanted: float) -> tuple[float, float]:
    """The least widening of predictions that lets hidden items be seen as often as `wanted`, and how often they are."""
    seen = np.mean([fold.exposure(likeness, ridge, SCALES) for fold in folds], axis=0)
    enough = np.flatnonzero(seen >= wanted)
    place = enough[0] if len(enough) else len(SCALES) - 1
    return float(SCALES[place]), float(seen[place])


def _of_subset(
    features: ContentFeatures,
    inputs: ItemInputs,
    known: np.ndarray,
    targets: np.ndarray,
    trust: np.ndarray,
    points: np.ndarray,
    weights: np.ndarray,
    likeness: np.ndarray,
) -> np.ndarray:
    """Coefficients of the landmarks that fit all known items: (A'TA + ridge K) c = A'TY, in blocks of items."""
    left, right = RIDGE * likeness.astype(np.float64), np.zeros((len(points), targets.shape[1]))
    for start in range(0, len(known), BLOCK):
        block = known[start : start + BLOCK]
        groups = groups_of(features, inputs, block)
        asked = np.concatenate([group * np.sqrt(w) for group, w in zip(groups.values(), weights)], axis=1)
        alike = np.exp(-_squared_distances(asked, points)).astype(np.float64)
        trusted = alike.T * trust[block]
        left += trusted @ alike
        right += trusted @ targets[block]
    return solve_normal_equations(left, right).astype(np.float32)


def solve_normal_equations(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solve left x = right, float64 [M, M] and [M, D], where left is positive semidefinite but for rounding.

    Landmarks of equal content make equal rows, and likeness in single precision is rounded by more than a tiny constant
    would mend; so a millionth of the mean diagonal is added to it.
    """
    jitter = 1e-6 * np.trace(left) / len(left)
    return linalg.solve(left + jitter * np.eye(len(left)), right, assume_a="pos")
