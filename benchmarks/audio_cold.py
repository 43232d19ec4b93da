"""How well clips that nobody has touched are recommended from their sound alone, beside linear models of it.

    python benchmarks/audio_cold.py --esc10 audio-esc10 --digits audio-fsdd --part validation --seeds 0
    python benchmarks/audio_cold.py --esc10 audio-esc10 --digits audio-fsdd --out benchmarks/results/audio-cold

Real clips with classes (ESC-10: environmental sounds; Free Spoken Digit Dataset), simulated people who like two or
three classes (`audio_tastes.py`). The folders hold `clips.csv` (wav, fold and label; speaker, take and digit). What
is not known here, such as --set training.epochs=20, changes a setting of the configuration.
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

import numpy as np
from audio_tastes import FAITH, LIKED, PEOPLE, Clips, read_clips, write_data_set
from scipy import sparse

from tfrec.cli.benchmark import seeds as seed_list
from tfrec.cli.benchmark import with_settings
from tfrec.config import Config, load_config
from tfrec.data.files import write_text
from tfrec.data.ingest import ingest
from tfrec.data.tables import Dataset
from tfrec.encoders.cache import prepare_column
from tfrec.evaluation.baselines import ContentRidge
from tfrec.evaluation.baselines.base import Baseline
from tfrec.evaluation.baselines.content import STRENGTHS
from tfrec.evaluation.protocol import evaluate, fitted_baselines
from tfrec.evaluation.protocols import PARTS, Protocol
from tfrec.evaluation.quality_page import Section, quality_markdown
from tfrec.evaluation.recommenders import BaselineRecommender
from tfrec.evaluation.seeds import Run, compared_over_seeds
from tfrec.evaluation.tasks import cold_task
from tfrec.model.build import build_encoders
from tfrec.steps.quality import METRICS, environment, model_recommender
from tfrec.training.trainer import train

K = 10
# Chosen on the validation parts, seed 0, against 12 to 60 epochs with ids and the usual dropout: all that is asked for
# is what sound tells, and a few hundred clips take many steps.
MODEL = {"use_user_features": False, "use_context": False, "use_search": False}
SOUNDS = {"encoder": {"kind": "logmel-cnn", "seconds": 2.0}, "model": MODEL, "training": {"encoder_epochs": 26}}
DIGITS = {
    "encoder": {"kind": "logmel-cnn", "seconds": 0.75},
    "model": MODEL,
    "training": {"encoder_epochs": 24, "batch_size": 32, "candidates": 128},
}
TAKES = {str(take): f"takes {take // 4 * 4} to {take // 4 * 4 + 3}" for take in range(20)}


@dataclasses.dataclass(frozen=True)
class Question:
    """Which clips are new: those of the group `new`; settings are chosen with each other group as new in its turn."""

    name: str
    title: str
    clips: Clips
    new: str
    settings: dict


def questions(given: argparse.Namespace) -> list[Question]:
    """Those that the given folders allow."""
    asked = []
    if given.esc10:
        clips = read_clips(given.esc10, "label", "fold")
        asked.append(Question("sounds", "ten kinds of sounds, the clips of fold 3 are new", clips, "3", SOUNDS))
    if given.digits:
        clips = read_clips(given.digits, "digit", "speaker")
        asked.append(Question("digits-speaker", "a speaker is new", clips, "nicolas", DIGITS))
        clips = read_clips(given.digits, "digit", "take", TAKES)
        asked.append(Question("digits-takes", "takes 16 to 19 of every speaker are new", clips, TAKES["16"], DIGITS))
    return [question for question in asked if not given.only or question.name in given.only.split(",")]


class ClassShare(Baseline):
    """Knows the classes, which no model is told: the share of a clip's class in the history. A ceiling."""

    name = "Classes known"
    needs_events = False

    def __init__(self, classes: np.ndarray) -> None:
        self.member = np.eye(classes.max() + 1)[classes]

    def fit(self, train: sparse.csr_matrix) -> ClassShare:
        return self

    def scores(self, history: sparse.csr_matrix) -> np.ndarray:
        return ((history @ self.member) @ self.member.T).astype(np.float32)


def with_new_clips(dataset: Dataset, new: np.ndarray, absent: np.ndarray) -> Dataset:
    """Hold the items of `new` (bool [N]) out of training, and leave out all events of those in `absent`."""
    item = dataset.train.item
    return dataclasses.replace(
        dataset,
        train=dataset.train.take(~new[item] & ~absent[item]),
        cold=dataset.train.take(new[item] & ~absent[item]),
        held_out=np.flatnonzero(new & ~absent).astype(np.int32),
    )


def spectral_statistics(content: np.ndarray, known: np.ndarray) -> dict[str, np.ndarray]:
    """Mean, and mean and deviation, over time of log-mel spectrograms [N, frames, mels], by name; standardised.

    Each column is centred and scaled by what the items of `known` (bool [N]) have.
    """
    mean, deviation = content.mean(axis=1), content.std(axis=1)
    features = {"mean": mean, "mean and deviation": np.concatenate([mean, deviation], axis=1)}
    return {
        name: (values - values[known].mean(axis=0)) / (values[known].std(axis=0) + 1e-6)
        for name, values in features.items()
    }


