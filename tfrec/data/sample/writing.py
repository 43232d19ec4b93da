"""Writes the sample catalogue: rows, pictures, clips, events, configuration and the hidden truth."""

from __future__ import annotations

import json
import os
from collections.abc import Callable

import numpy as np
import pandas as pd

from tfrec.data.sample import flaws as broken
from tfrec.data.sample.behaviour import WEEKS, Events, World, draw_world, simulate
from tfrec.data.sample.configuration import CONFIGURATION, README
from tfrec.data.sample.items import make_rows, write_content
from tfrec.data.sample.traits import TRAITS, draw_item_traits, named
from tfrec.errors import DataError

COUNTRIES = ("AT", "BR", "CA", "DE", "ES", "FR", "GB", "IN", "JP", "KE", "NL", "PL")


def write_sample(
    directory: str,
    items: int = 600,
    users: int = 1500,
    events: int = 40_000,
    seed: int = 7,
    progress: Callable[[int, int], None] | None = None,
) -> str:
    """Write the sample catalogue into `directory` and return the path of its tfrec.yaml, which is written last.

    The same arguments give the same bytes (for one version of Pillow and libsndfile). The number of events is met
    within a few per cent.

    Args:
        directory: made if it does not exist; files of the same names are replaced.
        items, users, events: sizes; at least 20 items, 10 users and 100 events.
        seed: of all randomness.
        progress: called with (steps done, steps in all) as items are drawn and weeks are simulated.

    Raises:
        DataError: if a size is too small or the folder cannot be written.
    """
    for name, size, least in (("items", items, 20), ("users", users, 10), ("events", events, 100)):
        if size < least:
            raise DataError(f"the sample catalogue needs at least {least} {name}, got {size}")
    try:
        return _write_sample(directory, items, users, events, seed, _Steps(progress, items))
    except OSError as error:
        raise DataError(
            f"cannot write the sample catalogue to {directory}: {error.strerror or error}; "
            "choose another folder or free some space"
        ) from error


class _Steps:
    """Counts steps of the whole work: one for each item and new item, one for each simulated week."""

    def __init__(self, progress: Callable[[int, int], None] | None, items: int) -> None:
        self._progress = progress
        self._done = 0
        self._total = items + _new_items(items) + WEEKS

    def advance(self, steps: int = 1) -> None:
        self._done += steps
        if self._progress is not None:
            self._progress(self._done, self._total)


