"""KerasTuner's search algorithms over a search space, beginning with the settings that the configuration has."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import keras_tuner
from keras_tuner.engine.trial import TrialStatus
from keras_tuner.oracles import BayesianOptimizationOracle, GridSearchOracle, RandomSearchOracle

from tfrec.config import Config
from tfrec.search_space import Hyperparameter, value_of


class _OwnFirst:
    """Lets the first trial have the values `own`, so that the winner is never behind them; {} for no such trial."""

    own: Mapping[str, Any] = {}
    start_order: list[str]

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        if self.own and not self.start_order:
            return {"status": TrialStatus.RUNNING, "values": dict(self.own)}
        return super().populate_space(trial_id)  # type: ignore[misc]


class Random(_OwnFirst, RandomSearchOracle):
    """Values drawn evenly from the space."""


class Bayesian(_OwnFirst, BayesianOptimizationOracle):
    """Random values three times as often as there are settings, then those a Gaussian process expects most of."""


class Grid(GridSearchOracle):
    """All combinations in their order; the values of the configuration come first by themselves."""

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore the state with the order of the trials, which KerasTuner leaves out."""
        super().set_state(state)
        for trial_id in self.start_order:
            self._ordered_ids.insert(trial_id)
        self._populate_next = self.start_order[-1:]


_ORACLES: dict[str, Any] = {"bayesian": Bayesian, "random": Random, "grid": Grid}


def build_oracle(config: Config) -> keras_tuner.Oracle:
    """The oracle of the section `tuning`."""
    tuning = config.tuning
    space = keras_tuner.HyperParameters()
    own = {searched.name: value_of(config, searched.name) for searched in tuning.space}
    for searched in tuning.space:
        _declare(space, searched, own[searched.name])
    oracle = _ORACLES[tuning.algorithm](
        objective=keras_tuner.Objective(tuning.metric, "max"),
        max_trials=tuning.trials,
        hyperparameters=space,
        seed=tuning.seed + 1,  # KerasTuner takes 0 for no seed
        # A trial that diverged says where not to look; the search ends by itself.
        max_consecutive_failed_trials=tuning.trials + 1,
    )
    if all(searched.has(own[searched.name]) for searched in tuning.space):
        oracle.own = {name: encoded(value) for name, value in own.items()}
    oracle.verbose = 0
    return oracle


def encoded(value: Any) -> Any:
    """A value as KerasTuner keeps it: lists, such as those of widths, are JSON."""
    return json.dumps(value) if isinstance(value, tuple) else value


def decoded(values: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a trial from KerasTuner's values."""
    return {
        name: json.loads(value) if isinstance(value, str) and value.startswith("[") else value
        for name, value in values.items()
    }


def _declare(space: keras_tuner.HyperParameters, searched: Hyperparameter, own: Any) -> None:
    name, first = searched.name, encoded(own) if searched.has(own) else None
    if searched.choices:
        space.Choice(name, [encoded(value) for value in searched.choices], default=first)
        return
    declare = space.Int if searched.whole else space.Float
    step = searched.step or (1 if searched.whole and searched.scale == "linear" else None)
    declare(name, searched.low, searched.high, step=step, sampling=searched.scale, default=first)
