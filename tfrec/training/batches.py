"""Training batches: rows of users, and the content of the items in them, each item once."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfrec.encoders.item_inputs import ItemInputs
from tfrec.training.interactions import Interactions
from tfrec.training.rows import Rows, RowSampler, joined_rows

SEARCHES = 64  # Free-text queries in a batch.


class Batches:
    """Turns sampled rows into what `TwoTower.compute_loss` takes; every batch has the same static shapes.

    A batch holds `candidates` items: those of its rows as far as they fit, then items drawn evenly from the catalogue,
    so that none is padding. With all items of the catalogue as candidates the softmax is exact.

    Args:
        sampler: gives the rows.
        interactions: what the rows' entries mean.
        inputs: the content of the items.
        user_codes: coded user features, arrays of first dimension U.
        context_codes: coded context features, arrays of first dimension E (events).
        candidates: U, items per batch.
        allowed: bool [N], which items may be candidates (held-out items may not).
        members: how many models are taught, each from rows of its own; a batch has the rows of the first one first.

    A batch can be given in as many shares of one size as there are replicas (see `tfrec.model.replicas`): together they
    are the batch, of which nothing depends on how many share it.
    """

    def __init__(
        self,
        sampler: RowSampler,
        interactions: Interactions,
        inputs: ItemInputs,
        user_codes: Mapping[str, np.ndarray],
        context_codes: Mapping[str, np.ndarray],
        candidates: int,
        allowed: np.ndarray,
        members: int = 1,
    ):
        self.members = members
        self.sampler = sampler
        self.interactions = interactions
        self.inputs = inputs
        self.user_codes = user_codes
        self.context_codes = context_codes
        self.allowed = np.flatnonzero(allowed)
        self.candidates = min(candidates or len(self.allowed), len(self.allowed))
        self.probability = self._sampling_probability()
        self._number = np.full(len(inputs), -1, np.int32)
        owners = inputs.search_owner
        self._first_text = np.searchsorted(owners, np.arange(len(inputs)))
        self._texts = np.searchsorted(owners, np.arange(len(inputs)), side="right") - self._first_text

    @property
    def steps(self) -> int:
        """Batches in an epoch."""
        return self.sampler.steps

    def epoch(
        self, seed: int, number: int, replicas: int = 1, chosen: Sequence[int] = (0,)
    ) -> Iterator[dict[str, Any]]:
        """The batches of epoch `number`, numpy arrays; the same for the same seed and number.

        Args:
            replicas: among how many each batch is divided.
            chosen: whose shares to give, one after the other.
        """
        generator = np.random.default_rng([seed, number])
        generators = [generator, *generator.spawn(self.members - 1)]
        for of_members in zip(*(self.sampler.epoch(own) for own in generators)):
            yield from self._shares(joined_rows(of_members), generator, replicas, chosen)

    def dataset(
        self, seed: int, first_epoch: int = 0, first_step: int = 0, replicas: int = 1, chosen: Sequence[int] = (0,)
    ) -> tf.data.Dataset:
        """All batches from step `first_step` of `first_epoch` on, without end; `steps` batches make an epoch.

        Args:
            replicas, chosen: as of `epoch`.
        """

        def generate():
            done = len(chosen) * first_step
            for number in itertools.count(first_epoch):
                yield from itertools.islice(self.epoch(seed, number, replicas, chosen), done, None)
                done = 0

        batches = tf.data.Dataset.from_generator(generate, output_signature=self.spec(replicas))
        # Workers who do not know that there is no end make ready for it by forgetting shapes.
        batches = batches.apply(tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY))
        return batches.prefetch(2 * len(chosen))

    def spec(self, replicas: int = 1) -> dict[str, Any]:
        """Shapes and dtypes of a batch, or of one of the shares that `replicas` have of it."""
        first = next(self.epoch(0, 0, replicas))
        return tf.nest.map_structure(lambda a: tf.TensorSpec(a.shape, a.dtype), first)

    def _shares(
        self, rows: Rows, generator: np.random.Generator, replicas: int, chosen: Sequence[int]
    ) -> Iterator[dict[str, Any]]:
        batch, positions = self._batch(rows, generator)
        for number in chosen:
            yield self._share(batch, positions, replicas, number)

    def _share(self, batch: Mapping[str, Any], positions: np.ndarray, replicas: int, number: int) -> dict[str, Any]:
        """What replica `number` gets: its part of each member's rows, of the items and of the searches."""
        rows = np.arange(len(batch["history"])).reshape(self.members, replicas, -1)[:, number].reshape(-1)
        by_row = ("history", "targets", "target_weights", "features")
        share = {
            "items": self.inputs.take(positions[_part(len(positions), replicas, number)[0]]),
            "sampling_probability": batch["sampling_probability"],
            **{name: tf.nest.map_structure(lambda array: array[rows], batch[name]) for name in by_row},
        }
        if "search_text" in batch:
            searches, real = _part(SEARCHES, replicas, number)
            share["search_text"] = batch["search_text"][searches]
            share["search_items"] = np.where(real, batch["search_items"][searches], -1).astype(np.int32)
        return share

    def _batch(self, rows: Rows, generator: np.random.Generator) -> tuple[dict[str, Any], np.ndarray]:
        """A batch without the content of its items, and the positions of these, int [U]."""
        item = self.interactions.item
        history = np.where(rows.history >= 0, item[rows.history], -1)
        targets = np.where(rows.targets >= 0, item[rows.targets], -1)
        positions = self._candidates(targets, history, generator)
        self._number[positions] = np.arange(len(positions), dtype=np.int32)
        history = np.where(history >= 0, self._number[history], -1).astype(np.int32)
        targets = np.where(targets >= 0, self._number[targets], -1).astype(np.int32)
        self._number[positions] = -1
        batch = {
            "sampling_probability": self.probability[positions],
            "history": history,
            "targets": targets,
            "target_weights": np.where(rows.targets >= 0, self.interactions.weight[rows.targets], 0).astype(np.float32),
            "features": self._features(rows),
        }
        if self.inputs.search_text is not None:
            batch["search_text"], batch["search_items"] = self._searches(positions, generator)
        return batch, positions

    def _candidates(self, targets: np.ndarray, history: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Positions of the batch's items, int [U], unique: items of targets and histories alike, then any others."""
        if self.candidates == len(self.allowed):
            return self.allowed
        used = np.concatenate([targets[targets >= 0], history[history >= 0]])
        chosen = generator.permutation(np.unique(used))[: self.candidates]
        missing = self.candidates - len(chosen)
        if missing:
            # Twice as many draws as items could be taken already are enough to find the missing ones.
            drawn = generator.choice(self.allowed, min(len(self.allowed), missing + len(chosen)), replace=False)
            chosen = np.concatenate([chosen, np.setdiff1d(drawn, chosen, assume_unique=True)[:missing]])
        return chosen

    def _sampling_probability(self) -> np.ndarray:
        """The chance that an item is among a batch's candidates, float32 [N].

        An item that a row shows with chance p is shown by one of B rows with chance 1 - (1 - p)^B; what is left of the
        places is filled evenly. For `retrieval`, whose candidates are the targets, it is the item's share of events.
        """
        pairs = self.interactions
        if self.sampler.objective == "retrieval":
            counts = np.bincount(pairs.item, minlength=len(self.inputs))
            return (counts / max(counts.sum(), 1)).astype(np.float32)
        if self.candidates == len(self.allowed):
            return np.ones(len(self.inputs), np.float32)
        shown = np.repeat(self.sampler.shown_share(), np.diff(pairs.indptr))
        shown = np.bincount(pairs.item, shown, minlength=len(self.inputs)) / max(len(pairs.users()), 1)
        drawn = 1 - (1 - shown) ** (self.sampler.batch_size * self.members)
        drawn *= min(1.0, self.candidates / max(drawn.sum(), 1e-9))
        left = max(self.candidates - drawn.sum(), 0) / max(len(self.allowed) - drawn.sum(), 1e-9)
        return np.clip(drawn + (1 - drawn) * min(left, 1.0), 1e-9, 1).astype(np.float32)

    def _features(self, rows: Rows) -> dict[str, np.ndarray]:
        codes = {name: _rows(array, rows.user) for name, array in self.user_codes.items()}
        # The context of a row is that of its first target, the request it stands for.
        entry = rows.targets[:, 0]
        event = np.where(entry >= 0, self.interactions.event[entry], -1)
        return {**codes, **{name: _rows(array, event) for name, array in self.context_codes.items()}}

    def _searches(self, positions: np.ndarray, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Texts [S, ...] as free-text queries and the numbers of their items int32 [S], -1 where there is no text."""
        assert self.inputs.search_text is not None
        numbers = generator.choice(len(positions), SEARCHES, replace=len(positions) < SEARCHES)
        owners = positions[numbers]
        texts = self._first_text[owners] + (generator.random(SEARCHES) * self._texts[owners]).astype(np.int64)
        texts = np.minimum(texts, len(self.inputs.search_text) - 1)
        return self.inputs.search_text[texts], np.where(self._texts[owners] > 0, numbers, -1).astype(np.int32)


def _part(size: int, parts: int, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices of one of equal parts of `size` entries, int [P], and which are real: the last entry fills up."""
    width = -(-size // parts)
    index = np.arange(number * width, (number + 1) * width)
    return np.minimum(index, size - 1), index < size


def _rows(array: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """`array` at `rows`, zeros where the row is -1."""
    return np.where((rows >= 0).reshape([-1] + [1] * (array.ndim - 1)), array[rows], 0).astype(array.dtype)
