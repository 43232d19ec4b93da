"""What content costs in training: frozen encoders beside ids alone, trained ones beside content encoded per row."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tfrec.speed.frozen import CASES, FROZEN, IDS, epochs_of
from tfrec.speed.measured import Measurement, Table, spread, told
from tfrec.speed.per_place import OURS, PER_PLACE, SHAPES, Trainers, duplication
from tfrec.speed.sampled import Sampled, sampled

LIMITS = {"frozen": 1.25, "trained": 5.0}


def measure(
    rounds: int = 3, epochs: int = 4, rows: int = 0, steps: int = 4, say: Callable[[str], None] = print
) -> Measurement:
    """Train on the sample catalogue with its pictures and sounds in all ways, in turn, `rounds` times.

    Args:
        rounds: how often.
        epochs: of each training with frozen encoders; the first, which includes tracing, is left out.
        rows: events of the sample's log, items and users in proportion; 0 for all 40,000 of 600 items and 1,500 users.
        steps: of each turn with trained encoders.
        say: called with a line per turn.

    Raises:
        ConfigError: if MiniLM, which encodes the texts, is not installed.
        ValueError: if there is one epoch, of which nothing would be left.
    """
    if epochs < 2:
        raise ValueError("the first epoch includes tracing; train at least 2")
    with tempfile.TemporaryDirectory() as folder:
        sample = sampled(folder, rows)
        say(f"{sample.sentence()}")
        frozen = _frozen_in_turn(sample, os.path.join(folder, "cache"), rounds, epochs, say)
        trained = _trained_in_turn(sample, rounds, steps, say)
    shared = duplication(sample)
    return Measurement(
        "Speed: content in training",
        f"{sample.sentence()} Ours and the peer in turn in one process, {rounds} rounds; ratios are between turns of "
        "the same round. `processor` ratios compare processor seconds of all threads, which other work on the machine "
        "disturbs less.",
        (_frozen_table(frozen, epochs), _trained_table(trained, steps), _shared_table(shared)),
        {"limits": LIMITS, "frozen": frozen, "trained": trained, "duplication": shared},
    )


def _frozen_in_turn(
    sample: Sampled, cache: str, rounds: int, epochs: int, say: Callable[[str], None]
) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {
        case: {way: {"seconds": [], "cpu": []} for way in (IDS, FROZEN)} for case in CASES
    }
    for number in range(rounds):
        for case, settings in CASES.items():
            for way in (IDS, FROZEN):
                watch = epochs_of(sample, settings, way, cache, epochs)
                found[case][way]["seconds"].append(float(np.median(watch.wall[1:])))
                found[case][way]["cpu"].append(float(np.median(watch.cpu[1:])))
                say(f"round {number + 1}, {case}, {way}: {found[case][way]['seconds'][-1]:.2f} s an epoch")
    for ways in found.values():
        ways["ratios"] = _ratios(ways[FROZEN], ways[IDS])
    return found


def _trained_in_turn(sample: Sampled, rounds: int, steps: int, say: Callable[[str], None]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for shape, settings in SHAPES.items():
        trainers = Trainers(sample, settings)
        ways: dict[str, Any] = {way: {"seconds": [], "cpu": []} for way in (PER_PLACE, OURS)}
        for number in range(rounds):
            for way in (PER_PLACE, OURS):
                watch = trainers.run(way, steps)
                ways[way]["seconds"].append(watch.wall[0] / steps)
                ways[way]["cpu"].append(watch.cpu[0] / steps)
                say(f"round {number + 1}, {shape}, {way}: {ways[way]['seconds'][-1]:.2f} s a step")
        ways["ratios"] = _ratios(ways[PER_PLACE], ways[OURS])
        found[shape] = {**ways, **trainers.sizes()}
    return found


def _ratios(above: Mapping[str, list[float]], below: Mapping[str, list[float]]) -> dict[str, dict[str, float]]:
    return {kind: spread(np.array(above[kind]) / np.array(below[kind])) for kind in ("seconds", "cpu")}


def _frozen_table(found: Mapping[str, Any], epochs: int) -> Table:
    lines = [["", "ids alone, s", "with content, s", "times as long", "processor"]]
    for case, ways in found.items():
        seconds = [told(spread(ways[way]["seconds"]), "{:.2f}") for way in (IDS, FROZEN)]
        lines.append([case, *seconds, *(told(ways["ratios"][kind], "{:.2f}") for kind in ("seconds", "cpu"))])
    return Table(
        "An epoch with frozen, cached encoders beside the same model on ids alone",
        lines,
        f"Texts by MiniLM, pictures and sounds by CNNs, all frozen; the median of {epochs} epochs but the first, which "
        "includes tracing. Median (smallest to largest) of the rounds. `regression` trains its table on ids and "
        "reads content once, after the epochs. `joint` projects, drops out and fuses the content of all items in each "
        "step: little beside a step of many rows, as much as all else in one of few.",
    )


def _trained_table(found: Mapping[str, Any], steps: int) -> Table:
    lines = [["", "places in a batch", "items encoded", "per place, s", "once, s", "faster by", "processor"]]
    for shape, ways in found.items():
        seconds = [told(spread(ways[way]["seconds"]), "{:.2f}") for way in (PER_PLACE, OURS)]
        ratios = [told(ways["ratios"][kind]) for kind in ("seconds", "cpu")]
        lines.append([shape, f"{ways['places']:,.0f}", f"{ways['items']:,}", *seconds, *ratios])
    return Table(
        "A step with the CNNs of pictures and sounds trained, items encoded once or at each place",
        lines,
        f"The peer encodes an item's content for every target and every entry of a history, as a batch of rows with "
        f"their content does; loss and gradients are the same but for what augmentation draws and for "
        f"the statistics of batch normalisation. {steps} steps a turn, of which an epoch has "
        f"{' and '.join(str(ways['steps']) for ways in found.values())}.",
    )


def _shared_table(shared: list[dict[str, Any]]) -> Table:
    lines = [["rows", "targets", "distinct items", "share one", "with histories", "distinct items", "share one"]]
    for one in shared:
        lines.append(
            [
                one["rows"],
                *(f"{one['targets'][key]:,.{digits}f}" for key, digits in (("places", 0), ("items", 0), ("each", 1))),
                *(f"{one['all'][key]:,.{digits}f}" for key, digits in (("places", 0), ("items", 0), ("each", 1))),
            ]
        )
    return Table(
        "How many places share an item",
        lines,
        "Means over batches of the sample's log: what encoding once can gain at most. A batch of few users with short "
        "histories repeats little.",
    )
