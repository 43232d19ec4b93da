"""The hidden traits that decide taste in the sample catalogue, and who likes which.

Two traits show only in the text (world, mood), two only in the picture (palette, motif) and two only in the sound
(timbre, pace). The traits of an item are drawn independently of each other, so nothing in one modality gives away
another, and each modality's worth can be measured by itself. Users come in circles of like-minded people, which is
what collaborative filtering can find; the rest of a user's taste is the user's own.
"""

from __future__ import annotations

import dataclasses

import numpy as np

CIRCLES = 8
_CIRCLE_SHARE = 0.6


@dataclasses.dataclass(frozen=True)
class Trait:
    """One hidden property: the modality it shows in, its values, how many a user likes and how much they matter."""

    name: str
    modality: str
    values: tuple[str, ...]
    liked: int
    weight: float


TRAITS = (
    Trait(
        "world",
        "text",
        ("space", "sea", "kitchen", "forest", "mystery", "haunted", "mountain", "music", "railway", "desert"),
        liked=2,
        weight=1.3,
    ),
    Trait("mood", "text", ("calm", "funny", "eerie", "daring", "wistful", "tender"), liked=2, weight=1.0),
    Trait("palette", "picture", ("ember", "arctic", "lime", "candy", "ink", "dusk"), liked=2, weight=1.1),
    Trait("motif", "picture", ("rings", "stripes", "peaks", "tiles", "waves", "confetti"), liked=2, weight=1.1),
    Trait("timbre", "sound", ("bell", "plucked", "organ", "buzz", "flute", "drum"), liked=2, weight=1.15),
    Trait("pace", "sound", ("drone", "stroll", "gallop", "flurry", "swell"), liked=2, weight=1.15),
)


def draw_item_traits(count: int, rng: np.random.Generator) -> np.ndarray:
    """Trait values of `count` items: int64 [count, len(TRAITS)], each value about equally often."""
    columns = []
    for trait in TRAITS:
        even = np.arange(count) % len(trait.values)
        columns.append(rng.permutation(even))
    return np.stack(columns, axis=1)


def draw_tastes(circle: np.ndarray, circles: list[np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
    """For each trait, whether each user likes each value: bool [users, values], `trait.liked` true in every row.

    `circle` [users] says which row of `circles` (as made by `draw_circles`) a user leans towards: a value the circle
    likes comes first among the user's with a chance of `_CIRCLE_SHARE`.
    """
    tastes = []
    for trait, shared in zip(TRAITS, circles):
        rank = rng.random((len(circle), len(trait.values)))
        rank -= shared[circle] & (rng.random(rank.shape) < _CIRCLE_SHARE)
        tastes.append(rank.argsort(axis=1).argsort(axis=1) < trait.liked)
    return tastes


def draw_circles(rng: np.random.Generator) -> list[np.ndarray]:
    """For each trait, the values each circle of users likes: bool [CIRCLES, values]."""
    return [rng.random((CIRCLES, len(trait.values))).argsort(axis=1) < trait.liked for trait in TRAITS]


def affinities(tastes: list[np.ndarray], items: np.ndarray) -> np.ndarray:
    """How much each user likes each item: the weighted number of liked traits, centred; float64 [users, items]."""
    total = np.zeros((len(tastes[0]), len(items)))
    for column, (trait, liked) in enumerate(zip(TRAITS, tastes)):
        total += trait.weight * (liked - trait.liked / len(trait.values))[:, items[:, column]]
    return total


def one_hot(items: np.ndarray, modality: str | None = None) -> np.ndarray:
    """The traits as features: float64 [items, values of all traits], or of those that show in one modality."""
    blocks = [
        np.eye(len(trait.values))[items[:, column]]
        for column, trait in enumerate(TRAITS)
        if modality in (None, trait.modality)
    ]
    return np.concatenate(blocks, axis=1)


def named(row: np.ndarray) -> dict[str, str]:
    """The traits of one item by name: {"world": "space", ...}."""
    return {trait.name: trait.values[value] for trait, value in zip(TRAITS, row)}
