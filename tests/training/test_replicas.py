"""Three devices, and two processes, compute what one device computes, and go on where another layout was stopped."""

import json
import os
import socket
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from tests.training.shared_steps import CASES, all_cases
from tfrec.cli.main import main
from tfrec.training import sizes

CHECKPOINT = "training/checkpoints/latest"
FEW = 10  # More rows than this make a table a large one where a test says so.


def started(module, *arguments, **environment):
    command = [sys.executable, "-m", f"tests.training.{module}", *map(str, arguments)]
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
    """What one device, three devices, and each of two workers made of the same steps, by name."""
    folder = tmp_path_factory.mktemp("steps")
    three, *workers = (folder / f"{name}.npz" for name in ("three", "first", "second"))
    running = [started("shared_steps", "mirrored", three, 3)]
    running += [
        started("shared_steps", "multi-worker", file, 1, TF_CONFIG=own) for file, own in zip(workers, cluster_of_two())
    ]
    one = {name: np.asarray(value) for name, value in all_cases(tf.distribute.get_strategy()).items()}
    for process in running:
        told, _ = process.communicate(timeout=500)
        assert process.returncode == 0, told[-3000:]
    return {"one": one, **{file.stem: dict(np.load(file)) for file in (three, *workers)}}


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["three", "first", "second"])
@pytest.mark.parametrize("case", CASES)
def test_replicas_take_the_step_of_one_device(steps, case, layout):
    assert steps["one"]["replicas"] == 1 and steps[layout]["replicas"] == (3 if layout == "three" else 2)
    assert steps[layout]["worker"] == (layout == "second")
    expected = {name: value for name, value in steps["one"].items() if name.startswith(f"{case}: ")}
    gradients = [value for name, value in expected.items() if "gradient" in name]
    assert any(np.abs(value).max() > 0.01 for value in gradients)
    for name, value in expected.items():
        np.testing.assert_allclose(steps[layout][name], value, rtol=1e-4, atol=2e-5, err_msg=name)


@pytest.mark.slow
def test_replicas_that_divide_the_item_table_take_the_step_of_one_device(steps):
    expected = {name: value for name, value in steps["one"].items() if name.startswith("large: ")}
    assert sum("item_tower/id/embeddings" in name for name in expected) == 2
    # Of 61 rows no replica holds more than 21, and one place for those it does not hold.
    assert list(steps["three"]["sharded: large: rows held"]) == [22, 22, 22]
    for name, value in expected.items():
        np.testing.assert_allclose(steps["three"][f"sharded: {name}"], value, rtol=1e-4, atol=2e-5, err_msg=name)


@pytest.mark.slow
def test_training_goes_on_in_other_layouts_after_sigterm_as_if_nothing_had_happened(plain_world, tmp_path, monkeypatch):
    """In the recipe of large data one device is stopped in the second epoch and two workers a little later, two devices
    that divide the item table among them are stopped in the third, and one device finishes."""
    monkeypatch.setattr(sizes, "LARGE", FEW)

    def config(output, strategy, tables="auto"):
        document = plain_world.document(
            model={"dropout": 0.0, "factors": 0},
            training={"epochs": 3, "strategy": strategy, "tables": tables, "patience": 0},
        )
        files = {name: str(plain_world.folder / f"{name}.jsonl") for name in ("items", "users", "events")}
        document["data"] = {**files, "output": str(tmp_path / output)}
        path = tmp_path / f"{output}-{strategy}.yaml"
        path.write_text(json.dumps(document))
        return path

    def ended(process):
        told, _ = process.communicate(timeout=500)
        return process.returncode, told

    status, told = ended(started("stopped_training", config("moved", "one"), 1, 1, 4, FEW))
    assert status == 143 and "told to end (SIGTERM) after step 5 of epoch 2" in told, told[-3000:]
    several = config("moved", "multi-worker")
    # The second worker alone is told at its tenth step.
    workers = [
        started("stopped_training", several, 1, 1 if number else -1, 9, FEW, TF_CONFIG=own)
        for number, own in enumerate(cluster_of_two())
    ]
    for status, told in map(ended, workers):
        assert status == 143, told[-3000:]
        assert "going on after epoch 1, step 5 of the next one" in told
        assert "told to end (SIGTERM) after step 10 of epoch 2" in told
    status, told = ended(started("stopped_training", config("moved", "mirrored", "sharded"), 2, 2, 4, FEW))
    assert status == 143 and "going on after epoch 1, step 10 of the next one" in told, told[-3000:]
    assert main(["train", "-c", str(config("moved", "one"))]) == 0
    assert main(["train", "-c", str(config("whole", "one"))]) == 0
    whole, moved = (tf.train.load_checkpoint(str(tmp_path / name / CHECKPOINT)) for name in ("whole", "moved"))
    names = set(whole.get_variable_to_shape_map())
    assert names == set(moved.get_variable_to_shape_map()) and any("embeddings" in name for name in names)
    for name in names - {"_CHECKPOINTABLE_OBJECT_GRAPH", "save_counter/.ATTRIBUTES/VARIABLE_VALUE"}:
        np.testing.assert_allclose(moved.get_tensor(name), whole.get_tensor(name), rtol=1e-2, atol=2e-3, err_msg=name)
