"""Training state on disk: resume after a kill, the best weights, and one clear sentence when the disk is full."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import tempfile
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from tfrec.errors import TrainingError
from tfrec.model.two_tower import TwoTower
from tfrec.training.cluster import Workers


class Checkpoints:
    """The state of one training in a folder: the latest weights with their optimizer, the best weights, the history.

    Args:
        directory: where to write; made if missing. All workers must see the same folder, and the chief alone writes.
        fingerprint: what the training depends on; state with another fingerprint is not resumed.
        model: a built model with a built optimizer.
        workers: who trains together; all of them call the methods at the same steps.
    """

    def __init__(self, directory: str, fingerprint: str, model: TwoTower, workers: Workers):
        self.directory = directory
        self._model = model
        self.workers = workers
        # A variable of which each replica has its own value, as batch normalisation has, is saved by all of them
        # together: the others take part and throw away what they wrote.
        self._own = None if workers.chief else tempfile.TemporaryDirectory()
        written = directory if self._own is None else self._own.name
        self.fingerprint = fingerprint
        self._path = os.path.join(directory, "state.json")
        parts = (
            {"gradient_sums": model.gradient_sums, "batches_seen": model.batches_seen} if model.accumulate > 1 else {}
        )
        # Two are kept, so that the one `state.json` names is still there when a kill or a full disk comes between
        # writing the next checkpoint and naming it.
        self._latest = tf.train.CheckpointManager(
            tf.train.Checkpoint(model=model, optimizer=model.optimizer, **parts), os.path.join(written, "latest"), 2
        )
        self._best = tf.train.CheckpointManager(
            tf.train.Checkpoint(model=model), os.path.join(written, "best"), 1, checkpoint_name="best"
        )

    def resume(self) -> dict[str, Any] | None:
        """Restore the latest weights and return the state saved with them; None where there is nothing to resume.

        Raises:
            TrainingError: if workers find different states.
        """
        state = self._saved()
        number = _number_of(state)
        if self.workers.mean(number) != number:
            raise TrainingError(
                f"the workers find different states of training in {self.directory}; set data.output to a folder that "
                "all of them share"
            )
        if state:
            latest = os.path.join(self.directory, "latest", state["checkpoint"])
            self._latest.checkpoint.restore(latest).expect_partial()
        return state

    def _saved(self) -> dict[str, Any] | None:
        if not tf.io.gfile.exists(self._path):
            return None
        with tf.io.gfile.GFile(self._path) as file:
            state = json.load(file)
        latest = os.path.join(self.directory, "latest", state["checkpoint"])
        if state["fingerprint"] != self.fingerprint or not tf.io.gfile.exists(latest + ".index"):
            return None
        return state

    def save(self, state: dict[str, Any], best: bool) -> None:
        """Write the latest weights, the best ones if these are, and then `state`, each whole or not at all.

        Raises:
            TrainingError: if the disk is full.
        """
        self._model.store_table()
        with disk_guard(self.directory):
            tf.io.gfile.makedirs(self.directory)
            if best:
                self._best.save()
            checkpoint = os.path.basename(self._latest.save())
            if self.workers.chief:
                self._write({**state, "fingerprint": self.fingerprint, "checkpoint": checkpoint})
        self.workers.wait()

    def _write(self, state: dict[str, Any]) -> None:
        temporary = self._path + ".new"
        with tf.io.gfile.GFile(temporary, "w") as file:
            json.dump(state, file, indent=1)
        tf.io.gfile.rename(temporary, self._path, overwrite=True)

    def restore_best(self) -> None:
        """Load the best weights saved so far."""
        best = tf.train.latest_checkpoint(os.path.join(self.directory, "best"))
        if best:
            self._best.checkpoint.restore(best).expect_partial()


def _number_of(state: dict[str, Any] | None) -> int:
    """A small number that tells states of one training apart."""
    return 0 if state is None else int(state["checkpoint"].rpartition("-")[2])


@contextlib.contextmanager
def disk_guard(directory: str) -> Iterator[None]:
    """Turn "no space left" into a TrainingError that names the folder; other errors pass."""
    try:
        yield
    except (OSError, tf.errors.OpError) as error:
        full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
        if not full and not any(said in str(error) for said in ("No space left", "Disk quota exceeded")):
            raise
        raise TrainingError(
            f"the disk that holds {directory} is full; free some space and run the same command again, "
            "it goes on from the last finished epoch"
        ) from error
