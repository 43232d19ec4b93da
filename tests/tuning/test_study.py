"""A search of tiny models: what it tries, what it keeps, and that a kill costs no trial."""

import json
import os
import signal
import subprocess
import sys

import pytest

from tfrec.errors import ConfigError, Diverged, TrainingError
from tfrec.search_space import METRICS
from tfrec.tuning.oracle import build_oracle
from tfrec.tuning.study import Study, search_key, tune

SPACE = {"model.dropout": [0.1, 0.3, 0.5], "training.learning_rate": {"low": 0.001, "high": 0.1, "scale": "log"}}


def measured(value):
    return {"ndcg@10": value, "recall@10": value, "seconds": 0.0, "epochs": 1.0}


@pytest.fixture
def study(plain_world, tmp_path):
    """study(run, **tuning) makes a search in `tmp_path` whose trials call `run` instead of training."""

    def make(run, say=lambda line: None, model=None, **tuning):
        config = plain_world.config(tuning={"trials": 6, "space": SPACE, **tuning}, model=model or {"dropout": 0.3})
        return Study(config, str(tmp_path), "search", run, say)

    return make


def by_dropout(config, folder):
    """The metric of a model that is best at a dropout of 0.1 and a small learning rate."""
    return measured(1 - config.model.dropout - config.training.learning_rate)


@pytest.mark.parametrize("algorithm", ["bayesian", "random", "grid"])
def test_the_first_trial_is_the_configuration_and_the_best_is_found(study, algorithm):
    search = study(by_dropout, algorithm=algorithm, trials=12)
    search.search()
    result = search.result()
    assert result.trials[0].values == {"model.dropout": 0.3, "training.learning_rate": 0.01}
    assert len(result.trials) == 12
    assert len({json.dumps(trial.values) for trial in result.trials}) == 12
    assert result.best.metrics["ndcg@10"] == max(trial.metrics["ndcg@10"] for trial in result.trials)
    assert result.hyperparameters["values"] == result.best.values
    for trial in search.oracle.trials.values():
        directions = trial.metrics.get_config()["metrics"]
        assert {name: directions[name]["direction"] for name in METRICS} == dict.fromkeys(METRICS, "max")


def test_values_outside_the_space_are_not_tried_first(study):
    search = study(by_dropout, model={"dropout": 0.7})
    search.search()
    assert all(trial.values["model.dropout"] in SPACE["model.dropout"] for trial in search.result().trials)


@pytest.mark.parametrize("algorithm", ["bayesian", "random", "grid"])
def test_a_stopped_search_goes_on_as_if_it_had_not_been_stopped(study, tmp_path, algorithm):
    class Killed(BaseException):
        pass

    calls = []

    def dies_in_the_third(config, folder):
        calls.append(folder)
        if len(calls) == 3:
            raise Killed
        return by_dropout(config, folder)

    space = {"model.dropout": [0.1, 0.3], "model.factors": [4, 8, 16]}
    settings = {"algorithm": algorithm, "space": space}
    with pytest.raises(Killed):
        study(dies_in_the_third, **settings).search()
    said = []
    resumed = study(dies_in_the_third, said.append, **settings)
    resumed.search()
    assert said[0] == "2 trials have ended already"
    assert len(calls) == 7 and calls[2] == calls[3]
    assert len({json.dumps(trial.values) for trial in resumed.result().trials}) == 6


def test_more_trials_are_added_to_a_search_that_has_ended(study):
    calls = []

    def counted(config, folder):
        calls.append(folder)
        return by_dropout(config, folder)

    first = study(counted, trials=3)
    first.search()
    second = study(counted, trials=5)
    second.search()
    assert len(calls) == 5
    assert second.result().trials[:3] == first.result().trials


def test_settings_that_diverge_fail_alone(study):
    def run(config, folder):
        if config.model.dropout == 0.5:
            raise Diverged("the loss became nan in epoch 1")
        return by_dropout(config, folder)

    said = []
    search = study(run, said.append, space={"model.dropout": [0.3, 0.5]}, algorithm="grid")
    search.search()
    good, bad = search.result().trials
    assert good.ended and not bad.ended
    assert bad.message == "the loss became nan in epoch 1"
    assert any("failed, the loss became nan" in line for line in said)


def test_what_is_not_due_to_settings_ends_the_search(study):
    def run(config, folder):
        raise TrainingError("the disk is full")

    with pytest.raises(TrainingError, match="the disk is full"):
        study(run).search()


