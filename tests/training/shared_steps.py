"""Runs a few steps of several models under a strategy and writes what became of them.

python -m tests.training.shared_steps STRATEGY FILE DEVICES
"""

import sys
from unittest import mock

import numpy as np

import tfrec  # noqa: F401  before TensorFlow, so that tf.keras is Keras 2

import tensorflow as tf  # isort: skip

from tests.towers.conftest import LengthEncoder
from tests.training.conftest import ITEMS, USERS, make_batches
from tfrec.config import Model, Training
from tfrec.encoders.item_inputs import ItemInputs
from tfrec.model import two_tower
from tfrec.model.sharded_table import ShardedTable
from tfrec.model.two_tower import TwoTower
from tfrec.schema_parsing import parse_schema
from tfrec.training import optimizer as optimizers
from tfrec.training.cluster import Workers
from tfrec.training.fit import _distributed
from tfrec.training.optimizer import build_optimizer
from tfrec.training.strategy import build_strategy
from tfrec.training.tables import table_on_host

JOINT = {"content": "joint", "dropout": 0.0, "modality_dropout": 0.0, "id_dropout": 0.0, "fusion": "gate"}
# By name: the objective, the sections `model` and `training`, and from how many rows a table is a large one.
CASES = {
    "default": ("masked", {"members": 2}, {}, 10**9),
    "large": ("masked", {"members": 2}, {}, 4),
    "in-batch": ("retrieval", JOINT, {"search_weight": 0.5}, 10**9),
}


def made(objective, model_settings, training):
    """A model of items with ids and texts, and batches of 6 users and 25 of 50 items: an odd number."""
    schema = parse_schema(
        {
            "items": {"id": "item", "features": {"text": {"modality": "text", "columns": ["text"]}}},
            "users": {"id": "user", "features": {"country": "category"}},
            "events": {"user": "user", "item": "item", "context": {"hour": "number"}},
        },
        "",
        "schema",
    )
    model = Model(**{"dimension": 5, "factors": 0, "dropout": 0.0, "query_hidden": (4,), **model_settings})
    batches = make_batches(objective, 25, batch_size=6, members=model.members if model.content == "regression" else 1)
    lengths = np.random.default_rng(0).integers(1, 9, (ITEMS, 1)).astype(np.int32)
    arrays = {"id": batches.inputs.arrays["id"], "text": lengths, "text.present": lengths[:, 0] > 2}
    batches.inputs = ItemInputs(arrays, lengths[batches.inputs.search_owner], batches.inputs.search_owner)
    encoders = {"text": LengthEncoder(name="text")}
    sizes = {"country": USERS + 2}
    return (
        TwoTower(schema, model, Training(objective=objective, **training), encoders, {}, sizes, ITEMS),
        batches,
    )


def stepped(strategy, case, sharded=False):
    """The loss of each of two steps, the gradients of the first, and all weights after the second.

    With the item table whole on every replica, or divided among them.
    """
    objective, model_settings, training, large = CASES[case]
    tf.keras.backend.reset_uids()  # The same names whatever ran before.
    with (
        mock.patch.object(two_tower, "ASKED_APART_ABOVE", 0 if case == "large" else 4096),
        mock.patch.object(optimizers, "changes_rows_alone", lambda rows: rows >= large),
    ):
        with strategy.scope():
            model, batches = made(objective, model_settings, training)
        table = table_on_host(model.item_tower, batches.inputs) if sharded else None
        with strategy.scope():
            model.compute_loss(tf.nest.map_structure(tf.constant, next(batches.epoch(0, 0))))
            random = np.random.default_rng(0)
            for variable in model.trainable_variables:
                variable.assign(random.normal(0, 0.3, variable.shape))
            settings = Training(learning_rate=0.05, schedule="constant")
            model.compile(build_optimizer(settings, 10, apart=[table] if table else []))
            # Of a gradient that is 0 but for rounding, AdamW would make a step as long as any other.
            model.optimizer.epsilon = 1e-3
            model.optimizer.build(model.trainable_variables)
        if table:
            model.shards = ShardedTable(strategy, table)
            model.shards.load()
        losses, found = [], {}
        for step in range(2):
            shares = _distributed(strategy, batches, 1, step, 0)
            losses += model.fit(shares, steps_per_epoch=1, verbose=0).history["loss"]
            model.store_table()
            for number, variable in enumerate(model.trainable_variables):
                # The first moment of AdamW begins with a tenth of the gradient.
                value = model.optimizer._momentums[number] if step == 0 else variable
                found[f"{'weights' if step else 'gradient'} {number} {variable.name}"] = value.numpy()
    if table:
        found["rows held"] = [own.shape[0] for own in strategy.experimental_local_results(model.shards.own.values)]
    return {f"{case}: {name}": value for name, value in {**found, "losses": losses}.items()}


def all_cases(strategy):
    """What `stepped` gives of every case, and what the strategy is."""
    found = {key: value for case in CASES for key, value in stepped(strategy, case).items()}
    if isinstance(strategy, tf.distribute.MirroredStrategy):
        found |= {f"sharded: {key}": value for key, value in stepped(strategy, "large", sharded=True).items()}
    return {**found, "replicas": strategy.num_replicas_in_sync, "worker": Workers(strategy).number}


if __name__ == "__main__":
    name, file, devices = sys.argv[1:]
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * int(devices))
    # Steps that are taken twice are not worth making faster.
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    np.savez(file, **all_cases(build_strategy(Training(strategy=name))))
