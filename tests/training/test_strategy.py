import numpy as np
import pytest
import tensorflow as tf

from tfrec.config import Training
from tfrec.errors import ConfigError, TrainingError
from tfrec.training.optimizer import WarmupCosine, build_optimizer
from tfrec.training.strategy import build_strategy


def test_an_unknown_strategy_and_a_missing_tpu_are_told():
    with pytest.raises(ConfigError, match=r"training\.strategy is 'gpu'; expected one, mirrored, multi-worker or tpu"):
        build_strategy(Training(strategy="gpu"))
    with pytest.raises(TrainingError, match="no TPU answers: this machine has none"):
        build_strategy(Training(strategy="tpu"))


def test_trainings_of_one_process_share_their_strategy():
    """Sums over the devices of a second one would be mistaken for those of the first."""
    assert build_strategy(Training(strategy="mirrored")) is build_strategy(Training(strategy="mirrored"))


def test_the_rate_rises_then_falls_to_a_hundredth():
    schedule = WarmupCosine(peak=0.1, steps=100, warmup=10)
    rates = [float(schedule(tf.constant(step))) for step in range(101)]
    assert np.argmax(rates) in (9, 10) and max(rates) == pytest.approx(0.1)
    assert rates[0] == pytest.approx(0.01) and rates[-1] == pytest.approx(0.001)
    assert np.all(np.diff(rates[:10]) > 0) and np.all(np.diff(rates[11:]) < 0)


def test_weight_decay_leaves_biases_alone():
    optimizer = build_optimizer(Training(schedule="constant", weight_decay=0.1, learning_rate=0.1), steps=10)
    layer = tf.keras.layers.Dense(1, bias_initializer="ones")
    layer.build([None, 1])
    before = layer.kernel.numpy()
    optimizer.apply_gradients([(tf.zeros_like(weight), weight) for weight in layer.trainable_variables])
    np.testing.assert_allclose(layer.kernel, before * 0.99, rtol=1e-5)
    np.testing.assert_array_equal(layer.bias, [1.0])
