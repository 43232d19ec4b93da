"""Guesses what a column of an unknown file holds, from its name and a sample of its cells."""

from __future__ import annotations

import dataclasses
import os
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfrec.data.columns import number_column, string_column
from tfrec.data.times import time_column

SAMPLE = 5000
"""Cells of a column that are looked at."""
SEPARATORS = ("|", ";", ",", "/")
_PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff")
_CLIPS = (".wav", ".flac", ".ogg", ".oga", ".mp3", ".opus")
_TITLES = ("title", "name", "headline", "label")


@dataclasses.dataclass(frozen=True)
class Guess:
    """What a column seems to hold.

    Attributes:
        modality: one of `tfrec.schema.MODALITIES`, or "" to leave the column out.
        reason: why, for a comment in the configuration.
        separator: of the values of a `categories` column.
    """

    modality: str
    reason: str
    separator: str = "|"


def words_of(name: str) -> list[str]:
    """The words of a column name in lower case: "movieId" -> ["movie", "id"]."""
    return re.findall(r"[a-z]+|[0-9]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower())


def guess_column(name: str, cells: np.ndarray, folders: Sequence[str] = ()) -> Guess:
    """Guess what a column holds from its name and cells (str, bytes or tuples of str, as `tfrec.data.read` gives them).

    `folders` are searched for the files that cells may name.
    """
    cells = cells[:SAMPLE]
    if not name.strip():
        return Guess("", "it has no name")
    if any(isinstance(cell, bytes) for cell in cells):
        return _guess_bytes([cell for cell in cells if isinstance(cell, bytes)])
    if any(isinstance(cell, tuple) for cell in cells):
        return Guess("categories", "lists of values")
    strings = string_column(cells)
    strings = strings[strings != ""]
    if not len(strings):
        return Guess("", "no cell has a value")
    if np.mean([cell.startswith(("http://", "https://")) for cell in strings]) > 0.5:
        return Guess("", "addresses on the web; download the files and name their paths instead")
    media = _guess_files(strings, folders)
    if media is not None:
        return media
    return _guess_strings(name, strings)


def is_time(name: str, cells: np.ndarray) -> bool:
    """Whether the cells are dates, or numbers of seconds or milliseconds of our days, or so named and readable."""
    sample = cells[:SAMPLE]
    if any(not isinstance(cell, str) for cell in sample):
        return False
    seconds, bad = time_column(sample)
    if np.mean(~bad) < 0.8:
        return False
    named = bool({"time", "timestamp", "date", "datetime", "ts", "created", "when"} & set(words_of(name)))
    known = seconds[~bad]
    return named or bool(np.mean((known > 300_000_000) & (known < 5_000_000_000)) > 0.95)


def is_named_id(name: str) -> bool:
    """Whether a column calls itself an identifier."""
    return words_of(name)[-1:] in (["id"], ["ids"], ["key"], ["sku"], ["isbn"], ["uuid"])


def is_title(name: str, guess: Guess) -> bool:
    """Whether a column is what people should be shown, going by its name."""
    return guess.modality == "text" and words_of(name)[-1:] in [[word] for word in _TITLES]


def _guess_bytes(cells: list[bytes]) -> Guess:
    first = next((cell for cell in cells if cell), b"")
    is_clip = first[8:12] == b"WAVE" or first[:4] in (b"fLaC", b"OggS") or first[:3] == b"ID3"
    if is_clip:
        return Guess("audio", "bytes of sound files")
    if first[:2] == b"\xff\xd8" or first[:4] == b"\x89PNG" or first[8:12] == b"WEBP":
        return Guess("image", "bytes of pictures")
    return Guess("", "bytes of a kind that is neither picture nor sound")


def _guess_files(strings: np.ndarray, folders: Sequence[str]) -> Guess | None:
    endings = Counter(os.path.splitext(cell)[1].lower() for cell in strings)
    for modality, known, kind in (("image", _PICTURES, "pictures"), ("audio", _CLIPS, "sound files")):
        share = sum(endings[ending] for ending in known) / len(strings)
        if share > 0.5:
            return Guess(modality, f"paths of {kind} ({max(known, key=lambda ending: endings[ending])[1:]})")
    for cell in strings[:20]:
        for folder in folders:
            path = os.path.join(folder, cell)
            if "/" in cell and os.path.isfile(path):
                with open(path, "rb") as file:
                    return _guess_bytes([file.read(16)])
    return None


def _guess_strings(name: str, strings: np.ndarray) -> Guess:
    distinct = len(set(strings))
    varied = distinct / len(strings)
    numbers, bad = number_column(strings)
    few = distinct <= max(2, min(1000, len(strings) // 2))
    if is_named_id(name):
        if few and varied < 0.5:
            return Guess("category", f"{distinct} different ids")
        return Guess("", "another id, different for nearly every row")
    if np.mean(~bad) >= 0.9:
        return Guess("number", f"numbers from {np.nanmin(numbers):g} to {np.nanmax(numbers):g}")
    if is_time(name, strings):
        return Guess("", "dates; add a column with the year, or the age in days, to use them as a number")
    listed = _guess_list(strings)
    if listed is not None:
        return listed
    words = np.mean([len(cell.split()) for cell in strings])
    if varied > 0.5 and words_of(name)[-1:] in [[word] for word in _TITLES]:
        return Guess("text", "titles")
    if words >= 5 or (words >= 2 and varied > 0.8):
        return Guess("text", f"about {words:.0f} words each")
    if few:
        return Guess("category", f"{distinct} different values")
    return Guess("", "a different value for nearly every row, and too short to be text")


def _guess_list(strings: np.ndarray) -> Guess | None:
    """Short values that come back again and again, several to a cell, between one of `SEPARATORS`."""
    prose = np.mean([cell.endswith((".", "!", "?")) for cell in strings]) > 0.2
    for separator in SEPARATORS:
        if prose and separator in (",", "/"):
            continue
        if np.mean([separator in cell for cell in strings]) < 0.15:
            continue
        parts = [part.strip() for cell in strings for part in cell.split(separator)]
        parts = [part for part in parts if part]
        several = Counter(parts)
        longest = np.quantile([len(part.split()) for part in parts], 0.95)
        combinations = len(set(strings))
        if longest <= 4 and len(several) <= 0.5 * len(parts) and len(several) < 2 * combinations:
            return Guess("categories", f"{len(several)} different values, several to a cell", separator)
    return None


def overlap(keys: set[Any], cells: np.ndarray) -> float:
    """The share of the non-empty cells that are in `keys`."""
    strings = string_column(cells)
    strings = strings[strings != ""]
    return float(np.mean([cell in keys for cell in strings])) if len(strings) else 0.0
