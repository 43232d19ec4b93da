"""Makes the items of the sample catalogue: their rows, their pictures and their clips."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
import pandas as pd

from tfrec.data.sample.flaws import bomb_picture
from tfrec.data.sample.pictures import draw_cover, encoded_picture
from tfrec.data.sample.sounds import RATE, encoded_clip, synthesise
from tfrec.data.sample.stories import compose_description, compose_titles
from tfrec.data.sample.traits import named

CATEGORIES = ("short story", "radio play", "serial", "monologue", "fable", "fairy tale")
TAGS = (
    "read by the author",
    "new voice",
    "with subtitles",
    "classroom favourite",
    "live recording",
    "in dialect",
    "for children",
    "for grown-ups",
    "debut",
    "revised edition",
)
AWARD = "award winner"


def make_rows(
    ids: list[str],
    traits: np.ndarray,
    popularity: np.ndarray,
    taken: set[str],
    rng: np.random.Generator,
    gaps: float = 0.04,
) -> pd.DataFrame:
    """The rows of catalogue.csv, all cells text; a share of `gaps` lacks a description, a picture or a sound each.

    Categories, tags and prices are drawn without regard to taste; popular items have won awards.
    """
    worlds = [(row["world"], row["mood"]) for row in map(named, traits)]
    titles = compose_titles(worlds, taken, rng)
    descriptions = [compose_description(world, mood, rng) for world, mood in worlds]
    count = len(ids)
    award = (popularity > 0.6) & (rng.random(count) < 0.7)
    tags = [
        "|".join(rng.choice(TAGS, size=rng.integers(0, 4), replace=False).tolist() + [AWARD] * bool(won))
        for won in award
    ]
    pictures = rng.choice(["png", "jpg", "webp"], size=count, p=[0.62, 0.33, 0.05])
    sounds = rng.choice(["wav", "flac", "ogg", "mp3"], size=count, p=[0.90, 0.04, 0.03, 0.03])
    rows = pd.DataFrame(
        {
            "item_id": ids,
            "title": titles,
            "description": descriptions,
            "category": rng.choice(CATEGORIES, size=count),
            "tags": tags,
            "price": [f"{cents / 100:.2f}" for cents in rng.integers(1, 13, size=count) * 50 - 1],
            "picture": [f"pictures/{key}.{kind}" for key, kind in zip(ids, pictures)],
            "sound": [f"sounds/{key}.{kind}" for key, kind in zip(ids, sounds)],
        }
    )
    lacking = rng.random(count)
    for number, column in enumerate(("description", "picture", "sound")):
        rows.loc[(lacking >= number * gaps) & (lacking < (number + 1) * gaps), column] = ""
    return rows


def write_content(
    folder: str,
    rows: pd.DataFrame,
    traits: np.ndarray,
    flaws: np.ndarray,
    seed: int,
    progress: Callable[[int], None],
) -> None:
    """Draw and synthesise what the rows name, below `folder`; `progress(1)` after each item.

    Each item has its own random stream, so an item looks and sounds the same however many there are.
    """
    os.makedirs(os.path.join(folder, "pictures"), exist_ok=True)
    os.makedirs(os.path.join(folder, "sounds"), exist_ok=True)
    for number, (row, trait, flaw) in enumerate(zip(rows.to_dict("records"), map(named, traits), flaws)):
        rng = np.random.default_rng([seed, number])
        picture = _picture(row["picture"], trait, flaw, rng)
        if picture is not None:
            _write(os.path.join(folder, row["picture"]), picture)
        clip = _clip(row["sound"], trait, flaw, number, rng)
        if clip is not None:
            _write(os.path.join(folder, row["sound"]), clip)
        progress(1)


def _picture(path: str, trait: dict[str, str], flaw: str, rng: np.random.Generator) -> bytes | None:
    cover = draw_cover(trait["palette"], trait["motif"], rng)
    if not path or flaw == "missing picture":
        return None
    if flaw == "decompression bomb":
        return bomb_picture()
    content = encoded_picture(cover, path.rsplit(".", 1)[1])
    return content[: len(content) // 2] if flaw == "truncated picture" else content


def _clip(path: str, trait: dict[str, str], flaw: str, number: int, rng: np.random.Generator) -> bytes | None:
    kind = path.rsplit(".", 1)[-1]
    rate = {"flac": 22_050, "mp3": 32_000}.get(kind, RATE)
    tune = synthesise(trait["timbre"], trait["pace"], rng, rate)
    if not path:
        return None
    if flaw == "garbage clip":
        return rng.bytes(2_000)
    if kind == "flac":
        tune = np.stack([tune, 0.8 * tune], axis=1)
    return encoded_clip(tune, rate, kind, serial=number + 1)


def _write(path: str, content: bytes) -> None:
    with open(path, "wb") as file:
        file.write(content)
