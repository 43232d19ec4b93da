"""Starts a training from the model that is served, whatever items, users and categories came or went since.

What a model learned is kept by id: the vector of an item goes to the row that the item has now, that of a category to
the code the category has now. Rows of what is new begin as in a fresh model, those of new items where content is
regressed (`model.content: regression`) at what the served model predicts from their content. The optimizer begins
afresh: its moments are of the gradients at the end of another schedule, and its corrections for having seen few steps
would be wrong for them; the warm-up of the schedule is there for that.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import tensorflow as tf

from tfrec.config import Config
from tfrec.data.files import read_bytes, write_text
from tfrec.data.tables import Catalogue
from tfrec.data.vocabulary import FIRST, FeatureSpace
from tfrec.encoders.base import Encoder
from tfrec.encoders.item_inputs import ItemInputs
from tfrec.model.build import Blueprint, build_model
from tfrec.model.embedding import Embedder
from tfrec.model.two_tower import TwoTower
from tfrec.towers.attributes import AttributeEmbedding
from tfrec.training.checkpoints import disk_guard

STATES = "states"
_STRUCTURE, _WEIGHTS, _SPACE, _START = "structure.json", "weights", "feature_space.json", "start.json"
_FREE = {
    "dropout",
    "history_dropout",
    "modality_dropout",
    "id_dropout",
    "temperature",
    "history_shrinkage",
    "new_items",
    "encoder_fusion",
}
"""Settings of `model` that change no weight's shape or meaning."""


class WarmStart:
    """A model that was trained before, to start another one from.

    Args:
        folder: what `save_state` wrote.
        config: the configuration of the new model; its structure must be that of the old one.
        encoders: of the new model. Those that are trained go on from what they learned.
    """

    def __init__(self, folder: str, config: Config, encoders: Mapping[str, Encoder]):
        self.known = _structure_of(folder)["known"]
        self.space = FeatureSpace.load(os.path.join(folder, _SPACE))
        self.model = build_model(config, Blueprint(self.space, len(self.known)), encoders)
        # Weights that are made later get their values when they are made.
        checkpoint = tf.train.Checkpoint(model=self.model)
        self._restored = checkpoint.restore(os.path.join(folder, _WEIGHTS)).expect_partial()

    def into(
        self,
        model: TwoTower,
        batch: Mapping[str, Any],
        space: FeatureSpace,
        known: Sequence[str],
        newcomers: ItemInputs | None = None,
    ) -> int:
        """Put what was learned into a fresh model.

        Args:
            model: a built model.
            batch: any batch of its training; only its shapes matter.
            space: its feature space.
            known: ids of its known items, in the order of their rows.
            newcomers: what `newcomers` gave; None leaves the rows of new items as they are.

        Returns:
            How many of its known items had a vector before.
        """
        self.model.compute_loss(tf.nest.map_structure(tf.zeros_like, batch), training=False)
        rows = {variable.ref(): keys for variable, keys in _tables(model, space, known)}
        old_rows = {variable.ref(): keys for variable, keys in _tables(self.model, self.space, self.known)}
        for old, new in zip(self.model.trainable_variables, model.trainable_variables):
            if old is new:  # of an encoder, which both models have
                continue
            if new.ref() not in rows:
                new.assign(old)
                continue
            new.assign(_moved(old.numpy(), old_rows[old.ref()], new.numpy(), rows[new.ref()]))
        unknown = pd.Index(self.known, dtype=object).get_indexer(known) < 0
        if newcomers is not None and unknown.any():
            self._predict(model, newcomers, np.flatnonzero(unknown))
        return int((~unknown).sum())

    def newcomers(self, content: ItemInputs, catalogue: Catalogue, known: np.ndarray) -> ItemInputs | None:
        """The content of the known items (bool [N]) as the old model reads it; None where it predicts nothing from it.

        Args:
            content: of the whole catalogue, with encoded texts, pictures and sounds.
        """
        if not self.model.collaborative or not self.model.item_tower.fused:
            return None
        positions = np.flatnonzero(known)
        arrays = {**content.arrays, **self.space.encode_items(catalogue)}
        taken = {name: array[positions] for name, array in arrays.items()}
        return ItemInputs({**taken, "id": np.zeros(len(positions), np.int32)}, None, np.zeros(0, np.int32))

    def _predict(self, model: TwoTower, newcomers: ItemInputs, rows: np.ndarray) -> None:
        """Let the vectors of the known items at `rows` begin where the old model's regression puts them."""
        tower = self.model.item_tower
        chosen = ItemInputs(newcomers.take(rows), None, newcomers.search_owner)
        tower.regression({name: array[:1] for name, array in chosen.arrays.items()})
        tower.reads_content = True
        predicted = Embedder(self.model, 1).items(chosen)[:, : tower.member_width]
        table = model.item_tower.id_embedding.embeddings
        values = table.numpy()
        values[rows + 1] = predicted
        table.assign(values)


