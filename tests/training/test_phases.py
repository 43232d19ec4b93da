"""From epochs in which an encoder is trained to epochs in which its vectors are read."""

from unittest import mock

import pytest

from tests.conftest import FEATURES, JOINT, JOINT_TRAINING
from tfrec.model.two_tower import TwoTower
from tfrec.training.trainer import train


def test_sound_alone_is_trained_and_then_read_as_vectors(make_world, tmp_path):
    """Spectrograms and vectors are both float32, so they must not be taken for one input of unknown shape."""
    world = make_world(tmp_path / "shop", {"sound": FEATURES["sound"]}, items=24, users=40, events=8)
    config = world.config(training={**JOINT_TRAINING, "epochs": 2, "encoder_epochs": 1}, model=JOINT)
    trained = train(config, world.dataset(config), str(tmp_path / "run"), say=lambda line: None)
    assert len(trained.history) == 2 and not trained.encoders["sound"].trainable


@pytest.mark.parametrize("epochs, encoder_epochs, phases", [(3, 0, 1), (3, 1, 2)])
def test_the_train_step_is_traced_once_in_each_phase(make_world, tmp_path, epochs, encoder_epochs, phases):
    world = make_world(tmp_path / "shop", {"sound": FEATURES["sound"]}, items=24, users=40, events=8)
    training = {**JOINT_TRAINING, "epochs": epochs, "encoder_epochs": encoder_epochs, "batch_size": 16}
    config = world.config(training=training, model=JOINT)
    traced = []

    def step(model, inputs):
        traced.append(inputs)
        return original(model, inputs)

    original = TwoTower.train_step
    with mock.patch.object(TwoTower, "train_step", step):
        train(config, world.dataset(config), str(tmp_path / "run"), say=lambda line: None)
    assert len(traced) == phases


@pytest.mark.slow
def test_a_compiled_training_is_decided_by_its_seed(plain_world, plain_dataset, tmp_path):
    """Dropout too, whose usual random numbers XLA does not seed."""
    losses = {}
    for run, seed in enumerate([1, 1, 2]):
        config = plain_world.config(training={"epochs": 2, "jit": True, "seed": seed}, model={"dropout": 0.5})
        trained = train(config, plain_dataset, str(tmp_path / str(run)), say=lambda line: None)
        losses[run] = [epoch["loss"] for epoch in trained.history]
    assert losses[0] == losses[1] != losses[2]
