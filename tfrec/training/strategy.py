"""Where training runs: one device, several, or a TPU, chosen by one configuration key."""

from __future__ import annotations

import tensorflow as tf

from tfrec.errors import ConfigError, TrainingError


def build_strategy(name: str) -> tf.distribute.Strategy:
    """The strategy called `one`, `mirrored`, `multi-worker` or `tpu`.

    Raises:
        ConfigError: if the name is unknown.
        TrainingError: if the devices it needs are not there.
    """
    if name == "one":
        return tf.distribute.get_strategy()
    if name == "mirrored":
        return tf.distribute.MirroredStrategy(_logical_devices())
    if name == "multi-worker":
        return tf.distribute.MultiWorkerMirroredStrategy()
    if name == "tpu":
        try:
            resolver = tf.distribute.cluster_resolver.TPUClusterResolver.connect()
        except (ValueError, tf.errors.OpError) as error:
            raise TrainingError(
                "training.strategy is tpu but no TPU answers; choose `one`, or start the runtime with a TPU"
            ) from error
        return tf.distribute.TPUStrategy(resolver)
    raise ConfigError(f"training.strategy is {name!r}; expected one, mirrored, multi-worker or tpu")


def _logical_devices() -> list[str]:
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    return [device.name for device in devices]
