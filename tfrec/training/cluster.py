"""The workers of a multi-worker training: what TF_CONFIG says of them, and what they agree on."""

from __future__ import annotations

import json
from typing import Any

import tensorflow as tf

from tfrec.errors import TrainingError

EXAMPLE = (
    '{"cluster": {"worker": ["10.0.0.1:2222", "10.0.0.2:2222"]}, "task": {"type": "worker", "index": 0}}, with another '
    "index on each worker"
)


def check_cluster(tf_config: str) -> None:
    """Check what the environment variable TF_CONFIG says of a cluster and of this process in it.

    Args:
        tf_config: its value, "" where it is not set.

    Raises:
        TrainingError: if TensorFlow would not understand it, or would wait for workers in vain.
    """
    problem = _problem(tf_config)
    if problem:
        raise TrainingError(f"training.strategy is multi-worker but TF_CONFIG {problem}; expected such as {EXAMPLE}")


def _problem(tf_config: str) -> str:
    if not tf_config:
        return "is not set"
    try:
        stated = json.loads(tf_config)
        cluster, task = dict(stated["cluster"]), dict(stated["task"])
        kind, index = task["type"], int(task["index"])
    except (ValueError, KeyError, TypeError):
        return f"is {tf_config[:200]!r}"
    others = sorted(set(cluster) - {"chief", "worker", "evaluator"})
    if others:
        return f"has tasks of the type {others[0]}, and this strategy has workers and at most one chief"
    workers = [*cluster.get("chief", []), *cluster.get("worker", [])]
    if not all(isinstance(address, str) and address.rpartition(":")[2].isdigit() for address in workers):
        return f"has addresses that are not HOST:PORT: {workers}"
    if kind not in ("chief", "worker"):
        return f"makes this process the {kind}, and only workers and a chief train"
    count = len(cluster.get(kind, []))
    if not 0 <= index < count:
        return f"makes this process number {index} of the task {kind}, of which there are {count}"
    return ""


class Workers:
    """The processes that train together; one without a cluster.

    Args:
        strategy: the strategy of the training.

    Attributes:
        count: how many there are.
        number: of this process among them, the chief's is 0. The chief alone writes checkpoints, logs and exports.
    """

    def __init__(self, strategy: tf.distribute.Strategy):
        self._strategy = strategy
        self.count, self.number = 1, 0
        if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
            resolver = strategy.cluster_resolver
            tasks = resolver.cluster_spec().as_dict()
            chiefs = len(tasks.get("chief", []))
            self.count = chiefs + len(tasks.get("worker", []))
            self.number = resolver.task_id if resolver.task_type == "chief" else chiefs + resolver.task_id

    @property
    def chief(self) -> bool:
        return self.number == 0

    def mean(self, value: Any) -> float:
        """The mean of the workers' values, the same on all of them; each waits for the others."""
        if self.count == 1:
            return float(value)
        values = self._strategy.run(lambda: tf.constant(value, tf.float32))
        return float(self._strategy.reduce(tf.distribute.ReduceOp.MEAN, values, axis=None))

    def wait(self) -> None:
        """Go on when all workers are here."""
        self.mean(0)
