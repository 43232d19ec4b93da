"""AdamW and its learning-rate schedule."""

from __future__ import annotations

import tensorflow as tf

from tfrec.config import Training


class WarmupCosine(tf.keras.optimizers.schedules.LearningRateSchedule):
    """Rises linearly to `peak` over `warmup` steps, then falls along a half cosine to a hundredth of it at `steps`."""

    def __init__(self, peak: float, steps: int, warmup: int):
        self.peak, self.steps, self.warmup = peak, steps, warmup

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        step = tf.cast(step, tf.float32)
        rising = (step + 1) / max(self.warmup, 1)
        done = tf.clip_by_value((step - self.warmup) / max(self.steps - self.warmup, 1), 0.0, 1.0)
        falling = 0.01 + 0.99 * 0.5 * (1 + tf.cos(3.141592653589793 * done))
        return self.peak * tf.where(step < self.warmup, rising, falling)

    def get_config(self) -> dict:
        return {"peak": self.peak, "steps": self.steps, "warmup": self.warmup}


def build_optimizer(settings: Training, steps: int) -> tf.keras.optimizers.Optimizer:
    """AdamW for `steps` changes of the weights in all; loss-scaled under mixed_float16.

    Weight decay leaves biases, scales and the temperature-like logits alone.
    """
    rate: float | WarmupCosine = settings.learning_rate
    if settings.schedule == "cosine":
        rate = WarmupCosine(settings.learning_rate, steps, int(settings.warmup * steps))
    optimizer = tf.keras.optimizers.AdamW(rate, weight_decay=settings.weight_decay, jit_compile=False)
    optimizer.exclude_from_weight_decay(var_names=["bias", "beta", "gamma", "logits"])
    if settings.mixed_precision == "mixed_float16":
        return tf.keras.mixed_precision.LossScaleOptimizer(optimizer)
    return optimizer
