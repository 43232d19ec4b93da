"""What the client answers: recommendations with titles, and the state of a model's versions."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tfrec.errors import ServerError
from tfrec.serving.reasons import Explanation


@dataclasses.dataclass(frozen=True)
class Recommendation:
    """One item of an answer.

    Attributes:
        rank: counts from 1.
        title: "" where the client knows none.
        why: what the score is the sum of, where that was asked for.
    """

    item_id: str
    score: float
    rank: int
    title: str = ""
    why: Explanation | None = None


@dataclasses.dataclass(frozen=True)
class Recommendations(Sequence[Recommendation]):
    """The answer to one request, best first.

    Attributes:
        items: what was found.
        model_version: the version of the model that answered.
        based_on: the most that was known of the user: history, features, context, or popularity where it was nothing;
            "" where the model does not say, as for a search.
    """

    items: tuple[Recommendation, ...]
    model_version: int
    based_on: str = ""

    @property
    def fallback(self) -> bool:
        """Whether nothing was known of the user, so that these are popular items, at most of the context."""
        return self.based_on in ("context", "popularity")

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        return self.items[index]

    def __iter__(self) -> Iterator[Recommendation]:
        return iter(self.items)

    @property
    def item_ids(self) -> list[str]:
        return [item.item_id for item in self.items]

    @property
    def scores(self) -> list[float]:
        return [item.score for item in self.items]


@dataclasses.dataclass(frozen=True)
class VersionStatus:
    """One version as the server sees it: `state` is START, LOADING, AVAILABLE, UNLOADING or END."""

    version: int
    state: str
    error_code: int
    error_message: str


STATES = {0: "UNKNOWN", 10: "START", 20: "LOADING", 30: "AVAILABLE", 40: "UNLOADING", 50: "END"}


def read_titles(source: str | os.PathLike[str] | Mapping[str, str] | None) -> Mapping[str, str]:
    """Titles by item id, from a mapping or from a JSON Lines file with the keys item_id and title.

    Raises:
        ServerError: the file cannot be read, naming the line.
    """
    if source is None:
        return {}
    if isinstance(source, Mapping):
        return source
    titles = {}
    try:
        with Path(source).open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                try:
                    row = json.loads(line)
                    titles[row["item_id"]] = row.get("title", "")
                except (ValueError, KeyError, TypeError, AttributeError) as error:
                    raise ServerError(
                        f"{source}, line {number}: expected a JSON object with item_id and title, got {line.strip()!r}"
                    ) from error
    except OSError as error:
        raise ServerError(f"cannot read titles from {source}: {error.strerror or error}") from error
    return titles
