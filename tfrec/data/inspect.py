"""Looks at a user's files and writes a commented configuration for them: what `tfrec init` does."""

from __future__ import annotations

import dataclasses
import json
import keyword
import os
import re
from collections.abc import Sequence

import yaml

from tfrec.config import Evaluation, Gates, Model, Serving, Split, Training
from tfrec.data.event_columns import EventColumns, find_event_columns
from tfrec.data.files import is_remote, write_text
from tfrec.data.guesses import Guess, guess_column, is_title
from tfrec.data.read import Table, read_table
from tfrec.errors import DataError
from tfrec.schema_parsing import RESERVED

_ENCODERS = {
    "text": "{kind: hub, path: minilm, train: none}   # pretrained sentence encoder; computed once per item",
    "image": "{kind: small-cnn, size: 48}   # or a keras.applications name, with weights: imagenet or a file",
    "audio": "{kind: logmel-cnn, seconds: 2.0}   # or kind: hub with a path or handle",
}
_OTHERS = (("model", Model), ("training", Training), ("evaluation", Evaluation), ("gates", Gates), ("serving", Serving))


def write_config(items: str, events: str, users: str, destination: str, overwrite: bool = False) -> str:
    """Write a configuration for the given files (CSV, JSON Lines or Parquet) and return its path.

    Args:
        items, events: paths of the catalogue and the events; `users`: of the users, or "".
        destination: the YAML file to write, or a folder, in which it is called tfrec.yaml.
        overwrite: whether a file that is there already may be replaced.

    Raises:
        DataError: if a file is missing or unreadable, the ids of the files do not match, or the destination exists.
        ConfigError: if a file has an unknown ending.
    """
    path = destination
    if os.path.isdir(destination) or not destination.endswith((".yaml", ".yml")):
        path = os.path.join(destination, "tfrec.yaml")
    if os.path.exists(path) and not overwrite:
        raise DataError(f"{path} exists already; remove it or choose another destination")
    named = {"items": items, "events": events, **({"users": users} if users else {})}
    for name, file in named.items():
        if not is_remote(file) and not os.path.isfile(file):
            raise DataError(f"the {name} file {file} does not exist; check the path given as --{name}")
    tables = {name: read_table(file, name) for name, file in named.items()}
    for name, table in tables.items():
        if table.frame.empty:
            raise DataError(f"{named[name]} has no readable row; expected a header and at least one row")
    write_text(path, config_text(tables["items"], tables["events"], tables.get("users"), path))
    return path


def config_text(items: Table, events: Table, users: Table | None, path: str) -> str:
    """The YAML for three tables, to be written to `path`, which anchors the relative paths in it."""
    columns = find_event_columns(items, events, users)
    folder = os.path.dirname(os.path.abspath(path))
    item_folder = "" if is_remote(items.path) else os.path.dirname(os.path.abspath(items.path))
    guesses = _guesses(items, columns.item_key, _folders(item_folder))
    media = _media_folder(items, guesses, _folders(item_folder))
    taken: set[str] = set()
    lines = [
        "# Written by `tfrec init` from looking at your files: read it once, correct what it guessed wrong, then run",
        f"# `tfrec validate -c {os.path.basename(path)}`.",
        f"name: {_quoted(_name(os.path.basename(folder), set()))}",
        "",
        "data:                         # paths start from the folder of this file",
        *(
            f"  {table.name}: {_quoted(_relative(table.path, folder))}"
            for table in (items, users, events)
            if table is not None
        ),
        *([f"  media: {_quoted(_relative(media, folder))}   # where pictures and clips were found"] if media else []),
        "  output: build               # everything tfrec writes goes here",
        "",
        "schema:",
        *_item_lines(columns.item_key, guesses),
        *_user_lines(users, columns.user_key, taken),
        *_event_lines(columns, taken),
        "",
        *_split_lines(bool(columns.time)),
        "",
        "# Everything below is optional; these are the defaults. Take away the # of a section and of what you change.",
    ]
    for section, kind in _OTHERS:
        lines += ["#", f"# {section}:   # {(kind.__doc__ or '').strip().splitlines()[0]}"]
        lines += [f"#   {key}: {value}" for key, value in _defaults(kind)]
    return "\n".join(lines) + "\n"


def _guesses(table: Table, key: str, folders: Sequence[str]) -> dict[str, Guess]:
    return {
        column: guess_column(column, table.frame[column].to_numpy(), folders)
        for column in table.frame.columns
        if column != key
    }


def _folders(folder: str) -> list[str]:
    """The folder of the items file and those directly below it: where pictures and clips may lie."""
    if not folder:
        return []
    below = sorted(entry.path for entry in os.scandir(folder) if entry.is_dir() and not entry.name.startswith("."))
    return [folder, *below]


def _media_folder(items: Table, guesses: dict[str, Guess], folders: list[str]) -> str:
    """The folder that the paths in the items start from, "" if it is the items' own or cannot be told."""
    for column, guess in guesses.items():
        if guess.modality not in ("image", "audio"):
            continue
        paths = [cell for cell in items.frame[column] if isinstance(cell, str) and cell.strip()][:50]
        for number, folder in enumerate(folders):
            if any(os.path.isfile(os.path.join(folder, path)) for path in paths):
                return folder if number else ""
    return ""