def test_a_search_without_a_model_says_why(study):
    def run(config, folder):
        raise Diverged("the loss became nan in epoch 1")

    search = study(run, trials=2)
    search.search()
    with pytest.raises(TrainingError, match="none of the 2 trials gave a model; the last one: the loss became nan"):
        search.result()


def test_a_damaged_state_is_one_sentence(study, tmp_path):
    study(by_dropout, trials=1).search()
    (tmp_path / "search" / "oracle.json").write_text('{"ongoing')
    with pytest.raises(TrainingError, match="remove the folder to begin anew"):
        study(by_dropout)


def test_widths_are_searched_as_lists(plain_world):
    config = plain_world.config(tuning={"space": {"model.query_hidden": [[], [16], [32, 16]]}})
    (declared,) = build_oracle(config).get_space().space
    assert declared.values == ["[]", "[16]", "[32, 16]"]
    assert declared.default == "[]"


def test_a_search_is_of_its_settings_and_its_data_but_not_of_its_length(plain_world, plain_dataset):
    def key(**sections):
        return search_key(plain_world.config(**{"tuning": {"space": SPACE}, **sections}), plain_dataset)

    assert key() == key(tuning={"space": SPACE, "trials": 50})
    assert key() != key(tuning={"space": SPACE, "metric": "recall@10"})
    assert key() != key(training={"epochs": 9})


def test_a_search_needs_a_space_one_machine_and_a_validation_part(plain_world, plain_dataset, tmp_path):
    with pytest.raises(ConfigError, match=r"tuning\.space names no settings"):
        tune(plain_world.config(), plain_dataset, str(tmp_path))
    with pytest.raises(ConfigError, match=r"tune with one or mirrored"):
        config = plain_world.config(tuning={"space": SPACE}, training={"strategy": "multi-worker"})
        tune(config, plain_dataset, str(tmp_path))
    config = plain_world.config(tuning={"space": SPACE}, split={"validation": 0.0})
    with pytest.raises(ConfigError, match=r"make split\.validation larger"):
        tune(config, plain_world.dataset(config, "unvalidated"), str(tmp_path))


TUNE = """
import os, signal, sys
from tfrec.cli.main import main
from tfrec.tuning import study

train, trials = study.train, []

def killed(config, dataset, directory, *rest, **settings):
    trials.append(directory)
    if len(trials) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return train(config, dataset, directory, *rest, **settings)

if sys.argv[2:]:
    study.train = killed
sys.exit(main(["tune", "-c", sys.argv[1]]))
"""


@pytest.mark.slow
def test_a_killed_process_goes_on_and_the_winner_is_trained(plain_world, tmp_path):
    import yaml

    from tfrec.cli.main import main
    from tfrec.config import load_config

    document = plain_world.document(
        tuning={"trials": 3, "algorithm": "random", "space": {"model.dropout": {"low": 0.1, "high": 0.6}}}
    )
    document["data"] = {
        **{name: str(plain_world.folder / f"{name}.jsonl") for name in ("items", "users", "events")},
        "output": "out",
    }
    path = tmp_path / "shop.yaml"
    path.write_text("# my shop\n" + yaml.safe_dump(document, sort_keys=False))
    command = [sys.executable, "-c", TUNE, str(path)]
    killed = subprocess.run([*command, "kill"], capture_output=True, text=True, timeout=300)
    assert killed.returncode == -signal.SIGKILL
    assert "trial 1 of 3: model.dropout 0.1: ndcg@10" in killed.stdout
    resumed = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert resumed.returncode == 0, resumed.stderr
    assert "1 trials have ended already" in resumed.stdout and "trial 1 of 3" not in resumed.stdout
    assert "trial 2 of 3" in resumed.stdout and "trial 3 of 3" in resumed.stdout

    found = json.loads((tmp_path / "out" / "tuning" / "tuning.json").read_text())
    assert len(found["trials"]) == 3
    assert "| trial | dropout |" in (tmp_path / "out" / "tuning" / "tuning.md").read_text()
    assert "<svg" in (tmp_path / "out" / "tuning" / "tuning.svg").read_text()
    tuned = tmp_path / "shop.tuned.yaml"
    assert tuned.read_text().startswith("# my shop")
    assert load_config(str(tuned)).model.dropout == found["best"]["settings"]["model.dropout"]
    assert main(["train", "-c", str(tuned)]) == 0
    assert os.path.exists(tmp_path / "out" / "models" / "1" / "saved_model.pb")
