"""Adds new items to an exported model: embedded from their content alone, without training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tfrec.data.tables import Catalogue
from tfrec.errors import DataError, ServableError
from tfrec.export.export import write_servable
from tfrec.export.filters import AttributeFilters, stored_columns
from tfrec.export.known_users import KnownUsers, known_user_arrays
from tfrec.export.loaded import LoadedServable
from tfrec.export.reasons import ItemParts, stored_parts
from tfrec.export.servable import Servable
from tfrec.export.user_queries import QUERIES, user_queries
from tfrec.index.growth import grown
from tfrec.index.interface import Index
from tfrec.index.making import Asked, exact_index, with_partition
from tfrec.index.partitioned import PartitionedIndex, renewed
from tfrec.index.stored import stored_partition
from tfrec.request_inputs import is_feature

BATCH = 32


def embed_catalogue(
    servable: LoadedServable, catalogue: Catalogue, progress: Callable[[str, int, int], None] | None = None
) -> dict[str, np.ndarray]:
    """Embed items with an exported model.

    Returns:
        `embedding` float32 [N, D], `text` float32 [N, P] where the model searches text, and `parts` float32 [N, M, D]
        where it gives reasons.
    """
    specs = item_specs(servable)
    towers = servable.module.towers
    embed = towers.embed_items_with_parts if servable.shape.reasons else towers.embed_items
    parts: dict[str, list[np.ndarray]] = {}
    media = {name: iter(values) for name, values in catalogue.media.items()}
    for start in range(0, len(catalogue), BATCH):
        size = min(BATCH, len(catalogue) - start)
        raw = {}
        for name, spec in specs.items():
            if name in media:
                raw[name] = tf.constant([next(media[name]) for _ in range(size)], tf.string)
            elif spec.shape.rank == 2:
                width = spec.shape[1]
                rows = catalogue.columns[name][start : start + size]
                raw[name] = tf.constant([(list(row) + [""] * width)[:width] for row in rows], tf.string)
            else:
                raw[name] = tf.constant(list(catalogue.columns[name][start : start + size]), spec.dtype)
        for output, value in embed(raw).items():
            parts.setdefault(output, []).append(value.numpy())
        if progress is not None:
            progress("new items", start + size, len(catalogue))
    embedded = {output: np.concatenate(values) for output, values in parts.items()}
    if "text" in embedded:
        absent = catalogue.columns[_searched(servable)] == ""
        embedded["text"][absent] = 0
    return embedded


def add_items(
    servable: LoadedServable,
    catalogue: Catalogue,
    destination: str,
    progress: Callable[[str, int, int], None] | None = None,
) -> tuple[int, int]:
    """Write the next version of a servable with more items; an item with a known id is embedded anew.

    A partitioned index keeps its directions and its blocks, but for those that new items go to. Its recall is measured
    again where the servable knows users, and more of it is looked into where it would be too small;
    otherwise the manifest keeps the recall and the number of items that it was measured with.

    Args:
        servable: the version to start from.
        catalogue: the new items, read with the schema the model was trained with.
        destination: the folder of the new version, which must not exist.

    Returns:
        How many items were added, and how many were replaced.

    Raises:
        DataError: if there is no item to add.
        ServableError: if the folder exists.
    """
    if not len(catalogue):
        raise DataError("there is no item to add; check the file given with --items")
    embedded = embed_catalogue(servable, catalogue, progress)
    position = {item: row for row, item in enumerate(servable.ids)}
    known = np.array([item in position for item in catalogue.ids])
    places = np.array([position[item] for item in catalogue.ids[known]], np.int64)
    texts = getattr(servable.module, "texts", None)  # A model without text is saved without it.
    vectors = _grown(servable.vectors, embedded["embedding"], known, places)
    index, record = _grown_index(servable, vectors, places)
    more = Servable(
        servable.module.towers,
        {"items": item_specs(servable), "query": query_specs(servable)},
        np.concatenate([servable.ids, catalogue.ids[~known]]),
        index,
        None if texts is None else _grown(texts.numpy().T, embedded["text"], known, places),
        KnownUsers(**known_user_arrays(servable.module.users)),
        servable.shape,
        _grown_filters(servable, catalogue, known, places),
        _grown_parts(servable, embedded["parts"], known, places) if servable.shape.reasons else None,
    )
    titles = servable.titles.copy()
    titles[places] = catalogue.titles[known]
    merged = Catalogue(grown_ids(servable, catalogue, known), np.concatenate([titles, catalogue.titles[~known]]), {})
    content = {**servable.manifest, "items": len(merged), "added_items": int((~known).sum()), "index": record}
    write_servable(more, servable.manifest["name"], content, merged, destination)
    return int((~known).sum()), int(known.sum())


def _grown_index(servable: LoadedServable, vectors: np.ndarray, places: np.ndarray) -> tuple[Index, dict[str, Any]]:
    """The index with more vectors float32 [N, D], those at `places` and behind the old ones new, and its record."""
    partition = stored_partition(servable.module.index)
    if partition is None:
        return exact_index(vectors, servable.k)
    new = np.concatenate([places, np.arange(len(servable.vectors), len(vectors))])
    partition, changed = grown(vectors, partition, new)
    record = servable.manifest["index"]
    probes, spread = record["probes"], record["spread"]
    promise = renewed(servable.module.index.promise.numpy(), vectors, partition, spread, changed)
    users = servable.module.users
    queries, seen = user_queries(servable.module.towers, users, query_specs(servable), vectors, QUERIES, seed=0)
    if len(queries) < 2:
        kept = PartitionedIndex(vectors, partition, probes, spread, servable.k, promise)
        return kept, {**record, "blocks": kept.blocks, "scanned": min(1.0, probes * kept.rows / kept.size)}
    asked = Asked(queries, seen, servable.k, record["asked"])
    index, measured = with_partition(vectors, partition, probes, spread, asked, promise)
    return index, {**record, **measured}


def _grown_parts(servable: LoadedServable, new: np.ndarray, known: np.ndarray, places: np.ndarray) -> ItemParts:
    names, rows, parts = stored_parts(servable.module.parts)
    kept = ~np.isin(rows, places)
    size = len(servable.ids)
    rows = np.concatenate([rows[kept], places, np.arange(size, size + (~known).sum())])
    parts = np.concatenate([parts[kept], new[known], new[~known]])
    return ItemParts(names, rows, parts, size + int((~known).sum()))


def _grown_filters(
    servable: LoadedServable, catalogue: Catalogue, known: np.ndarray, places: np.ndarray
) -> AttributeFilters | None:
    if not servable.manifest["serving"].get("filters"):
        return None
    old = stored_columns(servable.module.filters)
    columns = {}
    for name, column in old.items():
        new = catalogue.columns[name]
        if column.dtype == object and not isinstance(next(iter(new)), tuple):
            new = np.fromiter(((value,) for value in new), dtype=object, count=len(new))
        columns[name] = _grown(column, new, known, places)
    return AttributeFilters(columns, servable.shape.filter_values)


def item_specs(servable: LoadedServable) -> Mapping[str, tf.TensorSpec]:
    """The raw inputs of an item that the model embeds.

    Raises:
        ServableError: if the model knows items by their ids only.
    """
    if "embed_items" not in servable.signatures:
        raise ServableError(
            f"the model in {servable.directory} knows items by their ids only, so a new item cannot be embedded; "
            "train it with item features"
        )
    return servable.signatures["embed_items"].structured_input_signature[1]


def query_specs(servable: LoadedServable) -> Mapping[str, tf.TensorSpec]:
    """The raw user features and context that the model takes."""
    inputs = servable.signatures["serving_default"].structured_input_signature[1]
    return {name: spec for name, spec in inputs.items() if is_feature(name)}


def grown_ids(servable: LoadedServable, catalogue: Catalogue, known: np.ndarray) -> np.ndarray:
    """Ids of the servable's items followed by those of the items it does not know yet."""
    return np.concatenate([servable.ids, catalogue.ids[~known]])


def _grown(old: np.ndarray, new: np.ndarray, known: np.ndarray, places: np.ndarray) -> np.ndarray:
    rows = old.copy()
    rows[places] = new[known]
    return np.concatenate([rows, new[~known]])


def _searched(servable: LoadedServable) -> str:
    features = servable.manifest["schema"]["items"]["features"]
    return next(feature["name"] for feature in features if feature["modality"] == "text")
