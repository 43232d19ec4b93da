"""What is wrong with a cluster or a TPU is told before TensorFlow waits for it."""

import json
import socket

import pytest

from tfrec.config import Training
from tfrec.errors import TrainingError
from tfrec.training.cluster import check_cluster
from tfrec.training.strategy import build_strategy

WORKERS = ["10.0.0.1:2222", "10.0.0.2:2222"]


def stated(cluster, kind="worker", index=0):
    return json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}})


def test_workers_with_and_without_a_chief_are_a_cluster():
    check_cluster(stated({"worker": WORKERS}, index=1))
    check_cluster(stated({"chief": WORKERS[:1], "worker": WORKERS[1:]}, "chief"))


@pytest.mark.parametrize(
    ("tf_config", "told"),
    [
        ("", "TF_CONFIG is not set; expected such as"),
        ("{", "TF_CONFIG is '{'"),
        (json.dumps({"cluster": {"worker": WORKERS}}), 'TF_CONFIG is \'{"cluster"'),
        (stated({"worker": WORKERS}, index=2), "makes this process number 2 of the task worker, of which there are 2"),
        (stated({"worker": ["10.0.0.1"]}), r"addresses that are not HOST:PORT: \['10.0.0.1'\]"),
        (stated({"worker": WORKERS, "ps": WORKERS}), "tasks of the type ps"),
        (stated({"worker": WORKERS, "evaluator": WORKERS}, "evaluator"), "only workers and a chief train"),
    ],
)
def test_a_cluster_nobody_could_join_is_told(monkeypatch, tf_config, told):
    monkeypatch.setenv("TF_CONFIG", tf_config)
    with pytest.raises(TrainingError, match=told):
        build_strategy(Training(strategy="multi-worker"))


def test_a_tpu_that_does_not_answer_is_told_at_once(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        nobody = f"grpc://127.0.0.1:{listening.getsockname()[1]}"
    monkeypatch.setenv("TPU_NAME", nobody)
    with pytest.raises(TrainingError, match=f"no TPU answers at '{nobody}', which TPU_NAME names .*refused"):
        build_strategy(Training(strategy="tpu"))


def test_replicas_compile_on_gpus_only():
    with pytest.raises(TrainingError, match=r"training\.jit with training\.strategy mirrored needs GPUs"):
        build_strategy(Training(strategy="mirrored", jit=True))
