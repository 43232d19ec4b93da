"""The rows and files of the sample catalogue that are broken on purpose, to show that nothing bad passes silently.

| kind                  | where         | what is wrong                                                          |
|-----------------------|---------------|------------------------------------------------------------------------|
| duplicate item id     | catalogue.csv | an extra row, later than the item's own, with the same id              |
| missing item id       | catalogue.csv | an extra row without an id                                             |
| empty text            | catalogue.csv | title and description consist of spaces                                |
| price no number       | catalogue.csv | the price says "ask us"                                                |
| price not finite      | catalogue.csv | the price says "inf"                                                   |
| negative price        | catalogue.csv | the price is below zero (a number like any other to tfrec, which keeps it) |
| truncated picture     | pictures/     | the file stops half-way                                                |
| missing picture       | pictures/     | the file does not exist                                                |
| decompression bomb    | pictures/     | a file of a few hundred bytes that claims 30,000 x 30,000 pixels       |
| garbage clip          | sounds/       | random bytes with the ending .wav                                      |
| age no number         | users.csv     | the age says "secret"                                                  |
| unknown item          | events.csv    | an extra event of an item that is in no catalogue                      |
| bad time              | events.csv    | an extra event at "yesterday", on 31 February, or without a time       |
| unknown event type    | events.csv    | an extra event of type "hover", which has no weight                    |
| missing user id       | events.csv    | an extra event without a user                                          |

Each kind occurs in about 1 of 50 items (bombs: 1 of 200), 1 of 150 users and 1 of 3,000 events, and at least once.
No item has two flaws. Besides these, some items have no picture, no sound or no description at all, which is allowed.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pandas as pd

ITEM_FLAWS = (
    "empty text",
    "price no number",
    "price not finite",
    "negative price",
    "truncated picture",
    "missing picture",
    "decompression bomb",
    "garbage clip",
)
EXTRA_ITEM_FLAWS = ("duplicate item id", "missing item id")
EVENT_FLAWS = ("unknown item", "bad time", "unknown event type", "missing user id")
_BAD_TIMES = ("yesterday", "2026-02-31T10:00:00Z", "")


def draw_item_flaws(items: int, rng: np.random.Generator) -> np.ndarray:
    """The flaw of each item, "" for most: object [items]."""
    flaws = np.full(items, "", dtype=object)
    order = rng.permutation(items)
    start = 0
    for kind in ITEM_FLAWS:
        count = max(1, items // (200 if kind == "decompression bomb" else 50))
        flaws[order[start : start + count]] = kind
        start += count
    return flaws


def spoil_cells(catalogue: pd.DataFrame, flaws: np.ndarray) -> pd.DataFrame:
    """The catalogue (cells of text) with the texts and prices of the items that have such a flaw replaced."""
    spoilt = catalogue.copy()
    spoilt.loc[flaws == "empty text", ["title", "description"]] = "   "
    for kind, price in (("price no number", "ask us"), ("price not finite", "inf"), ("negative price", "-2.50")):
        spoilt.loc[flaws == kind, "price"] = price
    return spoilt


def add_item_rows(catalogue: pd.DataFrame, rng: np.random.Generator) -> tuple[pd.DataFrame, np.ndarray]:
    """The catalogue with extra rows spread over its second half, and the flaw of each of its rows ("" for none)."""
    count = max(1, len(catalogue) // 50)
    doubles = catalogue.iloc[rng.choice((len(catalogue) + 1) // 2, size=count, replace=False)].copy()
    doubles["title"] = doubles["title"] + " (second copy)"
    nameless = catalogue.iloc[rng.choice(len(catalogue), size=count, replace=False)].copy()
    nameless["item_id"] = ""
    extra = pd.concat([doubles, nameless])
    kinds = np.repeat(np.array(EXTRA_ITEM_FLAWS, dtype=object), count)
    places = rng.uniform(len(catalogue) / 2, len(catalogue), size=len(extra))
    return _merged(catalogue, extra, kinds, places)


def add_event_rows(events: pd.DataFrame, rng: np.random.Generator) -> tuple[pd.DataFrame, np.ndarray]:
    """The events with extra rows spread among them, and the flaw of each of the rows ("" for none)."""
    count = max(1, len(events) // 3000)
    kinds = np.repeat(np.array(EVENT_FLAWS, dtype=object), count)
    rows = np.sort(rng.choice(len(events), size=len(kinds), replace=len(kinds) > len(events)))
    kinds = rng.permutation(kinds)
    extra = events.iloc[rows].copy()
    extra.loc[kinds == "unknown item", "item_id"] = "tale-99999"
    extra.loc[kinds == "bad time", "timestamp"] = [
        _BAD_TIMES[number % len(_BAD_TIMES)] for number in range((kinds == "bad time").sum())
    ]
    extra.loc[kinds == "unknown event type", "event"] = "hover"
    extra.loc[kinds == "missing user id", "user_id"] = ""
    return _merged(events, extra, kinds, rows + 0.5)


def _merged(
    table: pd.DataFrame, extra: pd.DataFrame, kinds: np.ndarray, places: np.ndarray
) -> tuple[pd.DataFrame, np.ndarray]:
    order = np.argsort(np.concatenate([np.arange(len(table)), places]), kind="stable")
    marks = np.concatenate([np.full(len(table), "", dtype=object), kinds])
    return pd.concat([table, extra], ignore_index=True).iloc[order].reset_index(drop=True), marks[order]


def bomb_picture(side: int = 30_000) -> bytes:
    """A PNG that claims side x side pixels and holds a handful of bytes."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(100_000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
