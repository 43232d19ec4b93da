"""Exports a trained model as a servable that the stock TensorFlow Serving image runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tfrec.config import Serving
from tfrec.data.tables import Catalogue, Dataset, joined
from tfrec.errors import ServableError
from tfrec.export.atomic import written_folder
from tfrec.export.filters import AttributeFilters
from tfrec.export.known_users import KnownUsers
from tfrec.export.loaded import LoadedServable
from tfrec.export.manifest import manifest, write_extras
from tfrec.export.op_check import servable_problems
from tfrec.export.probe import Probe
from tfrec.export.probing import build_probe
from tfrec.export.reasons import ItemParts
from tfrec.export.request_shape import shape_of
from tfrec.export.servable import Servable
from tfrec.export.towers import ServingTowers, item_signature, query_signature
from tfrec.export.user_queries import QUERIES, user_queries
from tfrec.export.warmup import write_warmup
from tfrec.index.interface import Index
from tfrec.index.making import EXACT_BELOW, Asked, exact_index, index_for
from tfrec.modalities import modalities
from tfrec.model.content_parts import parts_of_catalogue
from tfrec.model.embedding import Embedder
from tfrec.training.fingerprint import training_fingerprint
from tfrec.training.interactions import interactions
from tfrec.training.trainer import Trained

SEARCH_WIDTH = 128  # Width of the projected text vectors; close to all of a sentence encoder's variance.


def export_servable(
    trained: Trained,
    dataset: Dataset,
    destination: str,
    metrics: Mapping[str, float] | None = None,
    say: Callable[[str], None] = print,
) -> str:
    """Write the servable of a trained model to the folder `destination`, whole or not at all.

    Its index holds every item of the catalogue, also those that were not seen in training, embedded from their
    content. The histories it stores are of all events there are. How a partitioned index is made is chosen and measured
    by queries of users in the data.

    Returns:
        `destination`.

    Raises:
        ServableError: if the folder exists, the stock serving image could not run the model, or the servable answers
            unlike the trained model.
        TrainingError: if the disk is full.
    """
    config = trained.config
    vectors, weights = Embedder(trained.model, config.serving.history).items_and_weights(trained.inputs)
    texts, basis = _search_space(trained)
    towers = ServingTowers(trained, basis)
    specs = {
        "items": item_signature(config.schema, towers.raw_items),
        "query": query_signature(towers.raw_users, towers.raw_context),
    }
    serving = config.serving
    index, record = _index(trained, dataset, towers, specs["query"], vectors)
    if record["kind"] != "exact":
        say(
            f"partitioned index: {record['recall']:.1%} of the {serving.k} best found ({serving.recall:.1%} asked) in "
            f"{record['scanned']:.1%} of the items"
        )
    users = _known_users(trained, dataset, serving.known_users)
    filters = _filters(dataset.catalogue, serving)
    parts = _parts(trained, weights) if serving.reasons else None
    servable = Servable(towers, specs, dataset.catalogue.ids, index, texts, users, shape_of(serving), filters, parts)
    content = manifest(
        config,
        training_fingerprint(config, dataset, trained.encoders),
        len(dataset.catalogue),
        len(dataset.users) if serving.known_users else 0,
        metrics,
    )
    content["index"] = record
    content["alarms"] = [alarm.to_json() for alarm in trained.alarms]
    probe = dataclasses.replace(
        build_probe(trained, dataset, vectors, specs), recall=1.0 if record["kind"] == "exact" else record["recall"]
    )
    write_servable(servable, config.model_name, content, dataset.catalogue, destination, probe)
    say(f"exported {len(dataset.catalogue)} items to {destination}")
    return destination


def write_servable(
    servable: Servable,
    model_name: str,
    content: Mapping[str, Any],
    catalogue: Catalogue,
    destination: str,
    probe: Probe | None = None,
) -> None:
    """Save a servable with its warm-up requests, manifest and item list; refuse one that would not load.

    Args:
        probe: what it must answer once it is loaded again; stored beside it.

    Raises:
        ServableError: if the folder exists, the stock serving image could not run the model, or it answers otherwise
            than the probe says.
    """
    with written_folder(destination) as folder:
        signatures = servable.signatures()
        tf.saved_model.save(servable, folder, signatures=signatures)
        inputs = {name: function.structured_input_signature[1] for name, function in signatures.items()}
        write_warmup(folder, model_name, inputs)
        write_extras(folder, content, catalogue.ids, catalogue.titles)
        problems = servable_problems(folder)
        if problems:
            raise ServableError(f"the stock serving image cannot run this model: {'; '.join(problems[:5])}")
        if probe is not None:
            probe.write(folder)
            alarms = probe.alarms(LoadedServable(folder).signatures)
            if alarms:
                raise ServableError(f"nothing was exported: {' '.join(alarm.sentence for alarm in alarms)}")


def _search_space(trained: Trained) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Text vectors of all items projected for search, float32 [N, P], and the projection, float32 [W, P].

    The leading right singular vectors keep the cosines as well as any projection of that width can.
    """
    name = trained.model.text_feature
    if not name:
        return None, None
    encoder = trained.encoders[name]
    content = trained.inputs.arrays[name]
    if not encoder.frozen:
        content = np.concatenate(
            [encoder(tf.constant(content[i : i + 64]), training=False).numpy() for i in range(0, len(content), 64)]
        )
    vectors = np.where(trained.inputs.arrays[f"{name}.present"][:, np.newaxis], content, 0).astype(np.float32)
    width = vectors.shape[1]
    basis = np.eye(width, dtype=np.float32)
    if width > SEARCH_WIDTH:
        _, directions = np.linalg.eigh(vectors.T.astype(np.float64) @ vectors)
        basis = np.ascontiguousarray(directions[:, ::-1][:, :SEARCH_WIDTH]).astype(np.float32)
    projected = vectors @ basis
    return projected / np.maximum(np.linalg.norm(projected, axis=1, keepdims=True), 1e-9), basis


