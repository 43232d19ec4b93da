"""Filters by attributes: which items have one of the values, or a number in the range, that a request asks for."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from tfrec.export.raw_features import string_table
from tfrec.request_inputs import FILTER, LARGEST, SMALLEST

NO_VALUE, NO_ITEM_HAS_IT = 0, -1


class AttributeFilters(tf.Module):
    """The attributes of all items that requests may filter by.

    An item passes a filter by a category if it has at least one of the values asked for, and one by a number if the
    number is there and within both bounds, which are included. It must pass the filters by all attributes.

    Args:
        columns: attributes by name, one row per item: object arrays of str (category) or of tuples of str
            (categories), or float32 with NaN where absent (number).
        values: how many values of a category a request may give.
    """

    def __init__(self, columns: Mapping[str, np.ndarray], values: int):
        super().__init__("filters")
        self.width = values
        self.names, self.codes, self.numbers, self.tables, self.sizes = {}, {}, {}, {}, {}
        for name, column in columns.items():
            if column.dtype != object:
                self.numbers[name] = _constant(column.astype(np.float32), name, tf.float32)
                continue
            names, codes = _coded(column)
            self.names[name] = _constant(names, f"{name}_names", tf.string)
            self.codes[name] = _constant(codes, name, tf.int32)
            self.sizes[name] = len(names)
            self.tables[name] = string_table(names, list(range(len(names))), missing=NO_ITEM_HAS_IT)

    def signature(self) -> dict[str, tf.TensorSpec]:
        """The inputs of a request by name: strings [B, values], "" for none, and bounds float32 [B], NaN for none."""
        specs = {}
        for name in self.codes:
            specs[FILTER + name] = tf.TensorSpec([None, self.width], tf.string, name=FILTER + name)
        for name, end in itertools.product(self.numbers, (SMALLEST, LARGEST)):
            specs[FILTER + name + end] = tf.TensorSpec([None], tf.float32, name=FILTER + name + end)
        return specs

    def asked(self, inputs: Mapping[str, tf.Tensor]) -> Filtered:
        """What a batch of requests filters by."""
        wanted = {}
        for name, size in self.sizes.items():
            codes = tf.cast(self.tables[name].lookup(inputs[FILTER + name]), tf.int32)
            # A value that no item has lets none through; it marks a place of its own, which is no item's code.
            marks = tf.one_hot(tf.where(codes == NO_ITEM_HAS_IT, size, codes), size + 1, on_value=True, off_value=False)
            marked = tf.reduce_any(marks, axis=1)
            given = tf.reduce_any(codes != NO_VALUE, axis=1, keepdims=True)
            # An item without a value passes only where none is asked for.
            nothing = tf.one_hot([NO_VALUE], size + 1, on_value=True, off_value=False)
            wanted[name] = tf.where(given, marked & ~nothing, True)
        bounds = {
            name: tf.stack([inputs[FILTER + name + end] for end in (SMALLEST, LARGEST)], axis=1)
            for name in self.numbers
        }
        return Filtered(self, wanted, bounds)


@dataclasses.dataclass(frozen=True)
class Filtered:
    """What a batch of requests filters by; see `tfrec.index.interface.Allowed`.

    Attributes:
        filters: the items' attributes.
        wanted: by category, which values are asked for, bool [B, values there are + 1]; all where none is given.
        bounds: by number, the smallest and the largest, float32 [B, 2]; NaN where there is none.
    """

    filters: AttributeFilters
    wanted: Mapping[str, tf.Tensor]
    bounds: Mapping[str, tf.Tensor]

    def part(self, rows: slice) -> Filtered:
        """What some of the requests filter by."""
        return Filtered(
            self.filters,
            {name: tensor[rows] for name, tensor in self.wanted.items()},
            {name: tensor[rows] for name, tensor in self.bounds.items()},
        )

    def lifted(self, rows: tf.Tensor) -> Filtered:
        """The same with nothing filtered for the requests at `rows`, bool [B]."""
        rows = rows[:, tf.newaxis]
        return Filtered(
            self.filters,
            {name: rows | wanted for name, wanted in self.wanted.items()},
            {name: tf.where(rows, float("nan"), bounds) for name, bounds in self.bounds.items()},
        )

    def at(self, items: tf.Tensor) -> tf.Tensor:
        """Whether the items at positions int32 [B, W] pass, bool [B, W]."""
        passed = tf.ones_like(items, tf.bool)
        for name, wanted in self.wanted.items():
            codes = tf.gather(_read(self.filters.codes[name]), items)
            passed &= tf.reduce_any(tf.gather(wanted, codes, batch_dims=1), axis=2)
        for name, bounds in self.bounds.items():
            passed &= _within(tf.gather(_read(self.filters.numbers[name]), items), bounds)
        return passed

    def everywhere(self) -> tf.Tensor:
        """Whether each item passes, bool [B, N]."""
        passed = tf.constant([[True]])
        for name, wanted in self.wanted.items():
            passed &= tf.reduce_any(tf.gather(wanted, _read(self.filters.codes[name]), axis=1), axis=2)
        for name, bounds in self.bounds.items():
            passed &= _within(_read(self.filters.numbers[name])[tf.newaxis], bounds)
        return passed


def stored_columns(filters) -> dict[str, np.ndarray]:
    """The columns of an `AttributeFilters`, new or loaded with its SavedModel; every category as tuples of values."""
    columns: dict[str, np.ndarray] = {name: numbers.numpy() for name, numbers in filters.numbers.items()}
    for name, codes in filters.codes.items():
        names = [value.decode() for value in filters.names[name].numpy()]
        rows = codes.numpy()
        cells = (tuple(names[code] for code in row if code != NO_VALUE) for row in rows)
        columns[name] = np.fromiter(cells, dtype=object, count=len(rows))
    return columns


def _coded(column: np.ndarray) -> tuple[list[str], np.ndarray]:
    """All values there are, "" first, and each item's as numbers into them, int32 [N, W], 0 for none."""
    rows = [_values(cell) for cell in column]
    names = ["", *sorted(set(itertools.chain.from_iterable(rows)))]
    number = {name: code for code, name in enumerate(names)}
    codes = np.full((len(rows), max(1, max(map(len, rows), default=0))), NO_VALUE, np.int32)
    for row, values in enumerate(rows):
        codes[row, : len(values)] = [number[value] for value in values]
    return names, codes


def _values(cell: str | tuple[str, ...]) -> list[str]:
    values = (cell,) if isinstance(cell, str) else cell
    return [value for value in dict.fromkeys(values) if value]


def _within(numbers: tf.Tensor, bounds: tf.Tensor) -> tf.Tensor:
    smallest, largest = bounds[:, :1], bounds[:, 1:]
    # Comparisons with an absent number are false, and so are those with an absent bound, which is let through.
    return (tf.math.is_nan(smallest) | (numbers >= smallest)) & (tf.math.is_nan(largest) | (numbers <= largest))


def _constant(array, name: str, dtype) -> tf.Variable:
    return tf.Variable(array, trainable=False, name=name, dtype=dtype)


def _read(variable: tf.Variable) -> tf.Tensor:
    return tf.convert_to_tensor(variable)
