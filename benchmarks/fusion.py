"""Ways to make one vector of an item's modalities, in one table: on known items and on items without an event.

    python benchmarks/fusion.py -c ml-100k/tfrec.yaml --part validation --out benchmarks/results/fusion

Every way is a setting of the model, trained from the same configuration on the same divisions with the same seeds. The
first is compared with. Settings for all alike are given by --set, as in `tfrec benchmark quality`; since what suits a
regression need not suit a fusion, --set-fused gives settings to all ways but the regression. Vectors of frozen encoders
are computed before the trainings, so that no way pays for them; with --frozen a CNN is one of these, as its random
weights leave it. With --content regression the fusions are compared where a regression uses them: in the stage that
trains its encoders.
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

from random_weights import frozen_at_random

from tfrec.cli.benchmark import PARTS, seeds, with_settings
from tfrec.config import Config, load_config
from tfrec.config_checks import CHOICES
from tfrec.data.files import write_text
from tfrec.data.ingest import ingest
from tfrec.errors import ConfigError
from tfrec.evaluation.protocol import evaluate
from tfrec.evaluation.protocols import PROTOCOLS, Protocol, protocol
from tfrec.evaluation.quality_page import markdown_table, spread_text
from tfrec.evaluation.recommenders import EmbeddingRecommender
from tfrec.evaluation.seeds import Comparison, Run, compared_over_seeds
from tfrec.evaluation.wording import label, machine_sentence, p_value
from tfrec.modalities import modalities
from tfrec.schema import Feature
from tfrec.steps.quality import METRICS, environment, model_recommender, settings_of
from tfrec.training.trainer import train

REGRESSION = "regression"
SHOWN = ("ndcg", "recall", "map")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("-c", "--config", required=True, metavar="FILE", help="the configuration (YAML)")
    parser.add_argument("--ways", default="", metavar="NAMES", help="separated by commas (default: all there are)")
    parser.add_argument(
        "--protocols", default="per-user,held-out-items", metavar="NAMES", help="(default: per-user,held-out-items)"
    )
    parser.add_argument("--part", choices=PARTS, default="validation")
    parser.add_argument("--seeds", type=seeds, default=(0, 1, 2), metavar="N,N")
    parser.add_argument("-k", type=int, default=10, metavar="N", help="cut-off (default: 10)")
    parser.add_argument("--set", action="append", default=[], dest="settings", metavar="KEY=VALUE")
    parser.add_argument(
        "--content", choices=("joint", REGRESSION), default="joint", help="where items are fused (default: joint)"
    )
    parser.add_argument("--frozen", default="", metavar="FEATURES", help="their CNNs keep the random weights they have")
    parser.add_argument("--set-fused", action="append", default=[], metavar="KEY=VALUE", help="not for the regression")
    parser.add_argument("--out", default="", metavar="PATH", help="write PATH.json and PATH.md")
    given = parser.parse_args(arguments)
    config = load_config(given.config)
    configs = {
        way: with_settings(config, [*given.settings, *(given.set_fused if way != REGRESSION else []), *settings])
        for way, settings in wanted_ways(given.ways, given.content).items()
    }
    config = next(iter(configs.values()))
    if len(modalities(config.schema)) < 2:
        raise ConfigError(f"{config.source} has one modality or none, so there is nothing to fuse; name more features")
    lines, sections = [], []
    for chosen in wanted_protocols(given.protocols):
        with tempfile.TemporaryDirectory() as folder:
            ready = frozen(configs, given.frozen, folder)
            comparison, seconds = measured(ready, chosen, given.part, given.seeds, given.k)
        section = markdown_table(table(comparison, seconds))
        counts = f"{comparison.users:,.0f} users, {comparison.candidates:,.0f} candidates. {chosen.measured}"
        lines += [f"## {chosen.name}: {chosen.title}", "", *section, "", counts, ""]
        print("\n".join(["", chosen.name, *section]))
        sections.append({"protocol": chosen.name, **dataclasses.asdict(comparison), "seconds": seconds})
    if given.out:
        command, machine = command_line(given), environment()
        document = {"command": command, "environment": machine, "config": config.name, "part": given.part}
        document["ways"] = {way: settings_of(its) for way, its in configs.items()}
        write_text(f"{given.out}.json", json.dumps({**document, "protocols": sections}, indent=1) + "\n")
        write_text(f"{given.out}.md", page(lines, command, machine, config, given))
    return 0


def all_ways(content: str = "joint") -> dict[str, list[str]]:
    """Every way by name, as settings.

    With `joint` the fusions of content and ids trained together, then the regression; else the regressions whose
    encoders learn in a model of each fusion.
    """
    key = "model.encoder_fusion" if content == REGRESSION else "model.fusion"
    ways = {fusion: [f"model.content={content}", f"{key}={fusion}"] for fusion in CHOICES[key]}
    return ways if content == REGRESSION else {**ways, REGRESSION: [f"model.content={REGRESSION}"]}


def wanted_ways(names: str, content: str) -> dict[str, list[str]]:
    """The named ways in the order of their names, all where none is named.

    Raises:
        ConfigError: if one is unknown.
    """
    known = all_ways(content)
    wanted = [name.strip() for name in names.split(",") if name.strip()] or list(known)
    for name in wanted:
        if name not in known:
            raise ConfigError(f"--ways names {name!r}; there are {', '.join(known)}")
    return {name: known[name] for name in wanted}


def frozen(configs: Mapping[str, Config], names: str, folder: str) -> dict[str, Config]:
    """The configurations with the CNNs of the named features kept as they begin, the same for all ways.

    Args:
        names: image or audio features separated by commas.
        folder: where the weights are written.

    Raises:
        ConfigError: if there is no such feature.
    """
    first = next(iter(configs.values()))
    cnns = {feature.name: feature for feature in first.schema.content() if feature.modality in ("image", "audio")}
    replaced = {}
    for name in (name.strip() for name in names.split(",") if name.strip()):
        if name not in cnns:
            there = f"there are {', '.join(cnns)}" if cnns else "there is none"
            raise ConfigError(f"--frozen names {name!r}, which is no image or audio feature of the items; {there}")
        replaced[name] = frozen_at_random(cnns[name], os.path.join(folder, f"{name}.h5"), first.training.seed)
    return {way: with_features(config, replaced) for way, config in configs.items()}


def with_features(config: Config, replaced: Mapping[str, Feature]) -> Config:
    """The configuration with other item features under the same names."""
    items = config.schema.items
    features = tuple(replaced.get(feature.name, feature) for feature in items.features)
    schema = dataclasses.replace(config.schema, items=dataclasses.replace(items, features=features))
    return dataclasses.replace(config, schema=schema)


def wanted_protocols(names: str) -> list[Protocol]:
    """The named protocols, of known items or of new ones.

    Raises:
        ConfigError: if one is unknown, or has several tasks.
    """
    chosen = [protocol(name.strip()) for name in names.split(",") if name.strip()]
    for one in chosen:
        if one.asks == "new-users":
            suited = ", ".join(name for name, other in PROTOCOLS.items() if other.asks != "new-users")
            raise ConfigError(f"--protocols names {one.name}, which tells nothing of items; there are {suited}")
    return chosen


def measured(
    configs: Mapping[str, Config], chosen: Protocol, part: str, numbers: Sequence[int], k: int
) -> tuple[Comparison, dict[str, list[float]]]:
    """Train and evaluate the configuration of every way with every seed.

    Returns:
        All ways beside the first, and the seconds of each training by way.
    """
    seconds: dict[str, list[float]] = {way: [] for way in configs}
    runs: list[Run] = []
    with tempfile.TemporaryDirectory() as folder:
        cache = os.path.join(folder, "cache")
        for seed in numbers:
            settings = {way: chosen.config(config, seed, part) for way, config in configs.items()}
            divided, _ = ingest(next(iter(settings.values())), os.path.join(folder, "data"), None)
            dataset = chosen.dataset(divided, seed, part)
            (task,) = chosen.tasks(dataset, part)
            k = min(k, len(task.candidates))
            if not runs:
                # Fills the cache, and pays for what is slow once in a process.
                first = next(iter(settings.values()))
                once = dataclasses.replace(first.training, epochs=1)
                with tempfile.TemporaryDirectory() as state:
                    train(dataclasses.replace(first, training=once), dataset, state, cache=cache, say=_silent)
            evaluations = []
            for way, config in settings.items():
                with tempfile.TemporaryDirectory() as state:
                    started = time.perf_counter()
                    trained = train(config, dataset, state, cache=cache, say=_silent)
                    seconds[way].append(time.perf_counter() - started)
                model = model_recommender(trained, dataset, task)
                named = EmbeddingRecommender(way, model.queries, model.items)
                # Each by itself, because ties are broken against the first of several only.
                evaluations.append(evaluate(named, (), task, [k], bootstrap=0))
                value = evaluations[-1].model.metrics[f"ndcg@{k}"].value
                print(f"{chosen.name}, seed {seed}, {way}: ndcg@{k} {value:.4f}", file=sys.stderr, flush=True)
            others = tuple(evaluation.model for evaluation in evaluations[1:])
            runs.append(Run(seed, task.users, dataclasses.replace(evaluations[0], baselines=others)))
    return compared_over_seeds(runs, [f"{metric}@{k}" for metric in METRICS]), seconds


def table(comparison: Comparison, seconds: Mapping[str, Sequence[float]]) -> list[list[str]]:
    """Header and rows: a way each, the first one compared with, and the mean seconds of a training."""
    first, *_ = comparison.metrics
    names = [name for name in comparison.metrics[first] if name.partition("@")[0] in SHOWN]
    rows = [["", *map(label, names), f"minus {first}", "p", "seconds"]]
    for way, spreads in comparison.metrics.items():
        cells = [spread_text(name, spreads[name], name == names[0]) for name in names]
        contrast = comparison.contrasts[way][names[0]] if way in comparison.contrasts else None
        if contrast is None or contrast.difference is None:
            cells += ["", ""]
        else:
            cells += [f"{-contrast.difference:+.4f}", p_value(contrast.p_value)]
        rows.append([way, *cells, f"{sum(seconds[way]) / len(seconds[way]):.1f}"])
    return rows


def page(
    lines: Sequence[str], command: str, machine: Mapping[str, Any], config: Config, given: argparse.Namespace
) -> str:
    """The whole page of Markdown."""
    part = "validation part, cut from the training part by the same rule" if given.part == "validation" else "test part"
    about = (
        f"{config.name}, with the modalities {', '.join(modalities(config.schema))}. Measured on the {part}, seeds "
        f"{', '.join(map(str, given.seeds))}. ± is the standard deviation between seeds; p of a t-test paired by user. "
        "Seconds are means over seeds of a whole training, from vectors of frozen encoders that were computed before."
    )
    if given.frozen:
        about += f" The CNN of {given.frozen} is one of these, with random weights that are the same for all ways."
    if given.content == REGRESSION:
        about += " Every model is a regression; its encoders learned in a model that fuses them in the way named."
    versions = machine_sentence(machine)
    head = ["# Fusions of modalities", "", "```", command, "```", "", about, ""]
    return "\n".join([*head, *lines, "## Machine and versions", "", versions]) + "\n"


def command_line(given: argparse.Namespace) -> str:
    """What to type for the same result; paths are left to the reader."""
    folder, name = os.path.split(os.path.abspath(given.config))
    words = ["python", "benchmarks/fusion.py", "-c", f"{os.path.basename(folder)}/{name}"]
    words += ["--ways", given.ways] if given.ways else []
    words += ["--content", given.content] if given.content != "joint" else []
    words += ["--frozen", given.frozen] if given.frozen else []
    words += ["--protocols", given.protocols, "--part", given.part, "--seeds", ",".join(map(str, given.seeds))]
    words += ["-k", str(given.k)]
    for setting in given.settings:
        words += ["--set", setting]
    for setting in given.set_fused:
        words += ["--set-fused", setting]
    return shlex.join(words)


def _silent(line: str) -> None:
    """Says nothing of the epochs."""


if __name__ == "__main__":
    sys.exit(main())
