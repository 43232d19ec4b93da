"""The whole step, optimizer and all, is one program of static shapes that a TPU could hold: no way back to the host."""

import re

import pytest
import tensorflow as tf

from tests.training.shared_steps import CASES, made
from tfrec.config import Training
from tfrec.model import two_tower
from tfrec.model.sharded_table import ShardedTable
from tfrec.training import optimizer as optimizers
from tfrec.training.optimizer import build_optimizer
from tfrec.training.tables import table_on_host
from tfrec.training.trainer import _choose_random_numbers

HOST = re.compile(r"custom-call|infeed|outfeed|\bsend\(|\brecv\(")
DYNAMIC = re.compile(r"\[[^\]]*<=|\[[^\]]*\?|set-dimension-size|get-dimension-size")


@pytest.fixture
def compiled(monkeypatch):
    """The program, in XLA's own words, of a step of a case with dropout everywhere."""

    def hlo(case, static=True, sharded=False):
        objective, settings, training, large = CASES[case]
        monkeypatch.setattr(two_tower, "ASKED_APART_ABOVE", 0 if case == "large" else 4096)
        monkeypatch.setattr(optimizers, "changes_rows_alone", lambda rows: rows >= large)
        _choose_random_numbers(jit=True)
        drop = {name: 0.2 for name in settings if name.endswith("dropout")}
        model, batches = made(objective, {**settings, "dropout": 0.2, **drop}, {**training, "jit": static})
        batch = tf.nest.map_structure(tf.constant, next(batches.epoch(0, 0)))
        table = table_on_host(model.item_tower, batches.inputs) if sharded else None
        model.compute_loss(batch)
        model.compile(build_optimizer(Training(), 10, apart=[table] if table else []))
        model.optimizer.build(model.trainable_variables)
        model.shards = ShardedTable(tf.distribute.get_strategy(), table) if table else None
        step = tf.function(model.train_step, jit_compile=True, autograph=False)
        return step.experimental_get_compiler_ir(batch)(stage="hlo")

    yield hlo
    _choose_random_numbers(jit=False)


@pytest.mark.parametrize(("case", "sharded"), [*((case, False) for case in CASES), ("large", True)])
def test_a_step_is_one_program_of_static_shapes(compiled, case, sharded):
    hlo = compiled(case, sharded=sharded)
    assert " dot(" in hlo and "ENTRY" in hlo
    assert not HOST.findall(hlo)
    assert not DYNAMIC.findall(hlo)


def test_shapes_that_depend_on_a_batch_would_be_seen(compiled):
    assert DYNAMIC.findall(compiled("large", static=False))
