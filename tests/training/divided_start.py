"""A warm training on two devices that divide the item table among them; writes the item vectors it ends with.

python -m tests.training.divided_start WORLD DIRECTORY SERVED LARGE FILE; a table with more than LARGE rows is large.
"""

import pathlib
import sys
from unittest import mock

import numpy as np

import tfrec  # noqa: F401  before TensorFlow, so that tf.keras is Keras 2

import tensorflow as tf  # isort: skip

from tests.conftest import FEATURES, World
from tests.training.test_warm_start import SHOWN, large_and_warm
from tfrec.training import sizes
from tfrec.training.trainer import train

if __name__ == "__main__":
    world, directory, served, large, file = sys.argv[1:]
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    shop = World(pathlib.Path(world), {name: FEATURES[name] for name in SHOWN}, {}, {})
    config = large_and_warm(shop, strategy="mirrored", tables="sharded")
    with mock.patch.object(sizes, "LARGE", int(large)):
        trained = train(config, shop.dataset(config, "divided"), directory, served=[served])
    np.save(file, trained.model.item_tower.id_embedding.embeddings.numpy())