def linear_baselines(dataset: Dataset, groups: np.ndarray, content: np.ndarray) -> list[ContentRidge]:
    """Ridge regression from each statistic; the strength is the best with each training group as new in its turn."""
    known = np.zeros(len(groups), bool)
    known[dataset.train.item] = True
    cuts = [with_new_clips(dataset, known & (groups == group), ~known) for group in np.unique(groups[known])]
    found = []
    for name, vectors in spectral_statistics(content, known).items():
        if len(cuts) > 1:
            quality = [[_ndcg(ContentRidge(vectors, regularisation=s), cut) for cut in cuts] for s in STRENGTHS]
            strength = float(STRENGTHS[int(np.argmax(np.mean(quality, axis=1)))])
        else:  # Nothing to choose by but single clips left out.
            strength = None
        ridge = ContentRidge(vectors, regularisation=strength)
        ridge.name = f"Ridge on {name} of log-mel"
        found.append(ridge)
    return found


def _ndcg(baseline: Baseline, dataset: Dataset) -> float:
    task = cold_task(dataset)
    recommender = BaselineRecommender(baseline.fit(task.train), task.history)
    return float(evaluate(recommender, [], task, [K], bootstrap=0).model.metrics[f"ndcg@{K}"].value or 0.0)


def measured_run(config: Config, dataset: Dataset, clips: Clips, seed: int, cache: str) -> tuple[Run, float]:
    """Train, and put the new clips to the model and to the baselines; also the seconds of training."""
    training = dataclasses.replace(config.training, seed=seed, patience=0)
    config = dataclasses.replace(config, training=training)
    task = cold_task(dataset)
    with tempfile.TemporaryDirectory() as state:
        started = time.perf_counter()
        trained = train(config, dataset, state, cache=cache, say=lambda line: None)
        seconds = time.perf_counter() - started
    content = prepare_column(build_encoders(config)["sound"], dataset.catalogue.media["sound"])
    ridges = linear_baselines(dataset, clips.groups, content)
    baselines = [
        *fitted_baselines(task, ["Random"]),
        *(BaselineRecommender(b.fit(task.train), task.history) for b in [*ridges, ClassShare(clips.classes)]),
    ]
    evaluation = evaluate(model_recommender(trained, dataset, task), baselines, task, [K], bootstrap=0)
    # Other people for every seed, so none is counted twice.
    return Run(seed, task.users + seed * PEOPLE, evaluation), seconds


def measured(question: Question, given: argparse.Namespace) -> tuple[Section, dict]:
    """All seeds of one question: what goes on the page, and what goes into the JSON."""
    runs, seconds = [], []
    clips, final = question.clips, question.clips.groups == question.new
    for seed in given.seeds:
        folder = os.path.join(given.work, f"{question.name}-{seed}")
        path = write_data_set(clips, seed, folder, question.name, question.settings)
        config = with_settings(load_config(path), given.settings)
        everything, _ = ingest(config, os.path.join(folder, "data"))
        if not everything.catalogue.media["sound"].present.all():
            raise SystemExit(f"clips could not be read; {folder}/data/quarantine.jsonl says why")
        turns = [question.new] if given.part == "test" else sorted(set(clips.groups) - {question.new})
        for group in turns:
            dataset = with_new_clips(everything, clips.groups == group, final & (given.part == "validation"))
            run, took = measured_run(config, dataset, clips, seed, os.path.join(given.work, "cache"))
            runs.append(run)
            seconds.append(took)
            values = "  ".join(f"{o.name} {o.metrics[f'ndcg@{K}'].value:.4f}" for o in run.evaluation.outcomes)
            print(f"{question.name} seed {seed}, new {group}: ndcg@{K}  {values}  ({took:.0f} s)", file=sys.stderr)
    comparison = compared_over_seeds(runs, [f"{metric}@{K}" for metric in METRICS])
    rule = f"{PEOPLE} people a seed, who like {LIKED[0]} or {LIKED[1]} classes and touch them {FAITH:.0%} of the time"
    how = Protocol(
        question.name,
        question.title,
        f"{rule}; other people and other random weights for every seed. The new clips are ranked among themselves, "
        "from sound alone; what a person touched among the others is known.",
        asks="new-items",
        divides_anew=True,
    )
    remark = f"Training took {np.mean(seconds):.0f} s a run on the mean."
    section = Section(how, given.part, K, (comparison,), (remark,))
    sections = {name: dataclasses.asdict(getattr(config, name)) for name in ("model", "training")}
    document = {
        "question": question.name,
        "new": turns,
        "seconds": seconds,
        **dataclasses.asdict(comparison),
        "settings": {"encoder": question.settings["encoder"], **sections},
    }
    return section, document


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--esc10", default="", help="folder of ESC-10 clips")
    parser.add_argument("--digits", default="", help="folder of spoken digits")
    parser.add_argument("--only", default="", help="names of questions: sounds, digits-speaker, digits-takes")
    parser.add_argument("--work", default="build/audio-cold", help="folder for data sets made on the way")
    parser.add_argument("--seeds", type=seed_list, default=(0, 1, 2))
    parser.add_argument("--part", choices=PARTS, default="test")
    parser.add_argument("--set", action="append", default=[], dest="settings", metavar="KEY=VALUE")
    parser.add_argument("--out", default="", metavar="PATH", help="write PATH.json and PATH.md")
    given = parser.parse_args()
    found = [measured(question, given) for question in questions(given)]
    if not found:
        parser.error("nothing to measure; give --esc10 or --digits")
    command = shlex.join(["python", "benchmarks/audio_cold.py", *sys.argv[1:]])
    machine = environment()
    page = quality_markdown("Quality: new clips from their sound", [section for section, _ in found], command, machine)
    print(page)
    if given.out:
        document = {"command": command, "environment": machine, "questions": [result for _, result in found]}
        write_text(f"{given.out}.json", json.dumps(document, indent=1) + "\n")
        write_text(f"{given.out}.md", page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