def _new_items(items: int) -> int:
    return max(3, items // 50)


def _write_sample(directory: str, items: int, users: int, events: int, seed: int, steps: _Steps) -> str:
    os.makedirs(directory, exist_ok=True)
    rng = np.random.default_rng(seed)
    traits, new_traits = draw_item_traits(items, rng), draw_item_traits(_new_items(items), rng)
    world = draw_world(traits, users, rng)
    item_ids = [f"tale-{number:04d}" for number in range(1, items + 1)]
    new_ids = [f"new-{number:03d}" for number in range(1, len(new_traits) + 1)]
    user_ids = [f"user-{number:04d}" for number in range(1, users + 1)]

    titles: set[str] = set()
    rows = make_rows(item_ids, traits, world.popularity, titles, rng)
    new_rows = make_rows(new_ids, new_traits, np.zeros(len(new_ids)), titles, rng, gaps=0.0)
    flaws = broken.draw_item_flaws(items, rng)
    for kind, column, ending in (("picture", "picture", "png"), ("bomb", "picture", "png"), ("clip", "sound", "wav")):
        for row in np.flatnonzero([kind in flaw for flaw in flaws]):  # a broken file needs a name
            rows.loc[row, column] = f"{column}s/{item_ids[row]}.{ending}"
    write_content(directory, rows, traits, flaws, seed, steps.advance)
    new_folder = os.path.join(directory, "new_items")
    write_content(new_folder, new_rows, new_traits, np.full(len(new_ids), ""), seed + 1, steps.advance)

    catalogue, row_flaws = broken.add_item_rows(broken.spoil_cells(rows, flaws), rng)
    listeners, age_flaws = _user_rows(user_ids, world, rng)
    happened = simulate(world, events, rng, lambda week, weeks: steps.advance())
    log, event_flaws = broken.add_event_rows(_event_rows(happened, user_ids, item_ids), rng)
    tables = {"catalogue.csv": catalogue, "users.csv": listeners, "events.csv": log}
    for name, table in tables.items():
        table.to_csv(os.path.join(directory, name), index=False, lineterminator="\n")
    new_rows.to_csv(os.path.join(new_folder, "new_items.csv"), index=False, lineterminator="\n")

    flaw_of = dict(zip(item_ids, flaws))
    own_row = catalogue["item_id"].where(row_flaws == "", "")
    item_flaws = np.where(row_flaws == "", own_row.map(flaw_of).fillna("").to_numpy(), row_flaws)
    truth = {
        "items": dict(zip(item_ids, map(named, traits))),
        "new_items": dict(zip(new_ids, map(named, new_traits))),
        "users": dict(zip(user_ids, _likes(world))),
        "broken": _flaw_list("catalogue.csv", item_flaws, catalogue["item_id"])
        + _flaw_list("users.csv", age_flaws, listeners["user_id"])
        + _flaw_list("events.csv", event_flaws, log["item_id"]),
    }
    _write_text(os.path.join(directory, "traits.json"), json.dumps(truth, indent=1) + "\n")
    readme = README.format(
        items=items,
        users=users,
        events=len(happened.item),
        new_items=len(new_ids),
        flaws=(broken.__doc__ or "").split("\n\n", 1)[1].strip(),
    )
    _write_text(os.path.join(directory, "README.md"), readme)
    path = os.path.join(directory, "tfrec.yaml")
    _write_text(path, CONFIGURATION)
    return path


def _user_rows(ids: list[str], world: World, rng: np.random.Generator) -> tuple[pd.DataFrame, np.ndarray]:
    """The rows of users.csv, which hint at the circle, and the flaw of each; some ages are absent, which is allowed."""
    count = len(ids)
    ages = np.clip(np.round(18 + 5.5 * world.circle + rng.normal(scale=7, size=count)), 14, 90).astype(int)
    at_home = rng.random(count) < 0.5
    country = np.where(at_home, world.circle, rng.integers(len(COUNTRIES), size=count))
    age_cells = np.where(rng.random(count) < 0.05, "", ages.astype(str)).astype(object)
    flaws = np.full(count, "", dtype=object)
    flaws[rng.choice(count, size=max(1, count // 150), replace=False)] = "age no number"
    age_cells[flaws != ""] = "secret"
    table = pd.DataFrame(
        {
            "user_id": ids,
            "age": age_cells,
            "country": np.array(COUNTRIES)[country],
            "plan": rng.choice(["free", "plus"], size=count, p=[0.7, 0.3]),
        }
    )
    return table, flaws


def _event_rows(happened: Events, user_ids: list[str], item_ids: list[str]) -> pd.DataFrame:
    stamps = np.datetime_as_string(happened.time.astype("datetime64[s]"), unit="s").astype(object) + "Z"
    return pd.DataFrame(
        {
            "user_id": np.array(user_ids, dtype=object)[happened.user],
            "item_id": np.array(item_ids, dtype=object)[happened.item],
            "timestamp": stamps,
            "event": happened.kind,
            "device": happened.device,
        }
    )


def _likes(world: World) -> list[dict[str, dict[str, list[str]]]]:
    likes: list[dict[str, dict[str, list[str]]]] = []
    for user in range(len(world.circle)):
        periods = {"likes": world.tastes, "later_likes": world.later_tastes}
        likes.append(
            {
                period: {
                    trait.name: [trait.values[value] for value in np.flatnonzero(liked[user])]
                    for trait, liked in zip(TRAITS, tastes)
                }
                for period, tastes in periods.items()
            }
        )
    return likes


def _flaw_list(file: str, flaws: np.ndarray, ids: pd.Series) -> list[dict[str, object]]:
    """Where the flaws are; `row` counts from 1 for the first row after the header."""
    rows = np.flatnonzero(flaws != "")
    return [{"file": file, "row": int(row) + 1, "kind": str(flaws[row]), "id": str(ids.iloc[row])} for row in rows]


def _write_text(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
