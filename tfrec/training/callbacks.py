"""What happens at the end of an epoch: checkpoints, the best one remembered, early stopping."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping

import tensorflow as tf

from tfrec.errors import Diverged
from tfrec.training.checkpoints import Checkpoints

MONITORED = "ndcg@10"


class Keeper(tf.keras.callbacks.Callback):
    """Saves the state after each epoch, remembers the best one, and stops when it has not been bettered for long.

    Args:
        checkpoints: where the state goes.
        epochs: how many epochs there are at most.
        patience: epochs without a better metric before training stops, from epoch `patient_from` on; 0 goes on to the
            end, and the last epoch counts as the best.
        every: epochs between checkpoints; with patience a new best is saved too, and without it the last epoch.
        state: what `Checkpoints.resume` gave, or None at a new start.
        say: called with one line per epoch.
    """

    def __init__(
        self,
        checkpoints: Checkpoints,
        epochs: int,
        patience: int,
        patient_from: int,
        every: int,
        state: Mapping | None,
        say: Callable[[str], None],
    ):
        super().__init__()
        self.checkpoints, self.every, self.say = checkpoints, every, say
        self.epochs, self.patience, self.patient_from = epochs, patience, patient_from
        self.history: list[dict[str, float]] = list(state["history"]) if state else []
        self.best = state["best"] if state else -math.inf
        self.waited = state["waited"] if state else 0
        self.finished = bool(state and state["finished"])
        self._started = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._started = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        logs = logs or {}
        if not math.isfinite(logs["loss"]):
            raise Diverged(
                f"the loss became {logs['loss']} in epoch {epoch + 1}; lower training.learning_rate, "
                "or look for numbers in the data that are not finite"
            )
        self.history.append({"epoch": epoch + 1, **{name: float(value) for name, value in logs.items()}})
        # Without validation events the lowest loss is the best there is to go by.
        value = logs.get(MONITORED, -logs["loss"])
        better = not self.patience or value > self.best
        self.best, self.waited = (float(value), 0) if better else (self.best, self.waited + 1)
        lost = bool(self.patience) and self.waited >= self.patience and epoch >= self.patient_from
        self.finished = lost or epoch + 1 == self.epochs
        # Without patience each epoch is better than the one before, and only the last one will be asked for.
        best = better if self.patience else self.finished
        if best or self.finished or (epoch + 1) % self.every == 0:
            self.checkpoints.save(
                {
                    "epoch": epoch + 1,
                    "best": self.best,
                    "waited": self.waited,
                    "history": self.history,
                    "finished": self.finished,
                },
                best=best,
            )
        measured = "  ".join(f"{name} {value:.4f}" for name, value in logs.items())
        seconds = time.monotonic() - self._started
        self.say(f"epoch {epoch + 1:3d}/{self.epochs}  {measured}  {seconds:.1f} s{'  best' if better else ''}")
        if self.finished:
            self.model.stop_training = True
