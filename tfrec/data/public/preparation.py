"""Prepares a public data set: gets its files, writes our tables, a configuration and the terms."""

from __future__ import annotations

import os
from collections.abc import Callable

from tfrec.data.files import write_text, writing
from tfrec.data.public.configuration import configuration_text, readme_text, terms
from tfrec.data.public.extras import with_extras
from tfrec.data.public.movielens import RELEASES, parse_release
from tfrec.data.public.sources import download, read_source
from tfrec.errors import DataError

PUBLIC_DATA = tuple(RELEASES)
"""Names that `prepare_public` knows."""


def prepare_public(
    name: str,
    source: str,
    destination: str,
    extra: str = "",
    minimum_value: float | None = None,
    say: Callable[[str], None] = print,
    progress: Callable[[int, int], None] | None = None,
) -> str:
    """Write catalogue.csv, users.csv, events.csv, README.md and tfrec.yaml to `destination`; return the YAML's path.

    Args:
        name: one of `PUBLIC_DATA`.
        source: the unpacked folder or the zip file of the release; "" downloads it from GroupLens.
        destination: folder to write to, made if it does not exist.
        extra: folder with items.csv or overviews.csv (item_id or movieId, overview, poster) to add, or such a table
            itself, or "".
        minimum_value: set in the configuration as the smallest rating that counts; None counts all.
        say: shows the terms of use to the user.
        progress: called during a download with (bytes done, bytes in all).

    Raises:
        DataError: if the name is unknown, a file is missing or malformed, the network is down or the disk is full.
    """
    if name not in RELEASES:
        raise DataError(f"there is no public data set {name!r}; expected one of {', '.join(RELEASES)}")
    release = RELEASES[name]
    say(terms(release, bool(extra)))
    if not source:
        source = download(release.url, os.path.join(destination, os.path.basename(release.url)), progress)
    films = parse_release(name, read_source(source, release.files))
    items = with_extras(films.items, extra, destination) if extra else films.items
    tables = {"catalogue.csv": items, "users.csv": films.users, "events.csv": films.events}
    for file, table in tables.items():
        if table is None:
            continue
        path = os.path.join(destination, file)
        with writing(path):
            os.makedirs(destination, exist_ok=True)
            table.to_csv(path, index=False, lineterminator="\n", encoding="utf-8")
    users = films.events["user_id"].nunique()
    readme = readme_text(release, len(items), users, len(films.events), bool(extra))
    write_text(os.path.join(destination, "README.md"), readme)
    path = os.path.join(destination, "tfrec.yaml")
    write_text(path, configuration_text(release, list(items.columns), minimum_value))
    return path
