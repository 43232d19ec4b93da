"""The development server under constant load while versions are swapped, some of them broken or half-written.

    python benchmarks/serving_soak.py --minutes 60 --swap 1

Prints, every minute and at the end, how many requests were answered, how many failed, how many answers mixed versions,
and the memory of the server. Exit status 1 if any failed or was mixed, or a broken version was served.
"""

from __future__ import annotations

import argparse
import itertools
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from tfrec.serving import Client


def write_version(path: Path, number: int) -> None:
    """A SavedModel that answers with x / 2 + number, and with number beside it."""
    import tensorflow as tf

    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec([None, 1], tf.float32, name="x")])
    def answer(x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": x / 2 + number, "version": tf.fill(tf.shape(x), float(number))}

    tf.saved_model.save(module, str(path), signatures={"serving_default": answer})


class Load:
    """Clients that ask without pause; what they count is right once they are stopped."""

    def __init__(self, address: str, clients: int) -> None:
        self.answered = self.failed = self.mixed = 0
        self.newest = 0
        self.errors: set[str] = set()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(address, seed)) for seed in range(clients)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, address: str, seed: int) -> None:
        random = np.random.default_rng(seed)
        with Client(address, attempts=1, timeout=10) as client:
            while not self._stop.is_set():
                x = random.integers(0, 1000, (random.integers(1, 5), 1)).astype(np.float32)
                try:
                    outputs, version = client.predict("serving_default", {"x": x})
                except Exception as error:
                    with self._lock:
                        self.failed += 1
                        self.errors.add(f"{type(error).__name__}: {error}")
                    continue
                right = (outputs["version"] == version).all() and (outputs["y"] == x / 2 + version).all()
                with self._lock:
                    self.answered += 1
                    self.mixed += not right
                    self.newest = max(self.newest, version)


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


def memory(pid: int) -> float:
    """MB that a process holds."""
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) / 1024  # type: ignore[index]


def soak(minutes: float, swap: float, clients: int, flags: list[str]) -> int:
    """Run it all; the exit status."""
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder) / "model"
        write_version(base / "1", 1)
        command = [sys.executable, "-m", "tfrec.serving.server", f"--model_base_path={base}", "--port=0"]
        command += ["--file_system_poll_wait_seconds=0.2", "--max_num_load_retries=0", *flags]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        log = open(Path(folder) / "log", "w")  # noqa: SIM115
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment)
        assert server.stdout is not None
        ready = re.search(r"gRPC at (\S+?);", server.stdout.readline())
        assert ready, (Path(folder) / "log").read_text()
        load = Load(ready[1], clients)
        start = told = time.monotonic()
        first_memory = 0.0
        last_whole = swaps = 1
        for number in itertools.count(2):
            began = time.monotonic()
            if began - start > 60 * minutes:
                break
            if publish(base, number):
                last_whole = number
            swaps = number
            if number > 20:
                shutil.rmtree(base / str(number - 20))
            if first_memory == 0.0 and began - start > 60 * min(1.0, minutes / 4):
                first_memory = memory(server.pid)
            if began - told > 60:
                told = began
                print(_line(load, swaps, start, server.pid), flush=True)
            time.sleep(max(0.0, swap - (time.monotonic() - began)))
        time.sleep(2 + swap)
        load.stop()
        print(_line(load, swaps, start, server.pid))
        print(f"memory grew from {first_memory:.0f} to {memory(server.pid):.0f} MB once it was warm")
        served = load.newest
        print(f"newest version served: {served}, newest whole version: {last_whole}")
        server.terminate()
        status = server.wait()
        for error in sorted(load.errors)[:5]:
            print(error)
        return int(bool(load.failed or load.mixed or status) or served != last_whole)


def _line(load: Load, swaps: int, start: float, pid: int) -> str:
    seconds = time.monotonic() - start
    return (
        f"{seconds:5.0f} s: {swaps} versions, {load.answered:,} answers ({load.answered / seconds:,.0f} a second), "
        f"{load.failed} failed, {load.mixed} mixed, {memory(pid):.0f} MB"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--swap", type=float, default=1.0, help="seconds between versions")
    parser.add_argument("--clients", type=int, default=4)
    given, flags = parser.parse_known_args()
    return soak(given.minutes, given.swap, given.clients, flags)


if __name__ == "__main__":
    sys.exit(main())
