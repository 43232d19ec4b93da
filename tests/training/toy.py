"""A catalogue of numbers in which one attribute tells the taste of an item, another is noise, and texts name items."""

import dataclasses

import numpy as np
import tensorflow as tf

from tests.towers.conftest import LengthEncoder
from tfrec.config import Model, Training
from tfrec.encoders.item_inputs import ItemInputs
from tfrec.model.embedding import Embedder
from tfrec.model.two_tower import TwoTower
from tfrec.schema_parsing import parse_schema
from tfrec.training.interactions import Interactions

TASTES, ITEMS, KNOWN, USERS = 12, 120, 96, 240
FEATURES = {"kind": "category", "noise": "category", "price": "number"}
USED = {"members": 1, "dimension": TASTES, "use_user_features": False, "use_context": False}


@dataclasses.dataclass
class Toy:
    """A model, all its inputs, and who touched what; the last items of the catalogue nobody touched.

    Attributes:
        taste: int [N], of each item; that of a user is their number modulo `TASTES`.
        table: float32 [N, width], vectors that tell the taste of the known items; zeros for the others.
        known: bool [N].
    """

    model: TwoTower
    inputs: ItemInputs
    pairs: Interactions
    taste: np.ndarray
    table: np.ndarray
    known: np.ndarray

    def embedder(self) -> Embedder:
        return Embedder(self.model, 8)


def make_toy(features=None, factors=0, seed=0, **model):
    """The toy with the item features `features`, `FEATURES` by default."""
    random = np.random.default_rng(seed)
    features = FEATURES if features is None else features
    taste = random.permutation(np.arange(ITEMS) % TASTES)
    known = np.arange(ITEMS) < KNOWN
    every = {
        "kind": (taste + 2).astype(np.int32),
        "noise": random.integers(2, 8, ITEMS).astype(np.int32),
        "price": np.stack([random.normal(size=ITEMS), np.ones(ITEMS)], axis=1).astype(np.float32),
    }
    numbers = np.where(known, np.cumsum(known), 0).astype(np.int32)
    inputs = ItemInputs(
        {"id": numbers, **{name: every[name] for name in features if name in every}}, None, np.zeros(0, np.int32)
    )
    schema = parse_schema(
        {
            "items": {"id": "item", "features": features},
            "users": {"id": "user"},
            "events": {"user": "user", "item": "item"},
        },
        "",
        "schema",
    )
    encoders = {feature.name: LengthEncoder(name=feature.name) for feature in schema.content()}
    settings = Model(**{**USED, "factors": factors, **model})
    sizes = {name: size for name, size in {"kind": TASTES + 2, "noise": 8}.items() if name in features}
    tower = TwoTower(schema, settings, Training(), encoders, sizes, {}, KNOWN)
    side = np.eye(TASTES)[taste] + random.normal(0, 0.1, (ITEMS, TASTES))
    table = np.concatenate([side, np.zeros((ITEMS, 1)), side, np.zeros((ITEMS, factors))], axis=1)
    histories = []
    for user in range(USERS):
        chances = np.where(taste == user % TASTES, 20.0, 1.0) * known
        histories.append(random.choice(ITEMS, 12, replace=False, p=chances / chances.sum()))
    item = np.concatenate(histories).astype(np.int32)
    pairs = Interactions(
        np.arange(USERS + 1, dtype=np.int64) * 12, item, np.ones(len(item), np.float32), np.arange(len(item))
    )
    tower.item_tower({name: tf.constant(array[:1]) for name, array in inputs.arrays.items()})
    table = np.where(known[:, np.newaxis], table, 0).astype(np.float32)
    tower.item_tower.id_embedding.embeddings.assign(
        np.concatenate([np.zeros((1, 2 * TASTES + 1)), table[known, : 2 * TASTES + 1]]).astype(np.float32)
    )
    return Toy(tower, inputs, pairs, taste, table, known)
