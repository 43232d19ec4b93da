"""What the sample's tales are like and who likes what: the hidden truth that the demo lays beside the answers."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterable, Mapping, Sequence

TOLD, SEEN, HEARD = ("world", "mood"), ("palette", "motif"), ("timbre", "pace")
MODALITIES = (TOLD, SEEN, HEARD)
_PHRASES = {
    "world": "{} tales",
    "mood": "{} moods",
    "palette": "{} covers",
    "motif": "{} on the cover",
    "timbre": "{} sounds",
    "pace": "{} rhythms",
}


@dataclasses.dataclass(frozen=True)
class Tastes:
    """The truth of a sample catalogue.

    Attributes:
        traits: trait values by trait name, by item id (also of new items).
        likes: liked values by trait name, by user id, at the end of the sample's half year.
        known: ids of the items that are not new.
    """

    traits: Mapping[str, Mapping[str, str]]
    likes: Mapping[str, Mapping[str, Sequence[str]]]
    known: Sequence[str]

    def liked(self, user: str, item: str) -> set[str]:
        """The names of the traits in which an item is as the user likes it."""
        return {name for name, value in self.traits[item].items() if value in self.likes[user][name]}

    def shared(self, one: str, other: str) -> set[str]:
        """The names of the traits that two items have in common."""
        return {name for name, value in self.traits[one].items() if self.traits[other][name] == value}

    def matches(self, user: str, items: Iterable[str]) -> float:
        """How many traits per item are as the user likes them, on average."""
        counts = [len(self.liked(user, item)) for item in items]
        return sum(counts) / max(len(counts), 1)

    def matches_at_random(self, user: str) -> float:
        """The same over the whole catalogue: what recommendations drawn at random would reach."""
        return self.matches(user, self.known)

    def showing(self, user: str, items: Sequence[str], most: int = 3) -> list[str]:
        """The user's likes that show most clearly among `items`: in words, with how many items show each."""
        found = []
        for name, values in self.likes[user].items():
            for value in values:
                count = sum(self.traits[item][name] == value for item in items)
                usual = sum(self.traits[item][name] == value for item in self.known) / len(self.known) * len(items)
                found.append((count - usual, f"{_PHRASES[name].format(value)} ({count} of {len(items)})"))
        return [phrase for surplus, phrase in sorted(found, reverse=True)[:most] if surplus > 0]

    def in_words(self, user: str) -> str:
        """What the user likes, in words that go after "likes"."""
        parts = [" or ".join(self.likes[user][name]) for name in (*TOLD, *SEEN, *HEARD)]
        world, mood, palette, motif, timbre, pace = parts
        return f"{world} tales, {mood}; {palette} covers with {motif}; tunes by {timbre}, {pace}"


def read_tastes(folder: str) -> Tastes:
    """The truth that `tfrec data sample` wrote into `folder`."""
    with open(os.path.join(folder, "traits.json"), encoding="utf-8") as file:
        truth = json.load(file)
    likes = {user: tastes["later_likes"] for user, tastes in truth["users"].items()}
    return Tastes({**truth["items"], **truth["new_items"]}, likes, list(truth["items"]))


def two_listeners(tastes: Tastes, histories: Mapping[str, Sequence[str]], least: int) -> list[str]:
    """Two users with at least `least` items in their histories (or the longest there are) and different tastes.

    The first such user by id, and the next who likes none of the first one's story worlds. What the model recommends
    plays no part in the choice.
    """
    by_length = sorted(histories, key=lambda user: -len(histories[user]))
    least = min(least, len(histories[by_length[min(9, len(by_length) - 1)]]))
    users = sorted(user for user, items in histories.items() if len(items) >= least and user in tastes.likes)
    first = users[0]
    worlds = set(tastes.likes[first]["world"])
    others = [user for user in users[1:] if not worlds & set(tastes.likes[user]["world"])]
    return [first, *(others or users[1:])[:1]]
