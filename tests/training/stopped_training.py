"""`tfrec train` that is told to end at a step, by a real SIGTERM.

python -m tests.training.stopped_training CONFIG DEVICES EPOCH STEP LARGE; without being told where EPOCH is -1. A table
with more than LARGE rows is a large one.
"""

import os
import signal
import sys
from unittest import mock

import tfrec  # noqa: F401  before TensorFlow, so that tf.keras is Keras 2

import tensorflow as tf  # isort: skip

from tfrec.cli.main import main
from tfrec.training import sizes
from tfrec.training.callbacks import Keeper

if __name__ == "__main__":
    config, devices, epoch, step, large = sys.argv[1], *map(int, sys.argv[2:])
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * devices)
    # What runs for seconds is not worth making faster.
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    stepped = Keeper.stepped

    def stepped_and_told(keeper, last):
        if (keeper.epoch, keeper.step) == (epoch, step):
            os.kill(os.getpid(), signal.SIGTERM)
        stepped(keeper, last)

    with mock.patch.object(Keeper, "stepped", stepped_and_told), mock.patch.object(sizes, "LARGE", large):
        sys.exit(main(["train", "-c", config]))
