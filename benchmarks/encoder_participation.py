"""How an encoder takes part in training, mode by mode: quality and time in one table for each feature.

    python benchmarks/encoder_participation.py --feature ml-100k/tfrec.yaml:text --feature ml-100k/tfrec.yaml:poster \
        --feature sample/tfrec.yaml:sound --part validation --out benchmarks/results/encoder-participation

Every mode is a setting of the feature's encoder, trained from the same configuration on the same division with the same
seeds; other texts, pictures and sounds are left out, so that the time is that of one encoder. Nothing is shared between
trainings: each encodes its catalogue itself. Settings for all modes alike are given by --set, as in
`tfrec benchmark quality`.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from random_weights import frozen_at_random

from tfrec.cli.benchmark import PARTS, seeds, with_settings
from tfrec.config import Config, load_config
from tfrec.data.files import write_text
from tfrec.data.ingest import ingest
from tfrec.errors import ConfigError
from tfrec.evaluation.protocol import evaluate
from tfrec.evaluation.protocols import Protocol, protocol
from tfrec.evaluation.quality_page import spread_text
from tfrec.evaluation.recommenders import EmbeddingRecommender
from tfrec.evaluation.seeds import Comparison, Run, compared_over_seeds
from tfrec.evaluation.wording import label, machine_sentence, p_value
from tfrec.schema import Feature
from tfrec.steps.quality import environment, model_recommender
from tfrec.training.trainer import Trained, train

FROZEN = "frozen"
RANDOM = "random"
# By the modality: what each mode is called, and the settings of the encoder that make it. The first is compared with.
MODES: dict[str, dict[str, dict[str, Any]]] = {
    "text": {
        FROZEN: {"train": "none"},
        "top layer": {"train": 1},
        "top 2 layers": {"train": 2},
        "low-rank adapters": {"train": "adapters"},
        "all layers": {"train": "all"},
        "all layers, masked language model": {"train": "all", "language_weight": 0.1},
    },
    "image": {FROZEN: {"train": "none", "weights": RANDOM}, "end to end": {"train": "all"}},
    "audio": {FROZEN: {"train": "none", "weights": RANDOM}, "end to end": {"train": "all"}},
}
METRICS = ("ndcg@10", "recall@10", "map@10")


@dataclasses.dataclass
class Cost:
    """What a mode cost, a number for each seed.

    Attributes:
        trained_weights: numbers that the encoder trains.
        seconds: of the whole training, with encoding and tracing.
        encoder_epoch: seconds of the fastest epoch in which the encoder is trained; None where it never is.
        other_epoch: the same of the epochs in which its vectors are only read.
    """

    trained_weights: int = 0
    seconds: list[float] = dataclasses.field(default_factory=list)
    encoder_epoch: list[float | None] = dataclasses.field(default_factory=list)
    other_epoch: list[float | None] = dataclasses.field(default_factory=list)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--feature", action="append", required=True, metavar="CONFIG:FEATURE", help="may be repeated")
    parser.add_argument("--modes", default="", metavar="NAMES", help="separated by semicolons (default: all)")
    parser.add_argument("--protocol", default="held-out-items")
    parser.add_argument("--part", choices=PARTS, default="validation")
    parser.add_argument("--seeds", type=seeds, default=(0, 1, 2), metavar="N,N")
    parser.add_argument("--set", action="append", default=[], dest="settings", metavar="KEY=VALUE")
    parser.add_argument("--encoder", default="{}", metavar="JSON", help="settings of every mode's encoder, for texts")
    parser.add_argument("--out", default="", metavar="PATH", help="write PATH.json and PATH.md")
    given = parser.parse_args(arguments)
    chosen, sections, lines = protocol(given.protocol), [], []
    for place in given.feature:
        path, _, name = place.rpartition(":")
        config = with_settings(load_config(path), [*given.settings, "model.use_search=false"])
        feature = content_feature(config, name)
        modes = wanted_modes(feature, given.modes, json.loads(given.encoder) if feature.modality == "text" else {})
        comparison, costs = measured(config, feature, modes, chosen, given.part, given.seeds)
        section = table(comparison, costs)
        title = f"{config.name}: {name} ({feature.modality})"
        counts = f"{comparison.users:,.0f} users, {comparison.candidates:,.0f} candidates"
        lines += [f"## {title}", "", *section, "", f"{counts}, {config.training.epochs} epochs.", ""]
        print("\n".join(["", title, *section]))
        settings = {name: dataclasses.asdict(getattr(config, name)) for name in ("model", "training")}
        sections.append(
            {
                "config": config.name,
                "feature": name,
                "modality": feature.modality,
                "modes": modes,
                **dataclasses.asdict(comparison),
                "costs": {mode: dataclasses.asdict(cost) for mode, cost in costs.items()},
                "settings": settings,
            }
        )
    if given.out:
        command, machine = command_line(given), environment()
        document = {"command": command, "environment": machine, "protocol": chosen.name, "part": given.part}
        write_text(f"{given.out}.json", json.dumps({**document, "features": sections}, indent=1) + "\n")
        write_text(f"{given.out}.md", page(lines, command, machine, chosen, given))
    return 0


def content_feature(config: Config, name: str) -> Feature:
    """The text, image or audio feature `name`."""
    for feature in config.schema.content():
        if feature.name == name:
            return feature
    known = ", ".join(feature.name for feature in config.schema.content())
    raise ConfigError(f"{config.source} has no text, image or audio feature {name!r}; there are {known}")


def wanted_modes(feature: Feature, names: str, settings: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The modes of a feature by name, the frozen one first, as settings of its encoder."""
    known = MODES[feature.modality]
    wanted = [name.strip() for name in names.split(";") if name.strip()] or list(known)
    unknown = [name for name in wanted if name not in {mode for modes in MODES.values() for mode in modes}]
    if unknown:
        raise ConfigError(f"--modes names {unknown[0]!r}; those of {feature.modality} are {'; '.join(known)}")
    kept = {key: value for key, value in feature.encoder.items() if key not in ("train", "weights")}
    return {
        name: {**kept, **settings, **mode}
        for name, mode in known.items()
        if name in wanted or name == next(iter(known))
    }


