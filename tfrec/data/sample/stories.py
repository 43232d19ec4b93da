"""Composes titles and descriptions by grammar from the word lists, telling a tale's world and mood and nothing else."""

from __future__ import annotations

import numpy as np

from tfrec.data.sample.moods import MOODS, NAMES, Mood
from tfrec.data.sample.worlds import WORLDS, StoryWorld

_TITLES = (
    "The {adjective} {thing}",
    "{name} and the {adjective} {thing}",
    "The {thing} of {name}",
    "{name}'s {adjective} {thing}",
    "A {thing} for {name}",
    "How {name} Lost the {thing}",
    "{name}, {other} and the {thing}",
    "The {adjective} {thing} of {name}",
    "{number} Nights with the {adjective} {thing}",
    "What the {thing} Told {name}",
    "The {thing} That Waited for {name}",
    "{name} Keeps the {thing}",
)
_NUMBERS = ("Two", "Three", "Four", "Five", "Six", "Seven", "Nine", "Ten", "Eleven", "Twelve")
_OPENINGS = (
    "{Hero} {plot}.",
    "In this {mood} tale, {hero} {plot}.",
    "{name}, {hero}, {plot}.",
    "{Mood} from the first line: {hero} {plot}.",
    "{Hero} called {name} {plot}.",
)
_TURNS = ("{turn}.", "{turn}, and {name} has to decide what to do.", "And then: {turn_low}.")


def compose_title(world: str, mood: str, rng: np.random.Generator) -> str:
    """A title such as "Noor and the Whispering Antenna"."""
    return _pick(_TITLES, rng).format(
        adjective=_pick(MOODS[mood].title, rng),
        thing=_pick(WORLDS[world].things, rng),
        name=_pick(NAMES, rng),
        other=_pick(NAMES, rng),
        number=_pick(_NUMBERS, rng),
    )


def compose_titles(traits: list[tuple[str, str]], taken: set[str], rng: np.random.Generator) -> list[str]:
    """One title for each (world, mood), no two alike and none in `taken`, which grows by them."""
    titles = []
    for world, mood in traits:
        title = compose_title(world, mood, rng)
        while title in taken:
            title = compose_title(world, mood, rng)
        taken.add(title)
        titles.append(title)
    return titles


def compose_description(world: str, mood: str, rng: np.random.Generator) -> str:
    """Three sentences: who does what where, how it turns, how it feels."""
    opening = _opening(WORLDS[world], MOODS[mood], rng)
    turn = _pick(WORLDS[world].turns, rng)
    second = _pick(_TURNS, rng).format(turn=turn, turn_low=_lowered(turn), name=_pick(NAMES, rng))
    return f"{opening} {second} {_pick(MOODS[mood].feelings, rng)}."


def _opening(world: StoryWorld, mood: Mood, rng: np.random.Generator) -> str:
    hero, feeling, name = _pick(world.heroes, rng), _pick(mood.tale, rng), _pick(NAMES, rng)
    plot = _pick(world.plots, rng).format(place=_pick(world.places, rng))
    openings: tuple[str, ...] = _OPENINGS if len(hero.split()) <= 3 else _OPENINGS[:-1]
    if hero.startswith("two "):
        plot, openings = _plural_verb(plot), _OPENINGS[:2]
    sentence = _pick(openings, rng)
    return sentence.format(Hero=_raised(hero), hero=hero, plot=plot, mood=feeling, Mood=_raised(feeling), name=name)


def _plural_verb(plot: str) -> str:
    verb, _, rest = plot.partition(" ")
    irregular = {"is": "are", "loses": "lose", "races": "race", "misses": "miss", "searches": "search"}
    irregular |= {"carries": "carry", "tries": "try", "buries": "bury", "reaches": "reach", "teaches": "teach"}
    irregular |= {"pitches": "pitch", "crosses": "cross", "switches": "switch"}
    return f"{irregular.get(verb, verb.removesuffix('s'))} {rest}"


def _raised(text: str) -> str:
    return text[:1].upper() + text[1:]


def _lowered(text: str) -> str:
    return text if text.startswith(("Earth", "I ")) else text[:1].lower() + text[1:]


def _pick(options: tuple[str, ...], rng: np.random.Generator) -> str:
    return options[int(rng.integers(len(options)))]