def save_state(folder: str, config: Config, space: FeatureSpace, known: Sequence[str], model: TwoTower) -> None:
    """Write what `WarmStart` reads.

    Args:
        known: ids of the model's known items, in the order of their rows.

    Raises:
        TrainingError: if the disk is full.
    """
    with disk_guard(folder):
        tf.io.gfile.makedirs(folder)
        tf.train.Checkpoint(model=model).write(os.path.join(folder, _WEIGHTS))
        space.save(os.path.join(folder, _SPACE))
        # Written last: a state with it is whole.
        write_text(os.path.join(folder, _STRUCTURE), json.dumps({**_structure(config), "known": list(known)}))


def chosen_start(
    config: Config, key: str, directory: str, served: Sequence[str], say: Callable[[str], None], remember: bool = True
) -> str:
    """The folder of the state to start a training from, "" to start afresh.

    A training that began goes on from where it began, although another model may be served by now.

    Args:
        key: the fingerprint of the training.
        directory: of the training state.
        served: fingerprints of the trainings that the served versions came from, the latest last.
        remember: whether to note what was chosen; of several workers one does.
    """
    if not config.training.warm_start:
        return ""
    path = os.path.join(directory, _START)
    begun = json.loads(read_bytes(path, "data.output")) if tf.io.gfile.exists(path) else {}
    name = begun["from"] if begun.get("key") == key else (served[-1] if served else "")
    folder = os.path.join(directory, STATES, name) if name else ""
    if folder and not fits(folder, config):
        there = tf.io.gfile.exists(os.path.join(folder, _STRUCTURE))
        why = "has another schema or other settings of model" if there else "left no state to start from"
        say(f"the training starts afresh: the served model {why}")
        name = folder = ""
    if remember:
        write_text(path, json.dumps({"key": key, "from": name}) + "\n")
    return folder


def forget_states(directory: str, needed: Iterable[str]) -> None:
    """Remove the states of all trainings but those that are `needed`, by their fingerprints."""
    folder = os.path.join(directory, STATES)
    for name in tf.io.gfile.listdir(folder) if tf.io.gfile.isdir(folder) else ():
        if name.rstrip("/") not in set(needed):
            tf.io.gfile.rmtree(os.path.join(folder, name))


def fits(folder: str, config: Config) -> bool:
    """Whether there is a state in `folder`, and of a model of the same structure."""
    if not tf.io.gfile.exists(os.path.join(folder, _STRUCTURE)):
        return False
    stored = _structure_of(folder)
    return {key: stored[key] for key in stored if key != "known"} == json.loads(json.dumps(_structure(config)))


def _structure(config: Config) -> dict[str, Any]:
    model = {key: value for key, value in dataclasses.asdict(config.model).items() if key not in _FREE}
    return {"schema": dataclasses.asdict(config.schema), "model": model}


def _structure_of(folder: str) -> dict[str, Any]:
    return json.loads(read_bytes(os.path.join(folder, _STRUCTURE), "data.output"))


def _tables(model: TwoTower, space: FeatureSpace, known: Sequence[str]) -> Iterator[tuple[tf.Variable, Sequence[str]]]:
    """The variables whose rows are those of values, each with the values of its last rows."""
    item_tower, correction = model.item_tower, model.query_tower.correction
    if hasattr(item_tower, "id_embedding"):
        yield item_tower.id_embedding.embeddings, known
    if getattr(item_tower, "attribute_embedding", None) is not None:
        yield from _of_attributes(item_tower.attribute_embedding, {"items"}, space)
    if correction.attributes is not None:
        yield from _of_attributes(correction.attributes, {"users", "events"}, space)


def _of_attributes(
    layer: AttributeEmbedding, tables: set[str], space: FeatureSpace
) -> Iterator[tuple[tf.Variable, Sequence[str]]]:
    by_name = {
        key.partition(".")[2]: values for key, values in space.vocabularies.items() if key.partition(".")[0] in tables
    }
    for name, embedding in layer.embeddings.items():
        yield embedding.embeddings, by_name[name]


def _moved(old: np.ndarray, old_keys: Sequence[str], new: np.ndarray, new_keys: Sequence[str]) -> np.ndarray:
    """`new` [R, D] with the rows of `old` at the places their keys have in it.

    The first rows of both, which stand for what has no key (absent, unknown), are taken over as they are.
    """
    first = len(new) - len(new_keys)
    assert first == len(old) - len(old_keys) and first <= FIRST
    found = pd.Index(old_keys, dtype=object).get_indexer(new_keys)
    moved = new.copy()
    moved[:first] = old[:first]
    moved[first:][found >= 0] = old[first:][found[found >= 0]]
    return moved
