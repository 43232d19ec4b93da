"""From epochs in which an encoder is trained to epochs in which its vectors are read."""

from tests.conftest import FEATURES, JOINT, JOINT_TRAINING
from tfrec.training.trainer import train


def test_sound_alone_is_trained_and_then_read_as_vectors(make_world, tmp_path):
    """Spectrograms and vectors are both float32, so they must not be taken for one input of unknown shape."""
    world = make_world(tmp_path / "shop", {"sound": FEATURES["sound"]}, items=24, users=40, events=8)
    config = world.config(training={**JOINT_TRAINING, "epochs": 2, "encoder_epochs": 1}, model=JOINT)
    trained = train(config, world.dataset(config), str(tmp_path / "run"), say=lambda line: None)
    assert len(trained.history) == 2 and not trained.encoders["sound"].trainable
