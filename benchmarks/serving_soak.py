"""The development server under constant load while versions are swapped, some of them broken or half-written.

    python benchmarks/serving_soak.py --minutes 60 --swap 5 --rate 40 --out benchmarks/results/serving-soak

Prints, every minute and at the end, how many requests were answered, how many failed, how many answers mixed versions,
and the memory of the server. Exit status 1 if any failed or was mixed, or a broken version was served. --rate 0 asks
without pause. Further arguments are the server's.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from serving_load import WRONG, Load

from tfrec.speed.measured import Measurement, Table, page
from tfrec.steps.quality import environment

KEPT = 20  # versions on the disk
EVERY = 10.0  # seconds between looks at the server's memory
WARM = 0.1  # of the time, after which memory should not grow
NO_PAUSE = 1e6  # requests a second


def write_version(path: Path, number: int) -> None:
    """A SavedModel that answers with x / 2 + number, and with number beside it."""
    import tensorflow as tf

    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec([None, 1], tf.float32, name="x")])
    def answer(x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": x / 2 + number, "version": tf.fill(tf.shape(x), float(number))}

    tf.saved_model.save(module, str(path), signatures={"serving_default": answer})


def publish(base: Path, number: int) -> bool:
    """Make version `number` appear: whole, cut in half (every seventh) or without its graph (every eleventh)."""
    whole = bool(number % 7 and number % 11)
    target = base / str(number)
    if number % 11 == 0:
        (target / "variables").mkdir(parents=True)
    else:
        aside = base.parent / "aside"
        write_version(aside, number)
        if not whole:
            graph = aside / "saved_model.pb"
            graph.write_bytes(graph.read_bytes()[: graph.stat().st_size // 2])
        aside.rename(target)
    return whole


@dataclasses.dataclass(frozen=True)
class Sample:
    """The server at one moment: MB it holds, its threads and open files, and what it had answered by then."""

    seconds: float
    version: int
    memory: float
    threads: int
    files: int
    answered: int


def sample(pid: int, seconds: float, version: int, load: Load) -> Sample:
    """Look at the process now."""
    status = Path(f"/proc/{pid}/status").read_text()
    memory, threads = (int(re.search(rf"{name}:\s+(\d+)", status)[1]) for name in ("VmRSS", "Threads"))  # type: ignore[index]
    files = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return Sample(seconds, version, memory / 1024, threads, files, load.answered.total())


def slope(samples: list[Sample]) -> float:
    """MB per hour that memory grows by, by least squares."""
    if len(samples) < 3:
        return float("nan")
    return float(np.polyfit([each.seconds for each in samples], [each.memory for each in samples], 1)[0]) * 3600


@dataclasses.dataclass(frozen=True)
class Soaked:
    """What a soak gave; `served` and `whole` are the newest version that answered and the newest that was whole."""

    load: Load
    samples: list[Sample]
    versions: int
    served: int
    whole: int
    status: int

    @property
    def good(self) -> bool:
        return not (self.load.failed or self.load.mixed or self.status) and self.served == self.whole


def soak(minutes: float, swap: float, clients: int, rate: float, flags: list[str]) -> Soaked:
    """Run it all."""
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder) / "model"
        write_version(base / "1", 1)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            rest = free.getsockname()[1]
        command = [sys.executable, "-m", "tfrec.serving.server", f"--model_base_path={base}", "--port=0"]
        command += [f"--rest_api_port={rest}", "--file_system_poll_wait_seconds=0.2", "--max_num_load_retries=0"]
        with open(Path(folder) / "log", "w") as log:
            server = subprocess.Popen([*command, *flags], stdout=subprocess.PIPE, stderr=log, text=True)
        assert server.stdout is not None
        ready = re.search(r"gRPC at (\S+) and REST at (\S+?);", server.stdout.readline())
        assert ready, (Path(folder) / "log").read_text()
        load = Load(ready[1], ready[2], clients, rate or NO_PAUSE)
        start = told = time.monotonic()
        samples = [sample(server.pid, 0.0, 1, load)]
        whole = version = 1
        for number in itertools.count(2):
            began = time.monotonic()
            if began - start > 60 * minutes:
                break
            if publish(base, number):
                whole = number
            version = number
            if number > KEPT:
                shutil.rmtree(base / str(number - KEPT))
            while True:
                now = time.monotonic()
                if now - start - samples[-1].seconds >= EVERY:
                    samples.append(sample(server.pid, now - start, version, load))
                if now - told > 60:
                    told = now
                    print(_line(load, samples[-1]), flush=True)
                if now - began >= swap:
                    break
                time.sleep(min(EVERY, swap - (now - began)))
        time.sleep(2 + swap)
        load.stop()
        samples.append(sample(server.pid, time.monotonic() - start, version, load))
        print(_line(load, samples[-1]))
        served = load.newest
        server.terminate()
        return Soaked(load, samples, version, served, whole, server.wait())


def _line(load: Load, last: Sample) -> str:
    return (
        f"{last.seconds:5.0f} s: {last.version} versions, {last.answered:,} answers, {load.refused} refused, "
        f"{load.failed} failed, {load.mixed} mixed, {last.memory:.0f} MB, {last.threads} threads, {last.files} files"
    )


def measurement(soaked: Soaked, swap: float, clients: int) -> Measurement:
    """The page of a soak."""
    load, samples = soaked.load, soaked.samples
    warm = [each for each in samples if each.seconds >= WARM * samples[-1].seconds]
    late = [each for each in samples if each.seconds >= samples[-1].seconds / 2]
    rows = [["minutes", "versions", "answers", "memory MB", "threads", "open files"]]
    for each in samples[:: max(1, len(samples) // 12)] + samples[-1:]:
        rows.append(
            [f"{each.seconds / 60:.1f}", f"{each.version}", f"{each.answered:,}", f"{each.memory:.0f}"]
            + [str(each.threads), str(each.files)]
        )
    slopes = {"warm": slope(warm), "second half": slope(late)}
    p50, p99, most = (1000 * np.percentile(load.latencies, percentile) for percentile in (50, 99, 100))
    about = (
        f"A small model whose answers tell their version, a new version every {swap:g} s, every seventh with a graph "
        f"cut in half and every eleventh without one, {KEPT} kept. {clients} clients, one of four by REST, none of "
        f"which tries anything again; every {WRONG}th request has words for numbers and must be refused as "
        "INVALID_ARGUMENT. Memory is the server's resident set, looked at every ten seconds. The load ran beside other "
        "work, at low priority: latencies are of a busy machine."
    )
    remark = (
        f"{load.answered['gRPC']:,} answers by gRPC, {load.answered['REST']:,} by REST, {load.refused:,} wrong "
        f"requests refused; {load.failed} failed, {load.mixed} mixed versions. Newest version served {soaked.served}, "
        f"newest whole one {soaked.whole}. Latency {p50:.1f} ms (median), {p99:.1f} ms (99th percentile), {most:.0f} "
        f"ms at most. After the first tenth of the time memory grew by {slopes['warm']:.1f} MB an hour (least "
        f"squares), in the second half by {slopes['second half']:.1f} MB an hour."
    )
    numbers = {
        "answered": dict(load.answered),
        "refused": load.refused,
        "failed": load.failed,
        "mixed": load.mixed,
        "errors": sorted(load.errors)[:20],
        "newest_served": soaked.served,
        "newest_whole": soaked.whole,
        "milliseconds": {"p50": p50, "p99": p99, "max": most},
        "memory_mb_per_hour": slopes,
        "samples": [dataclasses.asdict(each) for each in samples],
    }
    title = f"The development server under {samples[-1].seconds / 60:.0f} minutes of load and swaps"
    return Measurement(title, about, (Table("What happened", rows, remark),), numbers)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--swap", type=float, default=5.0, help="seconds between versions")
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--rate", type=float, default=40.0, help="requests a second of all clients; 0: without pause")
    parser.add_argument("--out", default="", metavar="PATH", help="write PATH.json and PATH.md")
    given, flags = parser.parse_known_args()
    before = os.getloadavg()[0]
    soaked = soak(given.minutes, given.swap, given.clients, given.rate, flags)
    told = measurement(soaked, given.swap, given.clients)
    print(told.tables[0].remark)
    for error in sorted(soaked.load.errors)[:5]:
        print(error)
    if given.out:
        command = shlex.join(["python", "benchmarks/serving_soak.py", *sys.argv[1:]])
        machine: dict[str, Any] = {**environment(), "load": [before, os.getloadavg()[0]]}
        document = {"command": command, "environment": machine, "about": told.about, **told.numbers}
        Path(f"{given.out}.json").write_text(json.dumps(document, indent=1) + "\n")
        Path(f"{given.out}.md").write_text(page(told, command, machine))
    return int(not soaked.good)


if __name__ == "__main__":
    sys.exit(main())
