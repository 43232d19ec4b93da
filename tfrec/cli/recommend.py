"""`tfrec recommend`: for one user from a server, or for many users from a model without a server."""

from __future__ import annotations

import argparse
from typing import Any

from tfrec.cli.arguments import add_command
from tfrec.cli.asking import add_query, add_server, connected, features, show_answer, wanted
from tfrec.cli.output import Output
from tfrec.cli.why import reasons_in_words
from tfrec.errors import DataError

EXAMPLE = """\
tfrec recommend -c tfrec.yaml --user user-0042
tfrec recommend --name films --history m3,m7 --feature age=31 --server films.example:8500
tfrec recommend --model build/serving/films --users people.csv -k 10 --out recs.csv"""

BASES = {
    "history": "Based on what the user touched.",
    "features": "Nothing is known of what the user touched, so this is based on the user's features.",
    "context": "Nothing is known of the user, so these are popular items, in the light of the request's context.",
    "popularity": "Nothing is known of the user, so these are popular items.",
}


def add_to(commands: Any) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "recommend",
        _run,
        "recommend items to a user, or to many users without a server",
        EXAMPLE,
        "One user (--user, --history or --feature) is asked for at a server. Many (--users FILE, --out FILE) are\n"
        "computed here with the model in --model. What a user has touched before is never recommended.",
    )
    parser.add_argument("--user", default="", metavar="ID", help="the user's id")
    add_query(parser)
    parser.add_argument("--why", action="store_true", help="say what each score is the sum of")
    batch = parser.add_argument_group("many users")
    batch.add_argument(
        "--users",
        default="",
        metavar="FILE",
        help="CSV, JSON Lines or Parquet with the users' ids and any of their features; or .txt with one id per line",
    )
    batch.add_argument(
        "--out", default="", metavar="FILE", help="CSV to write, with the columns user_id, rank, item_id, score"
    )
    add_server(parser)


def _run(given: argparse.Namespace, output: Output) -> int:
    if given.users or given.out:
        return _run_batch(given, output)
    if not (given.user or given.history or given.feature):
        raise DataError("for whom? give --user ID, --history ID,ID or --feature NAME=VALUE, or --users FILE for many")
    with connected(given) as client:
        answer = client.recommend(
            given.user,
            given.history,
            given.exclude,
            given.k,
            features(client, "serving_default", given.feature),
            reasons=given.why,
            **wanted(given),
        )
    show_answer(answer, f"recommended to {given.user or 'this user'}", output)
    if answer.based_on:
        output.tell(BASES[answer.based_on])
    for item in answer:
        if item.why is not None:
            output.say("")
            for line in reasons_in_words(item):
                output.tell(line)
    return 0


def _run_batch(given: argparse.Namespace, output: Output) -> int:
    for option, value in (("--users FILE", given.users), ("--out FILE", given.out), ("--model DIR", given.model)):
        if not value:
            raise DataError(f"recommending to many users needs {option} too")
    if (
        given.user
        or given.history
        or given.exclude
        or given.feature
        or given.filter
        or given.allow
        or given.diversity
        or given.why
    ):
        raise DataError("options for one user, as --user, --filter and --why, must be left out with --users")
    from tfrec.cli.batch import recommend_to_file

    with output.progress() as progress:
        outcome = recommend_to_file(given.model, given.users, given.k, given.out, progress)
    output.say(f"wrote {outcome.rows:,} recommendations for {outcome.users:,} users to {given.out}")
    if outcome.unknown:
        output.say(
            f"{outcome.unknown:,} of them are unknown to the model and were served by their features alone, "
            f"for instance {outcome.examples}"
        )
    for problem in outcome.problems:
        output.say(f"{problem.file}, row {problem.row}: {problem.reason}")
    output.result(
        {
            "out": given.out,
            "users": outcome.users,
            "rows": outcome.rows,
            "unknown": outcome.unknown,
            "problems": [problem._asdict() for problem in outcome.problems],
        }
    )
    return 0
