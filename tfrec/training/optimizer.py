"""AdamW and its learning-rate schedule."""

from __future__ import annotations

from collections.abc import Iterable

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


class AdamW(tf.keras.optimizers.AdamW):
    """AdamW in which some variables learn slower or faster than the others, on the same schedule.

    Args:
        rate: learning rate or schedule.
        weight_decay: of the variables that learn at that rate; the others are not decayed, since weights that were
            learned before should not be drawn to 0.
        factors: variables, each with what its learning rate is multiplied by.
    """

    def __init__(
        self,
        rate: float | tf.keras.optimizers.schedules.LearningRateSchedule,
        weight_decay: float,
        factors: Iterable[tuple[tf.Variable, float]] = (),
    ):
        # A function, not a dict, which would be taken for a part of the state to save.
        self._factor_of = {self._var_key(variable): factor for variable, factor in factors}.get
        self._factor = 1.0
        super().__init__(rate, weight_decay=weight_decay, jit_compile=False)

    @property
    def learning_rate(self) -> tf.Tensor:
        """The learning rate of the step, for the variable that is being updated."""
        return super().learning_rate * self._factor

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable) -> None:
        self._factor = self._factor_of(self._var_key(variable), 1.0)
        super().update_step(gradient, variable)
        self._factor = 1.0

    def _use_weight_decay(self, variable: tf.Variable) -> bool:
        return self._factor_of(self._var_key(variable)) is None and super()._use_weight_decay(variable)


def build_optimizer(
    settings: Training, steps: int, own_rates: Iterable[tuple[tf.Variable, float]] = ()
) -> tf.keras.optimizers.Optimizer:
    """AdamW for `steps` changes of the weights in all; loss-scaled under mixed_float16.

    Weight decay leaves biases, scales and the temperature-like logits alone.

    Args:
        settings: the training section of the configuration.
        steps: how long the schedule is.
        own_rates: variables with a learning rate of their own at the schedule's peak.
    """
    rate: float | WarmupCosine = settings.learning_rate
    if settings.schedule == "cosine":
        rate = WarmupCosine(settings.learning_rate, steps, int(settings.warmup * steps))
    factors = [(variable, own / settings.learning_rate) for variable, own in own_rates]
    optimizer = AdamW(rate, settings.weight_decay, factors)
    optimizer.exclude_from_weight_decay(var_names=["bias", "beta", "gamma", "logits"])
    if settings.mixed_precision == "mixed_float16":
        return tf.keras.mixed_precision.LossScaleOptimizer(optimizer)
    return optimizer
