"""What `recommend`, `search` and `similar` share: the address of the server, the model's name, and the answer."""

from __future__ import annotations

import argparse
import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tfrec.cli.arguments import add_config, ids, positive
from tfrec.cli.output import Output
from tfrec.cli.workspace import model_name, servable_folder, titles_file
from tfrec.config import load_config
from tfrec.data.files import is_remote
from tfrec.errors import ServableError, ServerError
from tfrec.request_inputs import is_feature

if TYPE_CHECKING:
    from tfrec.serving import Client, Recommendations

CONFIG = "tfrec.yaml"


def add_server(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which server and which model to ask."""
    group = parser.add_argument_group("the server")
    group.add_argument("--server", default="localhost:8500", metavar="HOST:PORT", help="default: localhost:8500")
    group.add_argument("--name", default="", help="name the model is served under (default: of --model or -c)")
    group.add_argument("--model", default="", metavar="DIR", help="the model's folder, for its name and the titles")
    add_config(group, required=False)  # type: ignore[arg-type]
    group.add_argument("--timeout", type=float, default=5.0, metavar="S", help="seconds to wait (default: 5)")
    group.description = f"Without --name, --model and -c, {CONFIG} in this folder says which model, if it is there."


def add_query(parser: argparse.ArgumentParser) -> None:
    """Add the options that say for whom to ask."""
    parser.add_argument("-k", type=positive, default=10, metavar="K", help="how many items (default: 10)")
    parser.add_argument(
        "--history", type=ids, default=[], metavar="ID,ID", help="items the user touched, the latest last"
    )
    parser.add_argument("--exclude", type=ids, default=[], metavar="ID,ID", help="items not to return")
    parser.add_argument(
        "--feature",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a user feature or the context of the request; again for several, or for several values of one",
    )
    group = parser.add_argument_group("which items", "The model must have been exported with serving.filters, .allow …")
    group.add_argument(
        "--filter",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="items whose attribute has the value (again for one of several), or is LOW..HIGH or LOW.. or ..HIGH",
    )
    group.add_argument("--allow", type=ids, default=None, metavar="ID,ID", help="only these items")
    group.add_argument(
        "--diversity", type=float, default=0.0, metavar="D", help="0 to 1: how unlike each other items shall be"
    )


def connected(given: argparse.Namespace) -> Client:
    """A client of the server and model that the options name.

    Raises:
        ConfigError, ServableError: if the configuration or the model's folder cannot be read.
    """
    from tfrec.serving.client import Client

    name, titles = given.name, ""
    folder = given.model
    if not folder:
        config = given.config or (CONFIG if os.path.isfile(CONFIG) and not name else "")
        if config:
            loaded = load_config(config)
            name, folder = name or loaded.model_name, loaded.push_directory
            if not is_remote(folder) and not os.path.isdir(folder):
                folder = ""  # served from elsewhere: there are answers, but no titles
    if folder:
        servable = servable_folder(folder)
        name = name or model_name(servable)
        titles = titles_file(servable) if os.path.isfile(titles_file(servable)) else ""
    if not name:
        raise ServerError("which model to ask is not known; give --name, or --model DIR or -c FILE, which tell it")
    return Client(given.server, name, timeout=given.timeout, titles=titles or None)


def features(client: Client, signature: str, given: Sequence[str]) -> dict[str, Any]:
    """The values of NAME=VALUE arguments in the types the signature asks for.

    Raises:
        ServerError: if one is malformed, no input of the signature, or no number where one is needed.
    """
    if not given:
        return {}
    inputs = client.metadata().signature(signature).inputs
    values: dict[str, Any] = {}
    for argument in given:
        name, equals, text = argument.partition("=")
        if not equals or not name:
            raise ServerError(f"--feature takes NAME=VALUE, got {argument!r}")
        if name not in inputs:
            known = sorted(filter(is_feature, inputs))
            raise ServerError(f"the model has no feature {name!r}; its features are {', '.join(known) or 'none'}")
        values[name] = _typed(name, text, inputs[name], values.get(name))
    return values


def wanted(given: argparse.Namespace) -> dict[str, Any]:
    """What the options say of the items that are wanted, as `Query` takes it.

    Raises:
        ServerError: if a filter is malformed.
    """
    filters: dict[str, Any] = {}
    for argument in given.filter:
        name, equals, text = argument.partition("=")
        if not (equals and name and text):
            raise ServerError(f"--filter takes NAME=VALUE or NAME=LOW..HIGH, got {argument!r}")
        bounds = _bounds(text)
        if bounds is None:
            filters[name] = [*filters.get(name, []), text]
        elif name in filters:
            raise ServerError(f"--filter takes one range of {name!r}, but is given several")
        else:
            filters[name] = bounds
    return {"filters": filters, "allow": given.allow, "diversity": given.diversity}


def _bounds(text: str) -> tuple[float | None, float | None] | None:
    """The bounds of LOW..HIGH; None where the text is a value."""
    low, dots, high = text.partition("..")
    try:
        return (float(low) if low else None, float(high) if high else None) if dots else None
    except ValueError:
        return None


def _typed(name: str, text: str, spec: Any, before: Any) -> Any:
    if spec.shape is not None and len(spec.shape) == 2:
        return [*(before or []), text]
    if before is not None:
        raise ServerError(f"the feature {name!r} takes one value, but is given twice")
    if spec.dtype.numpy.kind != "f":
        return text
    try:
        return float(text)
    except ValueError as error:
        raise ServerError(f"the feature {name!r} takes a number, got {text!r}") from error


def show_answer(answer: Recommendations, heading: str, output: Output) -> None:
    """Print the items of an answer as a table, or as JSON."""
    items = [
        {name: value for name, value in dataclasses.asdict(item).items() if name != "why" or value} for item in answer
    ]
    basis = {"based_on": answer.based_on} if answer.based_on else {}
    output.result({"model_version": answer.model_version, **basis, "items": items})
    if output.machine:
        return
    if not items:
        output.say(f"{heading}: nothing found")
        return
    output.show(items_table(items, f"{heading} (model version {answer.model_version})"))


def items_table(items: Sequence[Mapping[str, Any]], heading: str) -> Any:
    """A table of rank, score, id and title."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(title=heading, title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    titled = any(item["title"] for item in items)
    table.add_column("#", justify="right")
    if titled:
        table.add_column("title", overflow="ellipsis", no_wrap=True)
    table.add_column("item", no_wrap=True, style="" if not titled else "dim")
    table.add_column("score", justify="right", no_wrap=True)
    for item in items:
        title = [_plain(item["title"])] if titled else []
        table.add_row(str(item["rank"]), *title, _plain(item["item_id"]), f"{item['score']:.3f}")
    return table


def _plain(text: str) -> Any:
    """Text as it is: titles may hold square brackets, which are markup to rich."""
    from rich.text import Text

    return Text(text)


def require_local(folder: str) -> str:
    """`folder`, or a ServableError if it does not exist; for commands that load the model themselves."""
    if not is_remote(folder) and not os.path.isdir(folder):
        raise ServableError(f"the folder {folder} does not exist; check --model")
    return folder
