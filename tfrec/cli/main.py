"""The command `tfrec`: parses the command line, runs the command and turns failures into one sentence."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
import warnings
from collections.abc import Sequence

import tfrec
from tfrec.cli import (
    add_items,
    audit,
    benchmark,
    data,
    deploy,
    doctor,
    evaluate,
    export,
    import_encoder,
    init,
    pipeline,
    recommend,
    replay,
    rollback,
    search,
    serve,
    similar,
    train,
    tune,
    validate,
)
from tfrec.cli.arguments import HelpFormatter, Parser
from tfrec.cli.demo import command as demo
from tfrec.cli.failures import sentence_of
from tfrec.cli.output import Output
from tfrec.errors import Preempted

BAD_INPUT, INTERRUPTED, PREEMPTED, UNEXPECTED = 2, 130, 143, 70
COMMANDS = (
    demo,
    init,
    validate,
    data,
    train,
    tune,
    evaluate,
    benchmark,
    audit,
    replay,
    export,
    pipeline,
    rollback,
    serve,
    deploy,
    recommend,
    search,
    similar,
    add_items,
    import_encoder,
    doctor,
)

DESCRIPTION = """\
Multimodal recommendations and search: from raw text, pictures, sound and events to TensorFlow Serving.

Start with `tfrec demo`, or with your own files: `tfrec init`, `tfrec validate`, `tfrec pipeline run`, `tfrec serve`,
`tfrec recommend`."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.

    0: done; 1: done, and something is wrong with what was examined (`validate --strict`, `doctor`); 2: bad input, one
    sentence on standard error says what; 70: a fault of tfrec itself; 130: interrupted;
    143: told to end by SIGTERM, and what was done is saved.
    """
    debug = os.environ.get("TFREC_DEBUG", "") not in ("", "0")
    try:
        given = command_line().parse_args(arguments)
        debug = debug or given.debug
        if not debug:
            warnings.simplefilter("ignore")  # of the libraries; what a user must know is said by the commands
        status = given.run(given, Output(given.json))
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        print("tfrec: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (head, less) has what it wanted. Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if debug:
            traceback.print_exc()
        sentence = sentence_of(error)
        if sentence:
            print(f"tfrec: {sentence}", file=sys.stderr)
            return PREEMPTED if isinstance(error, Preempted) else BAD_INPUT
        kind, text = type(error).__name__, " ".join(str(error).split())[:300]
        print(f"tfrec: a fault in tfrec itself: {kind}: {text}; run again with --debug to see where", file=sys.stderr)
        return UNEXPECTED


def command_line() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = Parser(prog="tfrec", description=DESCRIPTION, formatter_class=HelpFormatter)
    parser.add_argument("--version", action="version", version=f"tfrec {tfrec.__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)
    for command in COMMANDS:
        command.add_to(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