def _item_lines(key: str, guesses: dict[str, Guess]) -> list[str]:
    texts = [column for column, guess in guesses.items() if guess.modality == "text"]
    titles = [column for column in texts if is_title(column, guesses[column])]
    texts = titles + [column for column in texts if column not in titles]
    taken = {"text"}
    lines = ["  items:", f"    id: {_quoted(key)}   # tells the items apart and is found in the events"]
    if titles:
        lines.append(f"    title: {_quoted(titles[0])}   # what people are shown")
    else:
        lines.append("    # title: COLUMN   # what people are shown; no column looked like a title")
    lines.append("    features:")
    if texts:
        lines += [
            f"      text:   # {'; '.join(f'{_one_line(column)}: {guesses[column].reason}' for column in texts)}",
            "        modality: text",
            f"        columns: [{', '.join(map(_quoted, texts))}]   # joined by a full stop",
            f"        encoder: {_ENCODERS['text']}",
        ]
    for column, guess in guesses.items():
        if guess.modality == "text":
            continue
        lines += _feature_lines(column, guess, taken)
    return lines


def _user_lines(users: Table | None, key: str, taken: set[str]) -> list[str]:
    if users is None:
        return ["  # users:   # no file of users was given; users are known by their history"]
    lines = ["  users:", f"    id: {_quoted(key)}   # found in the events", "    features:"]
    for column, guess in _guesses(users, key, ()).items():
        if guess.modality in ("text", "image", "audio"):
            guess = Guess("", f"{guess.modality}, which users cannot have")
        lines += _feature_lines(column, guess, taken)
    return lines


def _event_lines(columns: EventColumns, taken: set[str]) -> list[str]:
    lines = ["  events:", f"    user: {_quoted(columns.user)}", f"    item: {_quoted(columns.item)}"]
    if columns.time:
        lines.append(f"    time: {_quoted(columns.time)}")
    else:
        lines.append("    # time: COLUMN   # no column looked like a time; events count in the order of the file")
    if columns.type:
        lines += [
            f"    type: {_quoted(columns.type)}",
            "    weights:   # what an event of each type counts; 0 is no positive signal; other types are quarantined",
        ]
        for kind, weight in columns.weights.items():
            hint = "   # the name says nothing about its worth: choose" if kind in columns.guessed else ""
            lines.append(f"      {_quoted(kind)}: {weight:g}{hint}")
    else:
        lines.append("    # type: COLUMN, and weights: {view: 1, purchase: 4}   # all events are of one type")
    if columns.value:
        lines += [
            f"    value: {_quoted(columns.value)}",
            "    # minimum_value: 4   # leave out events with a smaller value; without it every event is a signal",
        ]
    if columns.context:
        lines.append("    context:   # keep only what is known when a recommendation is asked for")
        for column in columns.context:
            lines += _feature_lines(column, Guess("category", "few different values"), taken)
    return lines + [f"    # {_one_line(column)} is left out: {reason}" for column, reason in columns.left_out]


def _feature_lines(column: str, guess: Guess, taken: set[str]) -> list[str]:
    if not guess.modality:
        return [f"      # {_one_line(column)} is left out: {guess.reason}"]
    name = _name(column, taken)
    taken.add(name)
    lines = [f"      {name}:   # {guess.reason}", f"        modality: {guess.modality}"]
    if name != column:
        lines.append(f"        column: {_quoted(column)}")
    if guess.modality == "categories":
        lines.append(f"        separator: {json.dumps(guess.separator)}")
    if guess.modality in _ENCODERS:
        lines.append(f"        encoder: {_ENCODERS[guess.modality]}")
    return lines


def _split_lines(timed: bool) -> list[str]:
    why = "the latest events are the test" if timed else "there is no time; each user's events are cut at random"
    values = {"by": "time" if timed else "within-user", "held_out_items": 0.1}
    reasons = {
        "protocol": "per-user or another named protocol, instead of by, test and held_out_items",
        "by": f"{why}; or time, last-out, random, within-user, within-item, new-users",
        "held_out_items": "share of items never trained on, to measure how well new items are recommended",
    }
    lines = ["split:   # how events are divided"]
    for key, default in _defaults(Split):
        reason = f"   # {reasons[key]}" if key in reasons else ""
        lines.append(f"  {key}: {values.get(key, default)}{reason}")
    return lines


def _defaults(kind: type) -> list[tuple[str, str]]:
    """The settings of a section with their defaults as YAML writes them."""
    pairs = []
    for field in dataclasses.fields(kind):
        value = list(field.default) if isinstance(field.default, tuple) else field.default
        pairs.append((field.name, yaml.safe_dump(value, default_flow_style=True).removesuffix("...\n").strip()))
    return pairs


def _name(column: str, taken: set[str]) -> str:
    """A feature name for a column: lower case, letters, digits and underscores, unlike those taken and reserved."""
    base = re.sub(r"[^a-z0-9]+", "_", column.lower()).strip("_") or "feature"
    base = f"f_{base}" if base[0].isdigit() else base
    name = f"{base}_value" if base in RESERVED or keyword.iskeyword(base) or _quoted(base) != base else base
    number = 2
    while name in taken:
        name, number = f"{base}_{number}", number + 1
    return name


def _quoted(text: str) -> str:
    """A YAML scalar that is read back as this very string."""
    try:
        plain = re.fullmatch(r"[\w./-]+", text) is not None and yaml.safe_load(text) == text
    except (yaml.YAMLError, ValueError):
        plain = False
    return text if plain else yaml.safe_dump(text, default_style='"', width=10**6).strip()


def _one_line(text: str) -> str:
    """For a comment: without line breaks and characters that YAML forbids."""
    return "".join(letter if letter.isprintable() else "?" for letter in " ".join(text.split()))


def _relative(path: str, folder: str) -> str:
    return path if is_remote(path) else os.path.relpath(path, folder)
