"""What is served is judged with its alarms: a broken model or a leaky test part is not blessed, and says why."""

import dataclasses
import json
import os
import shutil

import pytest
import tensorflow as tf

from tfrec.alarms.alarm import Alarm
from tfrec.data.tables import joined
from tfrec.export.export import export_servable
from tfrec.export.loaded import LoadedServable
from tfrec.steps.evaluate import evaluate_servable
from tfrec.training.trainer import train


@pytest.fixture(scope="module")
def config(plain_world):
    return plain_world.config(training={"epochs": 4}, split={"held_out_items": 0.0})


@pytest.fixture(scope="module")
def data(plain_world, config):
    return plain_world.dataset(config, "alarms")


@pytest.fixture(scope="module")
def run(config, data, tmp_path_factory):
    return train(config, data, str(tmp_path_factory.mktemp("run")), say=lambda line: None)


@pytest.fixture(scope="module")
def sound(run, data, tmp_path_factory):
    return export_servable(run, data, str(tmp_path_factory.mktemp("sound") / "1"), say=lambda line: None)


@pytest.fixture
def judge(config, data, tmp_path):
    def evaluated(servable, dataset=data, gates=None):
        lines = []
        settings = config if gates is None else dataclasses.replace(config, gates=gates)
        return evaluate_servable(settings, dataset, servable, str(tmp_path / "report"), say=lines.append), lines

    return evaluated


def test_a_healthy_model_raises_none(run, sound, judge):
    assessment, lines = judge(sound)
    assert list(run.alarms) == [] and assessment.alarms == () and assessment.blessed
    assert not any("alarm" in line for line in lines)
    assert LoadedServable(sound).manifest["alarms"] == []


def test_a_collapsed_model_is_not_blessed_and_the_report_shows_its_alarms(config, data, judge, tmp_path):
    # Zeros in the weights that content and ids go through are one and the same vector for all items.
    joint = dataclasses.replace(config, model=dataclasses.replace(config.model, content="joint"))
    broken = train(joint, data, str(tmp_path / "run"), say=lambda line: None)
    for variable in broken.model.item_tower.trainable_variables:
        variable.assign(tf.zeros_like(variable))
    assessment, lines = judge(export_servable(broken, data, str(tmp_path / "1"), say=lambda line: None))
    assert [alarm.name for alarm in assessment.alarms] == ["collapse", "collapse", "below MostPop"]
    assert [reason for reason in assessment.reasons if reason.startswith("Collapse: ")]
    assert not [reason for reason in assessment.reasons if reason.startswith("Below MostPop")]
    assert [line for line in lines if line.startswith("alarm, ")] == [str(alarm) for alarm in assessment.alarms]
    for name in ("metrics.json", "report.json"):
        document = json.loads((tmp_path / "report" / name).read_text())
        assert document["alarms"] == [alarm.to_json() for alarm in assessment.alarms]
    page = (tmp_path / "report" / "report.html").read_text()
    assert 'id="alarms"' in page and "Below MostPop" in page and "one and the same list" in page


def test_a_model_judged_on_events_it_was_trained_on_is_not_blessed(sound, data, judge):
    leaky = dataclasses.replace(data, train=joined(data.train, data.test.take(range(3))))
    assessment, _ = judge(sound, leaky)
    assert any(reason.startswith("Leakage: 3 of the test part are in an earlier part") for reason in assessment.reasons)


def test_what_only_training_saw_comes_with_the_servable(run, data, judge, tmp_path):
    seen = Alarm("leakage", "9 of 9 training rows hold items that were held out", "new is new", "ingest again")
    servable = export_servable(
        dataclasses.replace(run, alarms=[seen]), data, str(tmp_path / "1"), say=lambda line: None
    )
    assessment, _ = judge(servable)
    assert assessment.alarms == (seen,) and not assessment.blessed


def test_a_servable_that_was_changed_after_its_export_is_not_blessed(sound, judge, tmp_path):
    servable = LoadedServable(sound)
    for weight in servable.module.towers.weights:
        if weight.dtype == tf.float32:
            weight.assign(weight * 0.5)
    changed = str(tmp_path / "changed")
    tf.saved_model.save(servable.module, changed, signatures=dict(servable.signatures))
    shutil.copytree(os.path.join(sound, "assets.extra"), os.path.join(changed, "assets.extra"), dirs_exist_ok=True)
    assessment, _ = judge(changed)
    assert any(
        reason.startswith("Skew: embed_items of the exported model gives other") for reason in assessment.reasons
    )
    assert not assessment.blessed
