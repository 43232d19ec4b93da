"""`tfrec import-encoder`: a BERT checkpoint folder becomes a TF-Hub pair of SavedModels."""

from __future__ import annotations

import argparse
import os
from typing import Any

from tfrec.cli.arguments import add_command
from tfrec.cli.output import Output


def add_to(commands: Any) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "import-encoder",
        _run,
        "turn a BERT checkpoint into a TF-Hub text encoder",
        "tfrec import-encoder bert downloads/all-MiniLM-L12-v2 encoders/minilm-l12",
        "Neither PyTorch nor transformers is needed. Use it as `encoder: {kind: hub, path: DST}` of a text feature.",
    )
    parser.add_argument("kind", choices=["bert"], help="the family of the checkpoint")
    parser.add_argument("source", metavar="SRC", help="folder with config.json, model.safetensors and vocab.txt")
    parser.add_argument("destination", metavar="DST", help="folder to make")


def _run(given: argparse.Namespace, output: Output) -> int:
    from tfrec.encoders.bert import import_bert

    output.say(f"importing {given.source}")
    path = os.path.abspath(import_bert(given.source, given.destination))
    output.say(f"wrote {path}; use it as `encoder: {{kind: hub, path: {path}}}` of a text feature")
    output.result({"encoder": path})
    return 0
