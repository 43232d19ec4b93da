"""`tfrec audit`: which modalities of the items help, and which do harm."""

from __future__ import annotations

import argparse
import json
import os
import shlex
from collections.abc import Sequence
from typing import Any

from tfrec.cli.arguments import add_command, add_config
from tfrec.cli.benchmark import add_measuring, with_settings
from tfrec.cli.evaluation_tables import table_of
from tfrec.cli.output import Output
from tfrec.config import Config, load_config, parse_config

TRAINED = (
    "Every variant was trained by itself, on the same division, with the same seeds. What encoding the catalogue with "
    "a frozen encoder takes is told apart, since its vectors are cached; texts that teach free-text search come and "
    "go with their modality."
)
MASKED = (
    "One model was trained with all modalities; they were hidden when items were encoded, on warm items in histories "
    "too. That is cheaper than training without them, and says what this model loses, not what another would reach."
)


def add_to(commands: Any) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "audit",
        _run,
        "measure what each modality of the items adds, and name those that do harm",
        "tfrec audit -c tfrec.yaml\ntfrec audit -c tfrec.yaml --mask --seeds 0 --set training.epochs=10\n"
        "tfrec audit -c tfrec.yaml --apply",
        "Trains with all modalities, with each alone, with all but each and with ids only, and measures nDCG on known\n"
        "items and on items held out of training. All attributes together are one modality; every text, picture and\n"
        "sound is one. What does harm is switched off by model.without, which --apply writes into a configuration\n"
        "beside the given one; with gates.audit, a model that reads it is not blessed.",
    )
    add_config(parser)
    parser.add_argument(
        "--protocol", default="", metavar="NAME", help="for warm items (default: split.protocol, else per-user)"
    )
    parser.add_argument("--items", choices=("warm", "cold", "both"), default="both", help="which kind (default: both)")
    add_measuring(parser, part="validation")
    parser.add_argument(
        "--mask", action="store_true", help="train once, and hide modalities instead of training without them"
    )
    parser.add_argument(
        "--out", default="", metavar="PATH", help="write PATH.json and PATH.md (default: OUTPUT/audit/audit)"
    )
    parser.add_argument(
        "--apply",
        action="store_true",
        help="write FILE.audited.yaml beside the configuration: without what does harm, and gated by this audit",
    )


def _run(given: argparse.Namespace, output: Output) -> int:
    config = with_settings(load_config(given.config), given.settings)
    from tfrec.data.files import write_text
    from tfrec.evaluation.audit import verdicts
    from tfrec.evaluation.audit_page import audit_markdown, trial_table
    from tfrec.evaluation.audit_record import audit_document
    from tfrec.evaluation.protocols import protocol
    from tfrec.modalities import features_of
    from tfrec.steps.audit import ITEMS, Plan, audit_modalities
    from tfrec.steps.quality import environment, settings_of

    warm = protocol(given.protocol or _warm_protocol(config))
    items = tuple(kind for kind in ITEMS if given.items in ("both", kind.partition(" ")[0]))
    plan = Plan(given.seeds, given.part, given.k, given.mask, given.stop_early, items)
    folder = os.path.join(config.data.output, "audit")
    with output.progress() as progress:
        trials, encoding = audit_modalities(config, warm, plan, folder, output.say, progress)
    judged = verdicts(trials, encoding)
    how, command, machine = (MASKED if plan.mask else TRAINED), _command(given), environment()
    if len(items) < len(ITEMS):
        how += f" Only {items[0]} were measured, so a verdict says nothing of the others."
    document = {
        "config": config.name,
        "command": command,
        "environment": machine,
        "how": "mask" if plan.mask else "train",
        "part": plan.part,
        "k": plan.k,
        "seeds": list(plan.seeds),
        **audit_document(trials, judged, features_of(config.schema)),
        "settings": settings_of(config),
    }
    for trial in trials:
        output.say(f"\n{trial.items}, {trial.protocol.name}")
        output.show(table_of(trial_table(trial, encoding)))
    for verdict in judged:
        output.tell(verdict.sentence)
    out = given.out or os.path.join(folder, "audit")
    page = audit_markdown(f"Modalities: {config.name}", trials, judged, encoding, how, plan.part, command, machine)
    write_text(f"{out}.json", json.dumps(document, indent=1) + "\n")
    write_text(f"{out}.md", page)
    output.say(f"wrote {out}.json and {out}.md")
    harmful = [verdict.modality for verdict in judged if verdict.harmful]
    written = ""
    if given.apply:
        written = _apply(given.config, config, harmful, f"{out}.json", output)
    elif harmful:
        output.say(f"switch off what does harm with model.without: [{', '.join(harmful)}], or run again with --apply")
    output.result({**document, "written": [f"{out}.json", f"{out}.md"], "applied": written})
    return 0


def _warm_protocol(config: Config) -> str:
    return config.split.protocol or "per-user"


def _apply(path: str, config: Config, harmful: Sequence[str], audit: str, output: Output) -> str:
    """Write the configuration at `path` beside it, without what does harm and gated by the audit; return its path."""
    import yaml

    from tfrec.config_text import with_setting
    from tfrec.data.files import write_text

    with open(path, encoding="utf-8") as file:
        text = file.read()
    before = yaml.safe_load(text).get("model") or {}
    left_out = before.get("without") or []
    left_out = [left_out] if isinstance(left_out, str) else list(left_out)
    place = os.path.relpath(os.path.abspath(audit), os.path.dirname(os.path.abspath(path)))
    kept = True
    if harmful:
        text, kept = with_setting(text, "model", "without", [*left_out, *harmful])
    text, kept_too = with_setting(text, "gates", "audit", place)
    parse_config(yaml.safe_load(text), config.source)  # It must be a configuration, also with nothing left to read.
    target = f"{os.path.splitext(path)[0]}.audited.yaml"
    replaced = ", in the place of the one that was there" if os.path.exists(target) else ""
    write_text(target, text)
    lost = "" if kept and kept_too else "; its comments could not be kept"
    without = f"without {', '.join(harmful)}, and " if harmful else "nothing does harm, so it is the same but "
    output.tell(f"wrote {target}{replaced}: {without}gated by the audit{lost}")
    return target


def _command(given: argparse.Namespace) -> str:
    """What to type for the same result; paths are left to the reader."""
    words = ["tfrec", "audit", "-c", os.path.basename(given.config)]
    words += ["--protocol", given.protocol] if given.protocol else []
    words += ["--items", given.items] if given.items != "both" else []
    words += ["--seeds", ",".join(map(str, given.seeds)), "--part", given.part, "-k", str(given.k)]
    words += ["--mask"] if given.mask else []
    words += ["--stop-early"] if given.stop_early else []
    for setting in given.settings:
        words += ["--set", setting]
    return shlex.join(words)
