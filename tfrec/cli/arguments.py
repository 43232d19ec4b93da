"""What the commands' parsers share: an example in every help, --json and --debug, errors of one sentence."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable
from typing import Any, NoReturn

from tfrec.cli.output import Output

Run = Callable[[argparse.Namespace, Output], int]


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Keeps descriptions and examples as they are written, and fits them into 100 columns."""

    def __init__(self, prog: str):
        width = min(shutil.get_terminal_size((100, 24)).columns, 100)
        super().__init__(prog, max_help_position=26, width=width)


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one sentence on standard error, with exit status 2."""

    def __init__(self, *arguments: Any, **settings: Any):
        super().__init__(*arguments, **{**settings, "allow_abbrev": False})
        self._later: list[Callable[[Parser], None]] = []

    def later(self, add: Callable[[Parser], None]) -> None:
        """Let `add` add arguments once the command is meant, since what it must import takes time."""
        self._later.append(add)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        while self._later:
            self._later.pop()(self)
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see `{self.prog} --help`\n")


def add_command(commands: Any, name: str, run: Run, summary: str, example: str, more: str = "") -> Parser:
    """Add the command `name` to the subparsers `commands` and return its parser.

    Args:
        run: called with the parsed arguments and the output; returns the exit status.
        summary: one line, without a full stop, for lists of commands.
        example: one command line or several, shown below the arguments.
        more: what else there is to know, shown above the arguments.
    """
    parser = commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.{chr(10) + chr(10) + more if more else ''}",
        epilog="example:\n" + "\n".join(f"  {line}" for line in example.splitlines()),
        formatter_class=HelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document for machines, and nothing else")
    parser.add_argument("--debug", action="store_true", help="show where an error comes from (also TFREC_DEBUG=1)")
    parser.set_defaults(run=run)
    return parser


def add_config(parser: argparse.ArgumentParser, required: bool = True) -> None:
    """Add -c/--config."""
    parser.add_argument(
        "-c", "--config", required=required, default="", metavar="FILE", help="the configuration (YAML)"
    )


def positive(text: str) -> int:
    """An argument that must be a whole number above 0."""
    number = int(text) if text.isascii() and text.isdigit() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number above 0, got {text!r}")
    return number


def port(text: str) -> int:
    """An argument that must be a TCP port."""
    if not (text.isascii() and text.isdigit() and int(text) < 65536):
        raise argparse.ArgumentTypeError(f"expected a port between 0 and 65535, got {text!r}")
    return int(text)


def ids(text: str) -> list[str]:
    """An argument that holds ids separated by commas."""
    return [part.strip() for part in text.split(",") if part.strip()]
