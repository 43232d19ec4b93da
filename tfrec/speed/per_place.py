"""Steps of training CNNs with the recommender: each item encoded once a batch, or wherever it occurs in the batch."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tfrec.data.vocabulary import fit_feature_space
from tfrec.encoders.item_inputs import item_inputs
from tfrec.model.build import Blueprint, build_encoders, build_model
from tfrec.model.two_tower import TwoTower
from tfrec.speed.measured import Stopwatch
from tfrec.speed.sampled import Sampled
from tfrec.training.batches import Batches
from tfrec.training.collaborative import OF_ENCODERS
from tfrec.training.interactions import interactions
from tfrec.training.optimizer import build_optimizer
from tfrec.training.rows import RowSampler
from tfrec.training.sizes import ITEMS_ENCODED_IN_STEP

OURS, PER_PLACE = "once", "per place"
PLACES = "places"
HISTORY, TARGETS = 30, 256
# What trains an encoder by default, and a row for each event as the TFRS tutorial has it.
SHAPES: dict[str, dict[str, Any]] = {
    "a row is an event, 256 a step": {"objective": "retrieval", "batch_size": 256},
    "a row is a user, 64 a step (the default)": {"objective": "masked", "batch_size": 64},
}
CNNS = ("picture", "sound")


def places_of(batch: Mapping[str, Any]) -> np.ndarray:
    """The item at each filled place of a batch's targets and histories, and items at none of them once; int32 [P]."""
    filled = np.concatenate([batch[name][batch[name] >= 0] for name in ("targets", "history")])
    return np.concatenate([filled, np.setdiff1d(np.arange(len(batch["items"]["id"])), filled)]).astype(np.int32)


def encoded_per_place(
    encode: Callable[..., tf.Tensor], items: Mapping[str, tf.Tensor], training: bool = False
) -> tf.Tensor:
    """What `encode` gives for each item, float32 [U, D], by way of encoding its content at each of its places.

    The mean over an item's places has the value of each and shares its gradient out among them, so that a loss has the
    value and the gradients it has where the item is encoded once.

    Args:
        items: inputs of the item tower and `places` int32 [P].
    """
    places = items[PLACES]
    content = {name: tf.gather(array, places) for name, array in items.items() if name != PLACES}
    return tf.math.unsorted_segment_mean(encode(content, training=training), places, items["id"].shape[0])


class Trainers:
    """The model in which encoders are trained (see `tfrec.training.collaborative`), with a train step for each way.

    Args:
        settings: one of `SHAPES`.
    """

    def __init__(self, sample: Sampled, settings: Mapping[str, Any], features: tuple[str, ...] = CNNS, **encoder: Any):
        model = {**OF_ENCODERS, "fusion": "gate", "use_search": False}
        self.config = config = sample.config(features, dict.fromkeys(features, encoder), model=model)
        data = sample.dataset
        space = fit_feature_space(config.schema, data.catalogue, data.users, data.train)
        known = np.zeros(len(data.catalogue), bool)
        known[data.train.item] = True
        encoders = build_encoders(config)
        inputs = item_inputs(config.schema, data.catalogue, space, encoders, known, "")
        self.batches = Batches(
            _sampler(sample, settings["objective"], settings["batch_size"]),
            interactions(data.train, len(data.users)),
            inputs,
            space.encode_users(data.users),
            space.encode_context(data.train),
            ITEMS_ENCODED_IN_STEP,
            known,
        )
        blueprint = Blueprint(space, int(known.sum()))
        self.models = {way: build_model(config, blueprint, encoders) for way in (OURS, PER_PLACE)}
        per_place = self.models[PER_PLACE]
        encode = functools.partial(encoded_per_place, per_place.encode_items)
        per_place.encode_items = encode  # type: ignore[method-assign]
        self._steps = {way: self._step(way, model) for way, model in self.models.items()}

    def run(self, way: str, steps: int) -> Stopwatch:
        """Train for so many steps, the batches drawn meanwhile; the watch has them as one part."""
        step = self._steps[way]
        watch = Stopwatch()
        for number, batch in enumerate(self.drawn(way)):
            if number == steps:
                break
            step(tf.nest.map_structure(tf.constant, batch))["loss"].numpy()
        watch.lap()
        return watch

    def drawn(self, way: str) -> Iterator[dict[str, Any]]:
        """The batches of an epoch as the way takes them."""
        for batch in self.batches.epoch(0, 0):
            yield _with_places(batch) if way == PER_PLACE else batch

    def sizes(self) -> dict[str, float]:
        """Mean number of places, items of a batch, and steps of an epoch."""
        places = [len(places_of(batch)) for batch in self.batches.epoch(0, 0)]
        return {"places": float(np.mean(places)), "items": self.batches.candidates, "steps": self.batches.steps}

    def _step(self, way: str, model: TwoTower) -> Callable[[Any], Any]:
        first = next(self.drawn(way))
        model.compute_loss(tf.nest.map_structure(tf.constant, first))
        model.compile(build_optimizer(self.config.training, 100, []))
        model.optimizer.build(model.trainable_variables)
        spec = tf.nest.map_structure(lambda array: tf.TensorSpec(array.shape, array.dtype), first)
        if way == PER_PLACE:
            spec["items"][PLACES] = tf.TensorSpec([None], tf.int32)
        step = tf.function(model.train_step, input_signature=[spec], autograph=False)
        step(tf.nest.map_structure(tf.constant, first))  # Traced before it is timed.
        return step


def duplication(sample: Sampled, batches: int = 5) -> list[dict[str, Any]]:
    """How many places of a batch share an item, by what a row is and how many there are, without and with histories."""
    item = interactions(sample.dataset.train, len(sample.dataset.users)).item
    found = []
    for objective, rows in (("masked", 64), ("retrieval", 256), ("retrieval", 1024), ("retrieval", 8192)):
        counts: dict[str, list[tuple[int, int]]] = {"targets": [], "all": []}
        drawn = _sampler(sample, objective, rows).epoch(np.random.default_rng(0))
        for batch in itertools.islice(drawn, batches):
            targets = item[batch.targets[batch.targets >= 0]]
            both = np.concatenate([targets, item[batch.history[batch.history >= 0]]])
            for name, items in (("targets", targets), ("all", both)):
                counts[name].append((len(items), len(np.unique(items))))
        row: dict[str, Any] = {"rows": f"{rows:,} {'users' if objective == 'masked' else 'events'}"}
        for name, counted in counts.items():
            places, items = map(float, np.mean(counted, axis=0))
            row[name] = {"places": places, "items": items, "each": places / items}
        found.append(row)
    return found


def _sampler(sample: Sampled, objective: str, rows: int) -> RowSampler:
    pairs = interactions(sample.dataset.train, len(sample.dataset.users))
    return RowSampler(pairs, objective, rows, HISTORY, TARGETS, 0.0)


def _with_places(batch: dict[str, Any]) -> dict[str, Any]:
    return {**batch, "items": {**batch["items"], PLACES: places_of(batch)}}
