"""Logs the metrics of each epoch to Weights & Biases."""

from __future__ import annotations

import tensorflow as tf

from tfrec.errors import TrainingError


class WandbLogger(tf.keras.callbacks.Callback):
    """Starts a run of the project `tfrec` and logs every epoch to it.

    Args:
        name: the name of the run.
        directory: where wandb keeps its files.

    Raises:
        TrainingError: if the package wandb is not installed.
    """

    def __init__(self, name: str, directory: str):
        super().__init__()
        try:
            import wandb
        except ImportError as error:
            raise TrainingError(
                "training.log_wandb is true but wandb is not installed; run `pip install wandb`, or set it to false"
            ) from error
        self.run = wandb.init(project="tfrec", name=name, dir=directory)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.run.log({name: float(value) for name, value in (logs or {}).items()}, step=epoch + 1)

    def on_train_end(self, logs: dict | None = None) -> None:
        self.run.finish()