def measured(
    config: Config,
    feature: Feature,
    modes: Mapping[str, Mapping[str, Any]],
    chosen: Protocol,
    part: str,
    seeds: Sequence[int],
) -> tuple[Comparison, dict[str, Cost]]:
    """Train and evaluate every mode with every seed."""
    costs = {mode: Cost() for mode in modes}
    runs = []
    for seed in seeds:
        with tempfile.TemporaryDirectory() as folder:
            settings = chosen.config(config, seed, part)
            divided, _ = ingest(settings, os.path.join(folder, "data"), None)
            dataset = chosen.dataset(divided, seed, part)
            (task,) = chosen.tasks(dataset, part)
            recommenders = []
            for number, (mode, encoder) in enumerate(modes.items()):
                print(f"{feature.name}, seed {seed}, {mode}", file=sys.stderr, flush=True)
                alone = with_encoder(settings, feature, encoder, os.path.join(folder, "random.h5"))
                trained = timed(alone, dataset, os.path.join(folder, str(number)), feature.name, costs[mode])
                model = model_recommender(trained, dataset, task)
                recommenders.append(EmbeddingRecommender(mode, model.queries, model.items))
            evaluation = evaluate(recommenders[0], recommenders[1:], task, [10], bootstrap=0)
        for outcome in evaluation.outcomes:
            print(f"  {outcome.name}: {outcome.metrics[METRICS[0]].value:.4f}", file=sys.stderr, flush=True)
        runs.append(Run(seed, task.users, evaluation))
    return compared_over_seeds(runs, METRICS), costs


def with_encoder(config: Config, feature: Feature, encoder: Mapping[str, Any], weights: str) -> Config:
    """The configuration with this encoder and no other; `weights` is where random weights may be written."""
    if encoder.get("weights") == RANDOM:
        encoder = frozen_at_random(dataclasses.replace(feature, encoder=encoder), weights, config.training.seed).encoder
    items = config.schema.items
    features = tuple(
        dataclasses.replace(feature, encoder=encoder) if other.name == feature.name else other
        for other in items.features
        if other.name == feature.name or other in config.schema.attributes()
    )
    schema = dataclasses.replace(config.schema, items=dataclasses.replace(items, features=features))
    return dataclasses.replace(config, schema=schema)


