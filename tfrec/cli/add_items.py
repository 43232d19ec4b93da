"""`tfrec add-items`: embeds new items from their content and writes the next version, without training."""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from tfrec.cli.arguments import add_command
from tfrec.cli.asking import require_local
from tfrec.cli.output import Output
from tfrec.cli.workspace import numbered, servable_folder
from tfrec.errors import DataError
from tfrec.schema import Feature, Items

if TYPE_CHECKING:
    from tfrec.data.quarantine import Problem
    from tfrec.data.tables import Catalogue

SHOWN = 20


def add_to(commands: Any) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "add-items",
        _run,
        "embed new items from their content and write the model's next version, without training",
        "tfrec add-items --model build/serving/films --items new.csv --out build/serving/films",
        "The file has the columns the model was trained with; paths of pictures and clips start from its folder.\n"
        "An item whose id the model knows is embedded anew. A server that watches DIR takes the version over.",
    )
    parser.add_argument("--model", required=True, metavar="DIR", help="the model, or the folder above its versions")
    parser.add_argument("--items", required=True, metavar="FILE", help="the new items: CSV, JSON Lines or Parquet")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder to write the next version below")
    parser.add_argument("--media", default="", metavar="DIR", help="folder that the paths of media start from")


def _run(given: argparse.Namespace, output: Output) -> int:
    folder = servable_folder(require_local(given.model))
    if not os.path.isfile(given.items):
        raise DataError(f"the items file {given.items} does not exist; check --items")
    from tfrec.export.add_items import add_items
    from tfrec.export.loaded import LoadedServable

    servable = LoadedServable(folder)
    destination = os.path.join(given.out, str(next_number(folder, given.out)))
    media = given.media or os.path.dirname(os.path.abspath(given.items))
    with output.progress() as progress, tempfile.TemporaryDirectory(prefix="tfrec-") as temporary:
        catalogue, problems = read_items(given.items, servable.manifest["schema"], media, temporary, progress)
        added, replaced = add_items(servable, catalogue, destination, progress)
    for problem in problems[:SHOWN]:
        outcome = "kept without it" if problem.kept else "quarantined"
        where = f"row {problem.row}" + (f", column {problem.column}" if problem.column else "")
        output.say(f"{problem.file}, {where}: {problem.reason}; {outcome}")
    if len(problems) > SHOWN:
        output.say(f"and {len(problems) - SHOWN:,} more; --json lists them all")
    quarantined = sum(not problem.kept for problem in problems)
    output.say(f"{added:,} items added, {replaced:,} replaced, {quarantined:,} quarantined; wrote {destination}")
    output.result(
        {
            "version": destination,
            "added": added,
            "replaced": replaced,
            "quarantined": quarantined,
            "problems": [problem._asdict() for problem in problems],
        }
    )
    return 0


def next_number(servable: str, out: str) -> int:
    """One more than the version of `servable`, where it has a number, and than every version below `out`."""
    name = os.path.basename(servable)
    return max([*numbered(out), int(name) if name.isascii() and name.isdigit() else 0]) + 1


def read_items(
    path: str, schema: Mapping[str, Any], media: str, directory: str, progress: Callable[[str, int, int], None]
) -> tuple[Catalogue, list[Problem]]:
    """The items in a file, read as ingestion reads them, and what is wrong with its rows.

    Args:
        path: the file.
        schema: of a servable's manifest.
        media: folder that the paths of pictures and clips start from.
        directory: where the normalised pictures and clips are kept; needed as long as the catalogue is used.

    Raises:
        ConfigError: if the file lacks a column.
        DataError: if it cannot be read.
    """
    import dataclasses

    from tfrec.data.catalogue import build_catalogue
    from tfrec.data.contents import normalised_contents
    from tfrec.data.media import write_media
    from tfrec.data.quarantine import Quarantine
    from tfrec.data.read import read_table

    features, filtered = (
        tuple(Feature(**{**feature, "columns": tuple(feature["columns"])}) for feature in schema["items"].get(part, ()))
        for part in ("features", "filtered")
    )
    items = Items(schema["items"]["id"], schema["items"]["title"], features, filtered)
    quarantine = Quarantine()
    catalogue, kept = build_catalogue(read_table(path, "items"), items, quarantine)
    contents = {
        feature.name: write_media(
            directory, feature.name, normalised_contents(kept, feature, media, quarantine, progress)
        )
        for feature in items.features
        if feature.modality in ("image", "audio")
    }
    return dataclasses.replace(catalogue, media=contents), list(quarantine.problems)
