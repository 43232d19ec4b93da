"""Where training runs: one device, several, several machines or a TPU, chosen by one configuration key."""

from __future__ import annotations

import functools
import os
import socket

import tensorflow as tf

from tfrec.config import Training
from tfrec.errors import ConfigError, TrainingError
from tfrec.training.cluster import check_cluster

TPU_NAMES = ("TPU_NAME", "KUBE_GOOGLE_CLOUD_TPU_ENDPOINTS")  # Where TensorFlow itself looks for a TPU's address.
TPU_PORT = 8470
SECONDS = 10.0  # How long a TPU's address may take to answer.


def build_strategy(training: Training) -> tf.distribute.Strategy:
    """The strategy that `training.strategy` names, for mirrored and tpu the same one each time.

    - `one`: the first device.
    - `mirrored`: all GPUs of this machine, or all logical CPUs where there is none.
    - `multi-worker`: this process and the others of the cluster in TF_CONFIG, each with its GPUs; call it before
      TensorFlow has made its first tensor.
    - `tpu`: the TPU of this machine, or the one that the environment variable TPU_NAME names.

    Raises:
        ConfigError: if the name is unknown.
        TrainingError: if the devices, the cluster or the TPU are not there, or cannot compile as `training.jit` asks.
    """
    name = training.strategy
    if name == "one":
        return tf.distribute.get_strategy()
    if name == "mirrored":
        _check_compiling(training)
        return _mirrored(_logical_devices())
    if name == "multi-worker":
        _check_compiling(training)
        check_cluster(os.environ.get("TF_CONFIG", ""))
        try:
            return tf.distribute.MultiWorkerMirroredStrategy()
        except RuntimeError as error:
            raise TrainingError(
                f"the cluster in TF_CONFIG cannot be joined: {error}; make the strategy before anything is computed"
            ) from error
    if name == "tpu":
        return _on_tpu(*_tpu_name())
    raise ConfigError(f"training.strategy is {name!r}; expected one, mirrored, multi-worker or tpu")


@functools.cache
def _mirrored(devices: tuple[str, ...]) -> tf.distribute.Strategy:
    # One for all trainings of a process, as of a search: each new one would number its sums over devices from the
    # beginning, and TensorFlow takes sums of one number for the same.
    return tf.distribute.MirroredStrategy(devices)


def _logical_devices() -> tuple[str, ...]:
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    return tuple(device.name for device in devices)


def _check_compiling(training: Training) -> None:
    # Their replicas meet in the middle of a step; TensorFlow compiles across that on GPUs only.
    if training.jit and not tf.config.list_physical_devices("GPU"):
        raise TrainingError(
            f"training.jit with training.strategy {training.strategy} needs GPUs, and there are none; set training.jit "
            "to false"
        )


def _tpu_name() -> tuple[str, str]:
    """The name or address of the TPU, and the environment variable that says so, "" for none."""
    variable = next((variable for variable in TPU_NAMES if os.environ.get(variable)), "")
    name = os.environ.get(variable, "")
    # A machine with a TPU of its own needs no address.
    if not name and tf.config.list_physical_devices("TPU"):
        name = "local"
    if not name:
        raise TrainingError(
            "training.strategy is tpu but no TPU answers: this machine has none, and the environment variable TPU_NAME "
            "names none; choose `one`, or start the runtime with a TPU"
        )
    return name, variable


@functools.cache
def _on_tpu(name: str, variable: str) -> tf.distribute.Strategy:
    # One for all trainings of a process: to connect again is to clear the TPU of the models trained before.
    try:
        _check_address(name)
        return tf.distribute.TPUStrategy(tf.distribute.cluster_resolver.TPUClusterResolver.connect(name))
    except (OSError, ValueError, RuntimeError, ImportError, tf.errors.OpError) as error:
        told = f", which {variable} names" if variable else ""
        raise TrainingError(
            f"training.strategy is tpu but no TPU answers at {name!r}{told} ({error}); start it, or choose `one`"
        ) from error


def _check_address(name: str) -> None:
    """Raise OSError if nobody listens at the address; TensorFlow itself would wait for many minutes."""
    for address in name.split(",") if "://" in name else ():
        host, _, port = address.partition("://")[2].partition(":")
        with socket.create_connection((host, int(port or TPU_PORT)), timeout=SECONDS):
            pass
