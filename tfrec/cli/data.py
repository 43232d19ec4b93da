"""`tfrec data`: the sample catalogue, and public data sets in the shape of ours."""

from __future__ import annotations

import argparse
from typing import Any

from tfrec.cli.arguments import add_command, positive
from tfrec.cli.output import Output

MOVIELENS = ("movielens-100k", "movielens-1m", "movielens-latest-small")


def add_to(commands: Any) -> None:
    """Add the commands."""
    summary = "prepare the sample catalogue or a public data set"
    group = commands.add_parser("data", help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
    sets = group.add_subparsers(metavar="DATA", required=True, parser_class=type(group))
    sample = add_command(
        sets,
        "sample",
        _run_sample,
        "write the sample catalogue: tales with texts, pictures, sound and half a year of events",
        "tfrec data sample --out lanternbox\ntfrec pipeline run -c lanternbox/tfrec.yaml",
        "It is made on this machine from a seed; nothing is downloaded. Some rows are broken on purpose.",
    )
    sample.add_argument("--items", type=positive, default=600, metavar="N", help="items (default: 600)")
    sample.add_argument("--users", type=positive, default=1500, metavar="N", help="users (default: 1500)")
    sample.add_argument("--events", type=positive, default=40_000, metavar="N", help="events (default: 40000)")
    sample.add_argument("--seed", type=int, default=7, metavar="N", help="of all randomness (default: 7)")
    sample.add_argument("--out", required=True, metavar="DIR", help="folder to write to")
    for name in MOVIELENS:
        parser = add_command(
            sets,
            name,
            _run_public,
            f"prepare {name.replace('movielens', 'MovieLens').replace('-', ' ')}",
            f"tfrec data {name} --source downloads/ml --out films\ntfrec pipeline run -c films/tfrec.yaml",
        )
        parser.add_argument("--source", default="", metavar="PATH", help="unpacked folder or zip file; else downloaded")
        parser.add_argument(
            "--extra", default="", metavar="PATH", help="folder or table of overviews and posters to add"
        )
        parser.add_argument(
            "--minimum-rating", type=float, metavar="R", help="count only ratings of at least R as liked"
        )
        parser.add_argument("--out", required=True, metavar="DIR", help="folder to write to")
        parser.set_defaults(dataset=name)


def _run_sample(given: argparse.Namespace, output: Output) -> int:
    from tfrec.data.sample import write_sample

    with output.progress() as progress:
        path = write_sample(
            given.out,
            given.items,
            given.users,
            given.events,
            given.seed,
            lambda done, total: progress("sample catalogue", done, total),
        )
    return _done(path, output)


def _run_public(given: argparse.Namespace, output: Output) -> int:
    from tfrec.data.public import prepare_public

    with output.progress() as progress:
        path = prepare_public(
            given.dataset,
            given.source,
            given.out,
            given.extra,
            given.minimum_rating,
            output.say,
            lambda done, total: progress("download", done, total),
        )
    return _done(path, output)


def _done(path: str, output: Output) -> int:
    output.say(f"wrote {path}; next: `tfrec validate -c {path}`, then `tfrec pipeline run -c {path}`")
    output.result({"config": path})
    return 0
