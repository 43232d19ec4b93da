"""Simulates half a year of listening: who opens which item, when, on what device, and whether they buy it.

Users choose week by week among the items already published that they have not opened yet. A choice follows taste,
popularity, the novelty of the item and the season of its world; one in ten follows popularity alone. Tastes drift:
some users swap one liked value for another in the middle of the half-year. The choice without replacement with
probabilities proportional to exp(utility) is made with Gumbel noise (Gumbel-top-k, Kool et al. 2019).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from tfrec.data.sample.traits import CIRCLES, TRAITS, affinities, draw_circles, draw_tastes

START = 1_767_225_600
"""Midnight UTC of 1 January 2026, in seconds since 1970: the moment the shop opens."""
WEEKS = 26
WEEK = 7 * 86_400
DEVICES = ("phone", "tablet", "speaker", "desktop")

_TASTE = 1.75
_NOISE = 0.10
_EVENTS_PER_CHOICE = 1.79
_NOVELTY, _NOVELTY_WEEKS = 0.8, 3.0
_SEASON = 0.5
_DRIFTING_USERS = 0.35


@dataclasses.dataclass(frozen=True)
class Events:
    """Columns of equal length [E] in order of time: rows of users and items, seconds since 1970, kind and device."""

    user: np.ndarray
    item: np.ndarray
    time: np.ndarray
    kind: np.ndarray
    device: np.ndarray


@dataclasses.dataclass(frozen=True)
class World:
    """What decides the choices: item traits [N, T], popularity [N], week of publication [N], circle of each user [U]
    and tastes by trait (bool [U, values]), before and after the middle of the half-year."""

    traits: np.ndarray
    popularity: np.ndarray
    published: np.ndarray
    circle: np.ndarray
    tastes: list[np.ndarray]
    later_tastes: list[np.ndarray]


def draw_world(traits: np.ndarray, users: int, rng: np.random.Generator) -> World:
    """Popularity, publication dates and tastes for items with the given traits."""
    count = len(traits)
    published = np.where(rng.random(count) < 0.55, 0, rng.integers(1, WEEKS - 1, size=count))
    circle, circles = rng.integers(CIRCLES, size=users), draw_circles(rng)
    tastes = draw_tastes(circle, circles, rng)
    later = [liked.copy() for liked in tastes]
    fresh = draw_tastes(circle, circles, rng)
    drifting = np.flatnonzero(rng.random(users) < _DRIFTING_USERS)
    for user, trait in zip(drifting, rng.integers(len(TRAITS), size=len(drifting))):
        later[trait][user] = fresh[trait][user]
    return World(traits, rng.normal(scale=0.55, size=count), published, circle, tastes, later)


def simulate(world: World, events: int, rng: np.random.Generator, progress: Callable[[int, int], None]) -> Events:
    """About `events` events (within a few per cent) of the users in `world.tastes`; `progress(done, weeks)`."""
    users, items = len(world.tastes[0]), len(world.traits)
    early, late = affinities(world.tastes, world.traits), affinities(world.later_tastes, world.traits)
    plan = _choices_per_week(users, events, rng)
    opened = np.zeros((users, items), dtype=bool)
    phase = rng.random(len(TRAITS[0].values)) * 2 * np.pi
    choices = []
    for week in range(WEEKS):
        season = _SEASON * np.cos(2 * np.pi * week / WEEKS + phase)[world.traits[:, 0]]
        age = week - world.published
        appeal = world.popularity + season + _NOVELTY * np.exp(-np.maximum(age, 0) / _NOVELTY_WEEKS)
        appeal = np.where(age >= 0, appeal, -np.inf)
        taste = _TASTE * (early if week < WEEKS // 2 else late)
        whims = rng.binomial(plan[:, week], _NOISE)
        for share, counts in ((taste, plan[:, week] - whims), (0.0, whims)):
            rows, columns = _gumbel_choices(share + appeal, counts, opened, rng)
            opened[rows, columns] = True
            choices.append(np.stack([rows, columns, np.full(len(rows), week)]))
        progress(week + 1, WEEKS)
    user, item, week = np.concatenate(choices, axis=1)
    return _follow_up(user, item, week, early, rng)


def _choices_per_week(users: int, events: int, rng: np.random.Generator) -> np.ndarray:
    activity = rng.lognormal(sigma=0.5, size=users)
    activity = np.maximum(activity / activity.mean(), 0.3)
    expected = activity / activity.sum() * events / _EVENTS_PER_CHOICE
    joined = np.where(rng.random(users) < 0.7, 0, rng.integers(1, WEEKS - 4, size=users))
    present = np.arange(WEEKS)[None, :] >= joined[:, None]
    return rng.poisson(expected[:, None] * present / present.sum(axis=1, keepdims=True))


def _gumbel_choices(
    utility: np.ndarray, counts: np.ndarray, opened: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    active = np.flatnonzero(counts)
    if not len(active):
        return active, active
    utility = np.broadcast_to(utility, opened.shape)[active]
    noisy = np.where(opened[active], -np.inf, utility + rng.gumbel(size=utility.shape))
    most = int(min(counts.max(), noisy.shape[1]))
    order = np.argsort(-noisy, axis=1, kind="stable")[:, :most]
    taken = (np.arange(most) < counts[active][:, None]) & np.isfinite(np.take_along_axis(noisy, order, axis=1))
    rows, ranks = np.nonzero(taken)
    return active[rows], order[rows, ranks]


def _follow_up(
    user: np.ndarray, item: np.ndarray, week: np.ndarray, affinity: np.ndarray, rng: np.random.Generator
) -> Events:
    """A view at every choice, often a click minutes later and sometimes a purchase, more often of what is liked."""
    count = len(user)
    viewed = START + week * WEEK + rng.integers(0, WEEK - 7200, size=count)
    liking = 1 / (1 + np.exp(-(affinity[user, item] - 1.0)))
    clicked = rng.random(count) < 0.20 + 0.50 * liking
    bought = clicked & (rng.random(count) < 0.10 + 0.40 * liking)
    click_time = viewed + rng.integers(20, 900, size=count)
    purchase_time = click_time + rng.integers(60, 5400, size=count)
    favourite = rng.integers(len(DEVICES), size=int(user.max(initial=0)) + 1)[user]
    device = np.where(rng.random(count) < 0.75, favourite, rng.integers(len(DEVICES), size=count))
    parts = [(np.ones(count, dtype=bool), viewed, "view"), (clicked, click_time, "click")]
    parts.append((bought, purchase_time, "purchase"))
    rows = np.concatenate([np.flatnonzero(mask) for mask, _, _ in parts])
    time = np.concatenate([when[mask] for mask, when, _ in parts])
    kind = np.concatenate([np.full(mask.sum(), name, dtype=object) for mask, _, name in parts])
    order = np.argsort(time, kind="stable")
    rows = rows[order]
    return Events(user[rows], item[rows], time[order], kind[order], np.array(DEVICES, dtype=object)[device[rows]])
