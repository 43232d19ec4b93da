"""Makes the probe of a trained model: draws raw requests, and lets the model answer them as it does in training."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from scipy import sparse

from tfrec.data.tables import Dataset, Users, joined
from tfrec.encoders.item_inputs import ItemInputs
from tfrec.evaluation.topk import top_k
from tfrec.export.probe import TOLERANCE, TOLERANCE_IN_BFLOAT16, Probe
from tfrec.model.embedding import Embedder
from tfrec.training.interactions import interactions
from tfrec.training.trainer import Trained

ITEMS, STRANGERS, KNOWN = 16, 16, 16
FRONT = 1000  # Items are drawn from the first so many, so that no large catalogue's media are read to the end.
MOST_BYTES = 4 * 2**20  # Items with much content are left out of the probe beyond this.


def build_probe(
    trained: Trained, dataset: Dataset, vectors: np.ndarray, specs: Mapping[str, Mapping[str, tf.TensorSpec]]
) -> Probe:
    """Draw requests with the training seed and answer them.

    Args:
        vectors: the embeddings of all items, float32 [N, D].
        specs: raw inputs by name: of `items` and of a `query` beside ids.
    """
    config = trained.config
    random = np.random.default_rng(config.training.seed)
    requests: dict[str, dict[str, list]] = {}
    embedding = None
    if specs["items"]:
        chosen, requests["embed_items"] = _items(dataset, specs["items"], random)
        arrays = trained.inputs.take(chosen)
        # Only an item that was in training has an id vector; what is embedded from raw input never has.
        arrays["id"] = np.zeros_like(arrays["id"])
        inputs = ItemInputs(arrays, None, np.zeros(0, np.int32))
        embedding = Embedder(trained.model, config.serving.history).items(inputs)
    requests["serving_default"], queries, seen = _queries(trained, dataset, vectors, specs["query"], random)
    found = top_k(queries, vectors, config.serving.k, exclude=seen)
    ids = np.where(found.positions >= 0, dataset.catalogue.ids[np.maximum(found.positions, 0)], "")
    return Probe(
        requests,
        embedding,
        ids.astype(object),
        np.where(found.positions >= 0, found.scores, 0).astype(np.float32),
        TOLERANCE_IN_BFLOAT16 if config.training.mixed_precision else TOLERANCE,
    )


def _items(
    dataset: Dataset, specs: Mapping[str, tf.TensorSpec], random: np.random.Generator
) -> tuple[np.ndarray, dict[str, list]]:
    """Positions of some items, int [I] ascending, and their raw content and attributes by name."""
    catalogue = dataset.catalogue
    front = min(len(catalogue), FRONT)
    chosen = np.sort(random.choice(front, min(ITEMS, front), replace=False))
    media: dict[str, list[bytes]] = {
        name: _picked(catalogue.media[name], chosen) for name in specs if name in catalogue.media
    }
    lengths = np.sum([[len(content) for content in column] for column in media.values()], axis=0, initial=0)
    kept = np.flatnonzero(np.cumsum(np.broadcast_to(lengths, chosen.shape)) <= MOST_BYTES)
    kept = kept if len(kept) else np.arange(1)
    raw = {name: [column[row] for row in kept] for name, column in media.items()}
    for name in specs:
        if name not in media:
            raw[name] = raw_values(catalogue.columns[name][chosen[kept]], specs[name])
    return chosen[kept], raw


def _picked(media: Iterable[bytes], chosen: np.ndarray) -> list[bytes]:
    wanted = set(chosen.tolist())
    front = itertools.islice(media, int(chosen[-1]) + 1)
    return [content for row, content in enumerate(front) if row in wanted]


def _queries(
    trained: Trained,
    dataset: Dataset,
    vectors: np.ndarray,
    specs: Mapping[str, tf.TensorSpec],
    random: np.random.Generator,
) -> tuple[dict[str, list], np.ndarray, sparse.csr_matrix]:
    """Raw requests by input, the model's queries float32 [Q, D], and what must not be found, CSR [Q, N].

    First strangers, with a made-up history and features of their own; then known users, who give their id only.
    """
    config, space, tower = trained.config, trained.blueprint.feature_space, trained.model.query_tower
    width, count = config.serving.history, min(STRANGERS, len(dataset.users))
    pairs = interactions(joined(dataset.train, dataset.validation, dataset.test, dataset.cold), len(dataset.users))
    known = np.zeros(0, np.int64)
    if config.serving.known_users:
        known = np.sort(random.choice(len(dataset.users), min(KNOWN, len(dataset.users)), replace=False))
    made_up = _made_up_histories(len(vectors), count, width, random)
    columns = {feature.name: dataset.users.columns[feature.name] for feature in tower.user_features}
    users = Users(
        np.full(count, "", object),
        {name: column[random.integers(len(column), size=count)] for name, column in columns.items()},
    )
    context = {feature.name: dataset.train.context[feature.name] for feature in tower.context_features}
    events = dataset.train.take(np.zeros(count, np.int64))
    events = dataclasses.replace(
        events, context={name: column[random.integers(len(column), size=count)] for name, column in context.items()}
    )
    codes = _joined_codes(
        {**space.encode_users(users), **space.encode_context(events)},
        space.encode_users(dataset.users) if tower.user_features else {},
        known,
    )
    history = np.concatenate([made_up, pairs.latest(known, width)])
    queries = Embedder(trained.model, width).queries(vectors, history, codes)

    ids = dataset.catalogue.ids
    raw: dict[str, list] = {
        "user_id": [""] * count + list(dataset.users.ids[known]),
        "history": [_padded([ids[item] for item in row if item >= 0], width) for row in made_up],
    }
    raw["history"] += [[""] * width for _ in known]
    raw["exclude"] = [[""] * config.serving.exclude for _ in history]
    for name, column in {**users.columns, **events.context}.items():
        absent = None if specs[name].dtype == tf.float32 else ""
        nothing = _padded([], specs[name].shape[1]) if specs[name].shape.rank == 2 else absent
        raw[name] = raw_values(column, specs[name]) + [nothing] * len(known)
    seen = [row[row >= 0] for row in made_up] + [pairs.item[pairs.indptr[u] : pairs.indptr[u + 1]] for u in known]
    indptr = np.cumsum([0, *(len(items) for items in seen)])
    items = np.concatenate(seen).astype(np.int64)
    return raw, queries, sparse.csr_matrix((np.ones(len(items), bool), items, indptr), (len(seen), len(vectors)))


def _made_up_histories(items: int, count: int, width: int, random: np.random.Generator) -> np.ndarray:
    """Different items drawn evenly, from none to as many as fit, int32 [count, width], -1 on the left."""
    histories = np.full((count, width), -1, np.int32)
    for row, length in enumerate(np.linspace(0, min(width, items // 2), count).astype(int)):
        histories[row, width - length :] = random.choice(items, length, replace=False)
    return histories


def _joined_codes(
    strangers: Mapping[str, np.ndarray], stored: Mapping[str, np.ndarray], known: np.ndarray
) -> dict[str, np.ndarray]:
    """Codes of strangers followed by those stored of known users; what is not stored, the context, is absent there."""
    joined_codes = {}
    for name, codes in strangers.items():
        absent = np.zeros((len(known), *codes.shape[1:]), codes.dtype)
        joined_codes[name] = np.concatenate([codes, stored[name][known] if name in stored else absent])
    return joined_codes


def raw_values(column: np.ndarray, spec: tf.TensorSpec) -> list[Any]:
    """A column as a request gives it: values, None for an absent number, or lists padded with "" to the width."""
    if spec.shape.rank == 2:
        return [_padded(row, spec.shape[1]) for row in column]
    if spec.dtype == tf.float32:
        return [float(value) if np.isfinite(value) else None for value in column]
    return list(column)


def _padded(values: Iterable[str], width: int) -> list[str]:
    return [*values, *[""] * width][:width]