def timed(config: Config, dataset: Any, directory: str, feature: str, cost: Cost) -> Trained:
    """Train, and add what it took to `cost`."""
    moments: list[float] = []
    started = time.perf_counter()
    told = lambda line: moments.append(time.perf_counter()) if line.startswith("epoch") else None  # noqa: E731
    trained = train(config, dataset, directory, say=told)
    cost.seconds.append(time.perf_counter() - started)
    encoder = trained.encoders[feature]
    with_encoder = 0 if encoder.frozen else config.training.encoder_epochs or config.training.epochs
    # Fused content is trained in the first of all epochs, encoders of a regression in epochs before those of its table.
    before = with_encoder if config.model.content == "regression" else 0
    if len(moments) != before + len(trained.history):
        raise RuntimeError(f"{len(moments)} epochs were told of and {before} + {len(trained.history)} were trained")
    # The first epoch of either kind holds the tracing, so it only counts where it is alone.
    epochs = np.diff([started, *moments]).tolist()
    cost.encoder_epoch.append(min(epochs[:with_encoder], default=None))
    cost.other_epoch.append(min(epochs[with_encoder:], default=None))
    if not encoder.frozen:
        encoder.trainable = True
        cost.trained_weights = sum(int(np.prod(weight.shape)) for weight in encoder.trainable_weights)
    return trained


def table(comparison: Comparison, costs: Mapping[str, Cost]) -> list[str]:
    """The rows of a Markdown table: a mode each, the frozen one first."""
    first = METRICS[0]
    header = ["", "trained weights", *map(label, METRICS), "ahead of frozen", "p"]
    rows = [header + ["seconds", "an epoch with the encoder", "an epoch without"]]
    for mode, spreads in comparison.metrics.items():
        cells = [spread_text(metric, spreads[metric], metric == first) for metric in METRICS]
        contrast = comparison.contrasts[mode][first] if mode in comparison.contrasts else None
        if contrast is None or contrast.difference is None:
            cells += ["", ""]
        else:
            cells += [f"{-contrast.difference:+.4f}", p_value(contrast.p_value)]
        cost = costs[mode]
        times = [_mean(cost.seconds), _mean(cost.encoder_epoch), _mean(cost.other_epoch)]
        rows.append([mode, f"{cost.trained_weights:,}", *cells, *times])
    divider = ["---"] + ["---:"] * (len(rows[0]) - 1)
    return [f"| {' | '.join(row)} |" for row in (rows[0], divider, *rows[1:])]


def _mean(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{sum(known) / len(known):.1f}" if known else ""


def page(
    lines: Sequence[str], command: str, machine: Mapping[str, Any], chosen: Protocol, given: argparse.Namespace
) -> str:
    """The whole page of Markdown."""
    part = "validation part, cut from the training part by the same rule" if given.part == "validation" else "test part"
    about = (
        f"Protocol {chosen.name}: {chosen.measured} Measured on the {part}, seeds {', '.join(map(str, given.seeds))}. "
        "± is the standard deviation between seeds; p of a t-test paired by user against the frozen encoder. Seconds "
        "are means over seeds of a whole training, encoding and tracing included, and of its fastest epochs with the "
        "encoder in training and without. Frozen pictures and sounds go through a CNN with random weights."
    )
    versions = machine_sentence(machine)
    head = ["# How an encoder takes part in training", "", "```", command, "```", "", about, ""]
    return "\n".join([*head, *lines, "## Machine and versions", "", versions]) + "\n"


def command_line(given: argparse.Namespace) -> str:
    """What to type for the same result; paths are left to the reader."""
    words = ["python", "benchmarks/encoder_participation.py"]
    for place in given.feature:
        path = place.rpartition(":")[0]
        words += ["--feature", f"{os.path.basename(os.path.dirname(os.path.abspath(path)))}/{os.path.basename(place)}"]
    words += ["--protocol", given.protocol, "--part", given.part, "--seeds", ",".join(map(str, given.seeds))]
    words += ["--modes", given.modes] if given.modes else []
    words += ["--encoder", given.encoder] if given.encoder != "{}" else []
    for setting in given.settings:
        words += ["--set", setting]
    return shlex.join(words)


if __name__ == "__main__":
    sys.exit(main())
