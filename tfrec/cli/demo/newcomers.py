"""Tales that nobody has heard yet: embedded from their content into the next version, which the server takes over."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import tempfile
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tfrec.cli.add_items import next_number, read_items
from tfrec.cli.demo.preparation import remember, state
from tfrec.cli.output import Progress
from tfrec.errors import ServerError

if TYPE_CHECKING:
    from tfrec.data.tables import Catalogue
    from tfrec.export.loaded import LoadedServable
    from tfrec.serving import Client

PATIENCE = 60.0  # seconds for the server to take the version over
REMEMBERED = 12  # words


@dataclasses.dataclass(frozen=True)
class Newcomers:
    """The new tales.

    Attributes:
        catalogue: their rows.
        version: the version of the model that has them.
        written_in, swapped_in: seconds until it was written, and from then until the server answered with it.
        answered: requests that were answered meanwhile, all of those that were sent.
    """

    catalogue: Catalogue
    version: int
    written_in: float
    swapped_in: float
    answered: int


def remembered_words(text: str) -> str:
    """What somebody may remember of a tale: the end of the first sentence of its story, without title and ending."""
    story = text.split(". ", 1)[-1]
    said = re.split(r"[.!?]", story)[0].rsplit(": ", 1)[-1]
    return " ".join(said.split()[-REMEMBERED:])


def forget_earlier(directory: str) -> None:
    """Remove the version that an earlier demo in this folder wrote, so that its tales are new again."""
    earlier = state(directory).get("newcomers")
    if earlier and os.path.isdir(earlier):
        shutil.rmtree(earlier)


def add_newcomers(
    servable: LoadedServable, path: str, push_directory: str, directory: str, client: Client, progress: Progress
) -> Newcomers:
    """Add the items in the file at `path` and wait until the server answers with the version that has them.

    Raises:
        ServerError: if the server does not take the version over.
    """
    from tfrec.export.add_items import add_items

    start = time.monotonic()
    version = next_number(servable.directory, push_directory)
    destination = os.path.join(push_directory, str(version))
    with tempfile.TemporaryDirectory(prefix="tfrec-") as temporary:
        schema = servable.manifest["schema"]
        catalogue, _ = read_items(path, schema, os.path.dirname(path), temporary, progress)
        remember(directory, newcomers=os.path.abspath(destination))
        add_items(servable, catalogue, destination, progress)
    written = time.monotonic()
    answered = _ask_until(version, client)
    return Newcomers(catalogue, version, written - start, time.monotonic() - written, answered)


def recommended_to(client: Client, users: Sequence[str], items: Sequence[str], k: int) -> dict[str, list[tuple]]:
    """For each of `items` the (rank, user) of the users who have it among their first `k`, the best rank first."""
    from tfrec.serving import Query

    found: dict[str, list[tuple]] = {item: [] for item in items}
    for user, answer in zip(users, client.recommend_many([Query(user) for user in users], k)):
        for recommendation in answer:
            if recommendation.item_id in found:
                found[recommendation.item_id].append((recommendation.rank, user))
    return {item: sorted(pairs) for item, pairs in found.items()}


def _ask_until(version: int, client: Client) -> int:
    """Ask the server, without a pause, until `version` answers; return how many requests others answered before."""
    deadline = time.monotonic() + PATIENCE
    answered = 0
    while time.monotonic() < deadline:
        if client.recommend(k=1).model_version == version:
            return answered
        answered += 1
        time.sleep(0.01)
    raise ServerError(f"the server did not take version {version} over within {PATIENCE:.0f} s")
