"""What happens between steps: checkpoints, the best one remembered, early stopping, and an end when told to."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping

import tensorflow as tf

from tfrec.errors import Diverged, Preempted
from tfrec.training.checkpoints import Checkpoints
from tfrec.training.preemption import Preemption

MONITORED = "ndcg@10"


class Keeper(tf.keras.callbacks.Callback):
    """Saves the state after each epoch, remembers the best one, and stops when it has not been bettered for long.

    Told to end, it saves the state where training is, in the middle of an epoch too.

    Args:
        checkpoints: where the state goes.
        epochs: how many epochs there are at most.
        patience: epochs without a better metric before training stops, from epoch `patient_from` on; 0 goes on to the
            end, and the last epoch counts as the best.
        every: epochs between checkpoints; with patience a new best is saved too, and without it the last epoch.
        state: what `Checkpoints.resume` gave, or None at a new start.
        say: called with one line per epoch.
        preemption: tells when to end.

    Attributes:
        finished: whether there is nothing left to do.
        step: how many steps of the epoch that is not finished are done.
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
        preemption: Preemption,
    ):
        super().__init__()
        self.checkpoints, self.every, self.say, self.preemption = checkpoints, every, say, preemption
        self.epochs, self.patience, self.patient_from = epochs, patience, patient_from
        self.history: list[dict[str, float]] = list(state["history"]) if state else []
        self.best = state["best"] if state else -math.inf
        self.waited = state["waited"] if state else 0
        self.finished = bool(state and state["finished"])
        self.epoch: int = state["epoch"] if state else 0
        self.step: int = state["step"] if state else 0
        self._started = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._started = time.monotonic()

    def stepped(self, last: bool) -> None:
        """A step is over, the last one of its epoch or not."""
        self.step += 1
        # The end of an epoch sees to the state itself.
        if not last and self.preemption.told():
            self._save(best=False)
            self._end(f"after step {self.step} of epoch {self.epoch + 1}")

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        logs = logs or {}
        if not math.isfinite(logs["loss"]):
            raise Diverged(
                f"the loss became {logs['loss']} in epoch {epoch + 1}; lower training.learning_rate, "
                "or look for numbers in the data that are not finite"
            )
        self.history.append({"epoch": epoch + 1, **{name: float(value) for name, value in logs.items()}})
        # Without validation events the lowest loss is the best there is to go by.
        value = self.checkpoints.workers.mean(logs.get(MONITORED, -logs["loss"]))
        better = not self.patience or value > self.best
        self.best, self.waited = (value, 0) if better else (self.best, self.waited + 1)
        lost = bool(self.patience) and self.waited >= self.patience and epoch >= self.patient_from
        self.finished = lost or epoch + 1 == self.epochs
        # Without patience each epoch is better than the one before, and only the last one will be asked for.
        best = better if self.patience else self.finished
        self.epoch, self.step = epoch + 1, 0
        told = self.preemption.told()
        if best or self.finished or told or (epoch + 1) % self.every == 0:
            self._save(best)
        measured = "  ".join(f"{name} {value:.4f}" for name, value in logs.items())
        seconds = time.monotonic() - self._started
        self.say(f"epoch {epoch + 1:3d}/{self.epochs}  {measured}  {seconds:.1f} s{'  best' if better else ''}")
        if self.finished:
            self.model.stop_training = True
        elif told:
            self._end(f"after epoch {self.epoch}")

    def _save(self, best: bool) -> None:
        state = {
            "epoch": self.epoch,
            "step": self.step,
            "best": self.best,
            "waited": self.waited,
            "history": self.history,
            "finished": self.finished,
        }
        self.checkpoints.save(state, best)

    def _end(self, where: str) -> None:
        raise Preempted(
            f"training was told to end (SIGTERM) {where}; run the same command again, it goes on from there"
        )


class StoredTable(tf.keras.callbacks.Callback):
    """Lets callbacks after it see the item table as it is, where the replicas divide it among them."""

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.model.store_table()


class EachStep(tf.keras.callbacks.Callback):
    """Tells `keeper` of each step; apart from it, or Keras would wait for the numbers of a step to hand them over."""

    _supports_tf_logs = True

    def __init__(self, keeper: Keeper):
        super().__init__()
        self.keeper = keeper

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self.keeper.stepped(last=batch + 1 == self.params["steps"])
