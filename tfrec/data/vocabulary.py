"""Vocabularies and scaling: attributes as people write them -> the numbers that the towers take.

The small artefact that `tfrec train` fits in process and the TFX pipeline takes from Transform's output.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from tfrec.data.files import read_bytes, write_text
from tfrec.data.tables import Catalogue, Events, Users
from tfrec.errors import DataError
from tfrec.schema import Feature, Schema

ABSENT, UNKNOWN, FIRST = 0, 1, 2
"""Codes of category, id and categories: absent, not in the vocabulary, first entry of the vocabulary."""

_WIDEST = 32


class FeatureSpace:
    """The fitted encoding of all attributes.

    Keys are "items.<name>", "users.<name>" and "events.<name>". A feature with a vocabulary is a category or an id,
    with a width besides a multi-valued one; a feature with scaling is a number.

    Attributes:
        vocabularies: the known values, code 2 first.
        scaling: (mean, standard deviation) of the present values.
        categories_width: how many values of a `categories` cell are used; more are cut off.
    """

    def __init__(
        self,
        vocabularies: Mapping[str, list[str]],
        scaling: Mapping[str, tuple[float, float]],
        categories_width: Mapping[str, int] | None = None,
    ):
        self.vocabularies = {key: list(values) for key, values in vocabularies.items()}
        self.scaling = {key: (float(mean), float(deviation)) for key, (mean, deviation) in scaling.items()}
        self.categories_width = {key: int(width) for key, width in (categories_width or {}).items()}
        self._index = {key: pd.Index(values, dtype=object) for key, values in self.vocabularies.items()}
        for key, index in self._index.items():
            if not index.is_unique or "" in index:
                raise DataError(f"the vocabulary of {key} repeats an entry or has an empty one; fit it again")

    def encode_items(self, catalogue: Catalogue) -> dict[str, np.ndarray]:
        """The attributes of items by feature name.

        Returns:
            category and id: int32 [N]; categories: int32 [N, M], padded with 0; number: float32 [N, 2], the scaled
            value (0 where absent) and whether it is present (0 or 1). Text, image and audio are left out.
        """
        return self._encode("items", catalogue.columns)

    def encode_users(self, users: Users) -> dict[str, np.ndarray]:
        """The features of users, in the form of `encode_items`."""
        return self._encode("users", users.columns)

    def encode_context(self, events: Events) -> dict[str, np.ndarray]:
        """The context of events, in the form of `encode_items`."""
        return self._encode("events", events.context)

    def _encode(self, table: str, columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        encoded = {}
        for name, column in columns.items():
            key = f"{table}.{name}"
            if key in self.categories_width:
                encoded[name] = self._categories_codes(key, column)
            elif key in self.vocabularies:
                encoded[name] = self._codes(key, column)
            elif key in self.scaling:
                encoded[name] = self._scaled(key, column)
        return encoded

    def _codes(self, key: str, values: np.ndarray) -> np.ndarray:
        found = self._index[key].get_indexer(values)
        codes = np.where(found >= 0, found + FIRST, UNKNOWN)
        return np.where(values == "", ABSENT, codes).astype(np.int32)

    def _categories_codes(self, key: str, column: np.ndarray) -> np.ndarray:
        width = self.categories_width[key]
        lengths, values = _flattened(column)
        row = np.repeat(np.arange(len(column)), lengths)
        place = np.arange(len(values)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        fits = place < width
        codes = np.zeros((len(column), width), np.int32)
        codes[row[fits], place[fits]] = self._codes(key, values)[fits]
        return codes

    def _scaled(self, key: str, column: np.ndarray) -> np.ndarray:
        mean, deviation = self.scaling[key]
        present = np.isfinite(column)
        scaled = np.where(present, (column - mean) / deviation, 0)
        return np.stack([scaled, present], axis=-1).astype(np.float32)

    def save(self, path: str) -> None:
        """Write the space as JSON.

        Raises:
            DataError: if the file cannot be written.
        """
        content = {
            "vocabularies": self.vocabularies,
            "scaling": self.scaling,
            "categories_width": self.categories_width,
        }
        write_text(path, json.dumps(content, ensure_ascii=False) + "\n")

    @classmethod
    def load(cls, path: str) -> FeatureSpace:
        """Read what `save` wrote.

        Raises:
            DataError: if the file is missing or damaged.
        """
        content = read_bytes(path, "data.output")
        try:
            return cls(**json.loads(content))
        except (ValueError, TypeError, AttributeError) as error:
            raise DataError(f"{path} is no feature space: {error}; train again to write it anew") from error


def fit_feature_space(
    schema: Schema,
    catalogue: Catalogue,
    users: Users,
    train_events: Events,
    held_out: np.ndarray | None = None,
    min_count: int = 1,
    max_size: int | None = None,
) -> FeatureSpace:
    """Fit vocabularies and scaling on what training may see: the items, the users with training events, the events.

    Args:
        held_out: positions of items that training must not see.
        min_count: a value that fewer rows have is left out of its vocabulary.
        max_size: entries that a vocabulary has at most; the most frequent ones, of equally frequent ones the first by
            name.
    """
    seen_items = np.ones(len(catalogue), bool)
    seen_items[held_out if held_out is not None else []] = False
    seen_users = np.zeros(len(users), bool)
    seen_users[train_events.user] = True
    tables: list[tuple[str, Iterable[Feature], Mapping[str, np.ndarray], np.ndarray]] = [
        ("items", schema.attributes(), catalogue.columns, seen_items),
        ("users", schema.users.features, users.columns, seen_users),
        ("events", schema.events.context, train_events.context, np.ones(len(train_events), bool)),
    ]
    vocabularies, scaling, widths = {}, {}, {}
    for table, features, columns, seen in tables:
        for feature in features:
            key, column = f"{table}.{feature.name}", columns[feature.name][seen]
            if feature.modality == "number":
                scaling[key] = _mean_and_deviation(column)
                continue
            if feature.modality == "categories":
                lengths, column = _flattened(column)
                widths[key] = used_width(lengths.max(initial=1))
            vocabularies[key] = _vocabulary(column, min_count, max_size)
    return FeatureSpace(vocabularies, scaling, widths)


def _vocabulary(values: np.ndarray, min_count: int, max_size: int | None) -> list[str]:
    codes, names = pd.factorize(values[values != ""])
    counts = np.bincount(codes, minlength=len(names))
    order = sorted(np.flatnonzero(counts >= min_count), key=lambda code: (-counts[code], names[code]))
    return [names[code] for code in order[:max_size]]


def _mean_and_deviation(column: np.ndarray) -> tuple[float, float]:
    present = column[np.isfinite(column)].astype(np.float64)
    if not len(present):
        return 0.0, 1.0
    return float(present.mean()), used_deviation(float(present.std()), float(np.abs(present).max()))


def used_deviation(deviation: float, largest: float) -> float:
    """The deviation to divide by: 1 where numbers of at most the magnitude `largest` are equal but for rounding."""
    return deviation if deviation > 1e-6 * max(1.0, largest) else 1.0


def used_width(longest: int) -> int:
    """How many values of a multi-valued category are used where the longest cell has `longest`."""
    return int(np.clip(longest, 1, _WIDEST))


def _flattened(column: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lengths [N] of the tuples of a `categories` column and all their values, object array."""
    lengths = np.fromiter(map(len, column), np.int64, len(column))
    return lengths, np.fromiter(itertools.chain.from_iterable(column), dtype=object, count=int(lengths.sum()))
