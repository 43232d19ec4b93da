"""Two devices, and two processes, compute the step that one device computes of the same batch."""

import json
import os
import socket
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from tests.training.shared_steps import CASES, all_cases


def started(*arguments, **environment):
    command = [sys.executable, "-m", "tests.training.shared_steps", *map(str, arguments)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, **environment}
    )


def cluster_of_two():
    """TF_CONFIG of each of two workers on this machine."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    addresses = [f"127.0.0.1:{listening.getsockname()[1]}" for listening in sockets]
    for listening in sockets:
        listening.close()
    return [
        json.dumps({"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}) for index in range(2)
    ]


@pytest.fixture(scope="module")
def steps(tmp_path_factory):
    """What one device, two devices, and each of two workers made of the same steps, by name."""
    folder = tmp_path_factory.mktemp("steps")
    two, *workers = (folder / f"{name}.npz" for name in ("two", "first", "second"))
    running = [started("mirrored", two, 2)]
    running += [started("multi-worker", file, 1, TF_CONFIG=own) for file, own in zip(workers, cluster_of_two())]
    one = {name: np.asarray(value) for name, value in all_cases(tf.distribute.get_strategy()).items()}
    for process in running:
        told, _ = process.communicate(timeout=500)
        assert process.returncode == 0, told[-3000:]
    return {"one": one, **{file.stem: dict(np.load(file)) for file in (two, *workers)}}


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["two", "first", "second"])
@pytest.mark.parametrize("case", CASES)
def test_replicas_take_the_step_of_one_device(steps, case, layout):
    assert steps["one"]["replicas"] == 1 and steps[layout]["replicas"] == 2
    assert steps[layout]["worker"] == (layout == "second")
    expected = {name: value for name, value in steps["one"].items() if name.startswith(f"{case}: ")}
    gradients = [value for name, value in expected.items() if "gradient" in name]
    assert any(np.abs(value).max() > 0.01 for value in gradients)
    for name, value in expected.items():
        np.testing.assert_allclose(steps[layout][name], value, rtol=1e-4, atol=2e-5, err_msg=name)
