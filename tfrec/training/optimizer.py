"""AdamW and its learning-rate schedule."""

from __future__ import annotations

from collections.abc import Iterable

import tensorflow as tf

from tfrec.config import Training
from tfrec.model.sharded_table import RowState, read_rows, write_rows
from tfrec.training.sizes import changes_rows_alone


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

    Of a large table (`tfrec.training.sizes`) only the rows change that have a gradient, each as if it were a variable
    of its own: moments, decay and the correction for how few gradients there were go with the steps that used the row.
    A row that is used once in a thousand steps then learns as fast as one that is used in all.

    All shapes are static, so that a step compiles for devices that need that.

    Args:
        rate: learning rate or schedule.
        weight_decay: of the variables that learn at that rate; the others are not decayed, since weights that were
            learned before should not be drawn to 0.
        factors: variables, each with what its learning rate is multiplied by.
        apart: tables, each with its state, that are changed by `change_rows` instead of `apply_gradients`.
    """

    def __init__(
        self,
        rate: float | tf.keras.optimizers.schedules.LearningRateSchedule,
        weight_decay: float,
        factors: Iterable[tuple[tf.Variable, float]] = (),
        apart: Iterable[RowState] = (),
    ):
        # Functions, not dicts, which would be taken for a part of the state to save.
        self._factor_of = {self._var_key(variable): factor for variable, factor in factors}.get
        self._apart_of = {self._var_key(state.values): state for state in apart}.get
        self._factor = 1.0
        super().__init__(rate, weight_decay=weight_decay, jit_compile=False)

    @property
    def learning_rate(self) -> tf.Tensor:
        """The learning rate of the step, for the variable that is being updated."""
        return super().learning_rate * self._factor

    def build(self, var_list: Iterable[tf.Variable]) -> None:
        var_list = list(var_list)
        first = not getattr(self, "_built", False)
        super().build(var_list)
        if first:
            self._uses = {
                self._var_key(variable): self.add_variable_from_reference(variable, "uses", shape=[variable.shape[0]])
                for variable in var_list
                if _is_large_table(variable)
            }

    def add_variable_from_reference(
        self,
        model_variable: tf.Variable,
        variable_name: str,
        shape: Iterable[int] | None = None,
        initial_value: tf.Tensor | None = None,
    ) -> tf.Variable:
        apart = self._apart_of(self._var_key(model_variable))
        if apart is None:
            return super().add_variable_from_reference(model_variable, variable_name, shape, initial_value)
        made = {"m": apart.first, "v": apart.second, "uses": apart.uses}[variable_name]
        # At the place where it is in a checkpoint of any other layout.
        self._variables.append(made)
        return made

    def change_rows(self, gradients: tf.Tensor, rows: tf.Tensor, state: RowState, table: tf.Variable) -> None:
        """Change rows of a large table as `apply_gradients`, which comes before it, changed the other variables.

        Args:
            gradients: [R, D] of the rows int [R]; those of a row named twice are added up.
            state: where the rows are.
            table: the variable of the model that they are of.
        """
        summed = _added_up(tf.IndexedSlices(gradients, rows), state.values.shape[0])
        self._change_rows(summed, rows, state, self._decays(table))

    def update_step(self, gradient: tf.Tensor | tf.IndexedSlices, variable: tf.Variable) -> None:
        self._factor = self._factor_of(self._var_key(variable), 1.0)
        if not _is_large_table(variable):
            # Every row changes in every step, so there is nothing to gain from knowing which have a gradient.
            super().update_step(tf.convert_to_tensor(gradient), variable)
        elif isinstance(gradient, tf.IndexedSlices):
            self._update_rows(_added_up(gradient, variable.shape[0]), gradient.indices, variable)
        else:
            self._update_rows(gradient, tf.range(variable.shape[0]), variable)
        self._factor = 1.0

    def _update_rows(self, gradients: tf.Tensor, rows: tf.Tensor, variable: tf.Variable) -> None:
        key = self._var_key(variable)
        number = self._index_dict[key]
        state = RowState(variable, self._momentums[number], self._velocities[number], self._uses[key])
        self._change_rows(gradients, rows, state, self._decays(variable))

    def _change_rows(self, gradients: tf.Tensor, rows: tf.Tensor, state: RowState, decays: bool) -> None:
        """One step of AdamW of the rows int [R] with gradients [R, D]; a row named twice has equal ones."""
        rate = tf.cast(self.learning_rate, state.values.dtype)
        count = read_rows(state.uses, rows) + 1
        first = self.beta_1 * read_rows(state.first, rows) + (1 - self.beta_1) * gradients
        second = self.beta_2 * read_rows(state.second, rows) + (1 - self.beta_2) * tf.square(gradients)
        write_rows(state.uses, rows, count)
        write_rows(state.first, rows, first)
        write_rows(state.second, rows, second)
        corrected = tf.sqrt(1 - self.beta_2**count) / (1 - self.beta_1**count)
        change = corrected[:, tf.newaxis] * first / (tf.sqrt(second) + self.epsilon)
        values = read_rows(state.values, rows)
        if decays:
            change += self.weight_decay * values
        write_rows(state.values, rows, values - rate * change)

    def _deduplicate_sparse_grad(self, grads: Iterable) -> list:
        # Keras makes as many rows of it as there are different ones, a number that is known in the step only.
        return list(grads)

    def _decays(self, variable: tf.Variable) -> bool:
        return self._factor_of(self._var_key(variable)) is None and super()._use_weight_decay(variable)

    def _use_weight_decay(self, variable: tf.Variable) -> bool:
        return not _is_large_table(variable) and self._decays(variable)


def _added_up(gradient: tf.IndexedSlices, rows: int) -> tf.Tensor:
    """The values [R, D] with each one replaced by the sum of all for the same of the table's `rows` rows."""
    places = tf.range(tf.shape(gradient.indices)[0])
    first = tf.gather(tf.math.unsorted_segment_min(places, gradient.indices, rows), gradient.indices)
    sums = tf.math.unsorted_segment_sum(gradient.values, first, tf.shape(places)[0])
    return tf.gather(sums, first)


def _is_large_table(variable: tf.Variable) -> bool:
    return variable.shape.rank == 2 and changes_rows_alone(variable.shape[0])


def build_optimizer(
    settings: Training,
    steps: int,
    own_rates: Iterable[tuple[tf.Variable, float]] = (),
    apart: Iterable[RowState] = (),
) -> tf.keras.optimizers.Optimizer:
    """AdamW for `steps` changes of the weights in all; loss-scaled under mixed_float16.

    Weight decay leaves biases, scales and the temperature-like logits alone.

    Args:
        settings: the training section of the configuration.
        steps: how long the schedule is.
        own_rates: variables with a learning rate of their own at the schedule's peak.
        apart: as of `AdamW`; not under mixed_float16.
    """
    rate: float | WarmupCosine = settings.learning_rate
    if settings.schedule == "cosine":
        rate = WarmupCosine(settings.learning_rate, steps, int(settings.warmup * steps))
    factors = [(variable, own / settings.learning_rate) for variable, own in own_rates]
    optimizer = AdamW(rate, settings.weight_decay, factors, apart)
    optimizer.exclude_from_weight_decay(var_names=["bias", "beta", "gamma", "logits"])
    if settings.mixed_precision == "mixed_float16":
        return tf.keras.mixed_precision.LossScaleOptimizer(optimizer)
    return optimizer
