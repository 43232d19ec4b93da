"""A training that is killed goes on where it was; a full disk costs nothing that was saved."""

import errno
import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from tfrec.errors import TrainingError
from tfrec.training.checkpoints import Checkpoints, disk_guard
from tfrec.training.cluster import Workers
from tfrec.training.trainer import train

ALONE = Workers(tf.distribute.get_strategy())

TRAIN = """
import json, os, signal, sys
from tfrec.config import load_config
from tfrec.data.ingest import ingest
from tfrec.training.trainer import train

config, directory, kill_after = sys.argv[1], sys.argv[2], int(sys.argv[3])

def say(line):
    print(line, flush=True)
    if kill_after and line.startswith(f"epoch   {kill_after}/"):
        os.kill(os.getpid(), signal.SIGKILL)

config = load_config(config)
dataset, _ = ingest(config, os.path.join(directory, "data"))
print(json.dumps(train(config, dataset, directory, say=say).history))
"""


def run_training(config, directory, kill_after=0):
    """Train in a process of its own; returns it, with its standard output."""
    command = [sys.executable, "-c", TRAIN, str(config), str(directory), str(kill_after)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


@pytest.mark.slow
def test_a_killed_training_goes_on_and_ends_as_if_it_had_not_been_killed(plain_world, tmp_path):
    config = tmp_path / "shop.yaml"
    document = plain_world.document(training={"epochs": 5})
    document["data"] = {
        "items": str(plain_world.folder / "items.jsonl"),
        "users": str(plain_world.folder / "users.jsonl"),
        "events": str(plain_world.folder / "events.jsonl"),
    }
    config.write_text(json.dumps(document))
    whole = run_training(config, tmp_path / "whole")
    killed = run_training(config, tmp_path / "killed", kill_after=2)
    assert killed.returncode == -signal.SIGKILL
    resumed = run_training(config, tmp_path / "killed")
    assert "going on after epoch 2" in resumed.stdout and "epoch   3/5" in resumed.stdout
    assert "epoch   2/5" not in resumed.stdout
    one, other = (json.loads(process.stdout.splitlines()[-1]) for process in (whole, resumed))
    assert [epoch["epoch"] for epoch in one] == [epoch["epoch"] for epoch in other] == [1, 2, 3, 4, 5]
    # The batches are the same; dropout is drawn anew.
    assert other[-1]["loss"] == pytest.approx(one[-1]["loss"], rel=0.05)
    assert other[-1]["ndcg@10"] == pytest.approx(one[-1]["ndcg@10"], abs=0.08)
    again = run_training(config, tmp_path / "killed")
    assert "the trained model is up to date" in again.stdout and "epoch   5/5" not in again.stdout


@pytest.fixture
def small(plain_world, plain_dataset, tmp_path):
    """Trains a small shop in `tmp_path`, `epochs` long."""

    def run(say=lambda line: None, **training):
        config = plain_world.config(training={"epochs": 4, **training})
        return train(config, plain_dataset, str(tmp_path), say=say)

    return run


class Stopped(Exception):
    """Stands for whatever ends a training in the middle."""


def stop_after(epoch):
    def say(line):
        if line.startswith(f"epoch   {epoch}/"):
            raise Stopped

    return say


def test_other_settings_or_data_start_anew(small):
    small(epochs=2)
    lines = []
    trained = small(epochs=2, learning_rate=0.02, say=lines.append)
    assert lines[0].startswith("epoch   1/2") and len(trained.history) == 2


def test_the_optimizer_goes_on_too(small, tmp_path):
    with pytest.raises(Stopped):
        small(say=stop_after(2))
    small()
    latest = tf.train.load_checkpoint(str(tmp_path / "checkpoints/latest"))
    # 16 batches in each of 4 epochs.
    assert latest.get_tensor("optimizer/_iterations/.ATTRIBUTES/VARIABLE_VALUE") == 64


def test_a_full_disk_ends_in_one_sentence_and_the_former_state_is_resumed(small, monkeypatch):
    write = tf.train.CheckpointManager.save
    saved = []

    def full_after_two(manager, *arguments, **options):
        saved.append(manager.directory)
        if len(saved) > 5:
            raise tf.errors.ResourceExhaustedError(None, None, "/disk/latest; No space left on device")
        return write(manager, *arguments, **options)

    monkeypatch.setattr(tf.train.CheckpointManager, "save", full_after_two)
    with pytest.raises(TrainingError) as caught:
        small()
    assert "is full; free some space and run the same command again" in str(caught.value)
    assert "\n" not in str(caught.value)
    monkeypatch.undo()
    lines = []
    trained = small(say=lines.append)
    assert lines[0].startswith("going on after epoch") and len(trained.history) == 4


def test_a_full_disk_while_the_state_is_written_leaves_the_former_checkpoint(small, tmp_path, monkeypatch):
    rename = tf.io.gfile.rename
    renamed = []

    def full_at_the_second(source, destination, overwrite=False):
        if destination.endswith("state.json"):
            renamed.append(destination)
            if len(renamed) == 2:
                raise OSError(errno.ENOSPC, "No space left on device")
        return rename(source, destination, overwrite)

    monkeypatch.setattr(tf.io.gfile, "rename", full_at_the_second)
    with pytest.raises(TrainingError):
        small()
    monkeypatch.undo()
    state = json.loads((tmp_path / "checkpoints/state.json").read_text())
    assert state["epoch"] == 1 and (tmp_path / "checkpoints/latest" / f"{state['checkpoint']}.index").exists()
    lines = []
    small(say=lines.append)
    assert lines[0] == "going on after epoch 1"


def test_a_state_whose_checkpoint_is_lost_starts_anew(small, tmp_path):
    small(epochs=1)
    for file in (tmp_path / "checkpoints/latest").iterdir():
        file.unlink()
    lines = []
    small(epochs=1, say=lines.append)
    assert lines[0].startswith("epoch   1/1")


def test_only_a_full_disk_is_taken_for_one():
    with pytest.raises(PermissionError), disk_guard("/data"):
        raise PermissionError("no")
    with pytest.raises(TrainingError, match="the disk that holds /data is full"), disk_guard("/data"):
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))


def test_between_checkpoints_nothing_is_written(small):
    with pytest.raises(Stopped):
        small(checkpoint_every=2, patience=0, say=stop_after(3))
    lines = []
    small(checkpoint_every=2, patience=0, say=lines.append)
    assert lines[0] == "going on after epoch 2" and lines[1].startswith("epoch   3/4")


def test_a_checkpoint_holds_the_weights_of_its_epoch(small, tmp_path):
    trained = small(epochs=1)
    before = [variable.numpy() for variable in trained.model.trainable_variables]
    for variable in trained.model.trainable_variables:
        variable.assign(tf.zeros_like(variable))
    state = json.loads((tmp_path / "checkpoints/state.json").read_text())
    assert Checkpoints(str(tmp_path / "checkpoints"), state["fingerprint"], trained.model, ALONE).resume()["epoch"] == 1
    for variable, value in zip(trained.model.trainable_variables, before):
        np.testing.assert_array_equal(variable, value)