def _index(
    trained: Trained, dataset: Dataset, towers: ServingTowers, specs: Mapping[str, tf.TensorSpec], vectors: np.ndarray
) -> tuple[Index, dict[str, Any]]:
    """The index that the configuration asks for, and what the manifest says of it."""
    serving, seed = trained.config.serving, trained.config.training.seed
    if serving.index == "exact" or (serving.index == "auto" and len(vectors) < EXACT_BELOW):
        return exact_index(vectors, serving.k)
    # Also where the servable is to know no users, queries of users say what the index finds.
    users = _known_users(trained, dataset, True)
    queries, seen = user_queries(towers, users, specs, vectors, QUERIES, seed)
    return index_for(vectors, serving.index, Asked(queries, seen, serving.k, serving.recall), seed)


def _filters(catalogue: Catalogue, serving: Serving) -> AttributeFilters | None:
    """What requests may filter by, as the configuration says; None for nothing."""
    if not serving.filters:
        return None
    return AttributeFilters({name: catalogue.columns[name] for name in serving.filters}, serving.filter_values)


def _parts(trained: Trained, weights: np.ndarray) -> ItemParts:
    """What the modalities of the items add to their vectors; `weights` is how much each counts."""
    schema = trained.config.schema
    rows, parts = parts_of_catalogue(trained.model, trained.inputs, schema, weights)
    return ItemParts(modalities(schema), rows, parts, len(trained.inputs))


def _known_users(trained: Trained, dataset: Dataset, known: bool) -> KnownUsers:
    """The users of the data set, or nobody where they are not to be `known`."""
    config = trained.config
    codes = {}
    if config.model.use_user_features:
        codes = trained.blueprint.feature_space.encode_users(dataset.users)
    if not known:
        nobody = np.zeros(0, np.int64)
        return KnownUsers(
            dataset.users.ids[nobody],
            np.zeros((0, config.serving.history), np.int32),
            (np.zeros(1, np.int64), np.zeros(0, np.int32)),
            {name: array[nobody] for name, array in codes.items()},
        )
    pairs = interactions(joined(dataset.train, dataset.validation, dataset.test, dataset.cold), len(dataset.users))
    history = pairs.latest(np.arange(len(dataset.users)), config.serving.history)
    return KnownUsers(dataset.users.ids, history, (pairs.indptr, pairs.item), codes)
