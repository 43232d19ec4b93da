"""A search in a folder: its trials are trained one after another, and a search that was stopped goes on."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from keras_tuner.engine.base_tuner import BaseTuner
from keras_tuner.engine.trial import Trial, TrialStatus

from tfrec.config import Config
from tfrec.data.tables import Dataset
from tfrec.data.vocabulary import FeatureSpace
from tfrec.errors import ConfigError, Diverged, TrainingError
from tfrec.model.build import build_encoders
from tfrec.search_space import METRICS, with_values
from tfrec.training.fingerprint import training_fingerprint
from tfrec.training.trainer import Progress, train
from tfrec.training.validation import validation_question
from tfrec.tuning.oracle import build_oracle, decoded
from tfrec.tuning.results import Result, TrialResult, shown

Say = Callable[[str], None]

# What a setting, or a combination of settings, may bring about; everything else ends the search.
_OF_THE_TRIAL = (ConfigError, Diverged, tf.errors.ResourceExhaustedError)


def tune(
    config: Config,
    dataset: Dataset,
    directory: str,
    feature_space: FeatureSpace | None = None,
    cache: str = "",
    say: Say = print,
    progress: Progress | None = None,
) -> Result:
    """Search the settings of `config.tuning`, or go on with a search that was stopped.

    Trials that have ended are not run again, and one that was interrupted goes on from its last checkpoint, as long as
    data, code and all settings but `tuning.trials` stay the same; else the search begins anew, beside the old one.

    Args:
        config: the configuration.
        dataset: the data, divided into parts.
        directory: folder of the searches; each has a folder of its own in it.
        feature_space: vocabularies and scaling; fitted on the training part where it is not given.
        cache: folder of the embedding cache, `directory`/cache by default.
        say: called with a line per trial.
        progress: called with (what, done, total) while the catalogue is encoded.

    Returns:
        All trials, and the best one's settings.

    Raises:
        ConfigError: if there is nothing to search or to measure by, or training takes several machines.
        TrainingError: if no trial gave a model, the disk is full, a device is missing, or the state cannot be read.
    """
    where = config.source or config.name
    if not config.tuning.space:
        raise ConfigError(
            f"{where}: tuning.space names no settings to search; give some, such as model.dropout: [0.3, 0.5]"
        )
    if config.training.strategy == "multi-worker":
        raise ConfigError(
            f"{where}: training.strategy is multi-worker, but a search runs on one machine; tune with one or mirrored"
        )
    if validation_question(config, dataset) is None:
        raise ConfigError(
            f"{where}: the validation part asks for nothing, so no trial can be measured; make split.validation larger"
        )
    cache = cache or os.path.join(directory, "cache")

    def run(trial: Config, folder: str) -> dict[str, float]:
        tf.keras.backend.clear_session()
        started = time.monotonic()
        trained = train(trial, dataset, folder, feature_space, cache, lambda line: None, progress)
        return {**trained.measured, "seconds": time.monotonic() - started, "epochs": float(len(trained.history))}

    study = Study(config, directory, search_key(config, dataset), run, say)
    study.search()
    return study.result()


def search_key(config: Config, dataset: Dataset) -> str:
    """A name for the search: a hash of all that its results depend on but for the number of trials."""
    digest = hashlib.sha256(training_fingerprint(config, dataset, build_encoders(config)).encode())
    digest.update(repr(dataclasses.replace(config.tuning, trials=1)).encode())
    return digest.hexdigest()[:16]


class Study(BaseTuner):
    """KerasTuner's loop over trials, with a state that a kill leaves whole.

    KerasTuner's own tuners build and fit Keras 3 models. This one has `run` called with the configuration of a trial
    and a folder for its training state, which returns metrics by name, the one of `config.tuning` among them.

    Raises:
        TrainingError: if the state in the folder cannot be read.
    """

    def __init__(
        self,
        config: Config,
        directory: str,
        name: str,
        run: Callable[[Config, str], Mapping[str, float]],
        say: Say,
    ):
        self.config, self._run, self._say = config, run, say
        try:
            # KerasTuner prints that it reads a state.
            with contextlib.redirect_stdout(io.StringIO()):
                super().__init__(build_oracle(config), directory=directory, project_name=name)
        except (ValueError, KeyError, RuntimeError) as error:
            folder = os.path.join(directory, name)
            raise TrainingError(
                f"the search in {folder} cannot be read: {' '.join(str(error).split())[:200]}; remove the folder to "
                "begin anew"
            ) from error
        self._put_right()
        ended = [trial for trial in self.oracle.trials.values() if trial.status != TrialStatus.RUNNING]
        if ended:
            say(f"{len(ended)} trials have ended already")

    def on_search_begin(self) -> None:
        """Save the state: KerasTuner would take a search that is killed in its first trial for a new one."""
        self.save()

    def run_trial(self, trial: Trial, *arguments: Any, **settings: Any) -> dict[str, float]:
        """Train and measure the model of a trial."""
        values = decoded(trial.hyperparameters.values)
        number = self.oracle.start_order.index(trial.trial_id) + 1
        trials = max(
            self.config.tuning.trials, len(self.oracle.start_order)
        )  # One under way ends, if fewer are asked for.
        of = f"trial {number} of {trials}: {shown(values)}"
        folder = os.path.join(self.get_trial_dir(trial.trial_id), "training")
        try:
            metrics = dict(self._run(with_values(self.config, values), folder))
        except _OF_THE_TRIAL as error:
            self._say(f"{of}: failed, {' '.join(str(error).split())[:300]}")
            raise
        metric = self.config.tuning.metric
        recorded = self.oracle.trials[trial.trial_id].metrics
        for other in METRICS:
            if other != metric and not recorded.exists(other):
                recorded.register(other, "max")  # KerasTuner takes what is no objective for a loss.
        self._say(f"{of}: {metric} {metrics[metric]:.4f} in {metrics['seconds']:.0f} s")
        # Nobody asks for this model again, and a search leaves many.
        if tf.io.gfile.exists(folder):
            tf.io.gfile.rmtree(folder)
        return metrics

    def _try_run_and_update_trial(self, trial: Trial, *arguments: Any, **settings: Any) -> None:
        """Mark a trial that failed by its settings; KerasTuner's own would take every error for such, and go on."""
        try:
            self._run_and_update_trial(trial, *arguments, **settings)
            trial.status = TrialStatus.COMPLETED
        except _OF_THE_TRIAL as error:
            trial.status = TrialStatus.FAILED
            trial.message = " ".join(str(error).split())[:300]

    def result(self) -> Result:
        """What was found.

        Raises:
            TrainingError: if no trial gave a model.
        """
        trials = tuple(_result_of(self.oracle.trials[trial_id]) for trial_id in self.oracle.start_order)
        if not any(trial.ended for trial in trials):
            said = trials[-1].message if trials else "there was none"
            raise TrainingError(f"none of the {len(trials)} trials gave a model; the last one: {said}")
        return Result(self.config.tuning, trials, self.oracle.get_best_trials(1)[0].hyperparameters.get_config())

    def _put_right(self) -> None:
        """Queue the trials that were under way: KerasTuner's list of them is older than they are, by a write."""
        oracle = self.oracle
        running = [name for name, trial in sorted(oracle.trials.items()) if trial.status == TrialStatus.RUNNING]
        oracle._retry_queue = running
        for trial_id in sorted(oracle.trials):
            if trial_id not in oracle.start_order:
                oracle.start_order.append(trial_id)


def _result_of(trial: Trial) -> TrialResult:
    ended = trial.status == TrialStatus.COMPLETED
    metrics = {name: float(np.asarray(trial.metrics.get_best_value(name))) for name in trial.metrics.metrics}
    message = "" if ended else trial.message or "it was not run"
    return TrialResult(decoded(trial.hyperparameters.values), metrics if ended else {}, message)
