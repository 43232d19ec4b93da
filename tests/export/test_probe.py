"""Skew between training and serving is provoked at its usual places, and stops the export."""

import os

import numpy as np
import pytest
import tensorflow as tf

from tfrec.errors import ServableError
from tfrec.export.export import export_servable
from tfrec.export.loaded import LoadedServable
from tfrec.export.probe import read_probe
from tfrec.export.raw_features import RawFeatures
from tfrec.training.trainer import train


@pytest.fixture(scope="module")
def trained_plain(plain_world, plain_dataset, tmp_path_factory):
    config = plain_world.config(training={"epochs": 3})
    return train(config, plain_dataset, str(tmp_path_factory.mktemp("probed")), say=lambda line: None)


@pytest.fixture
def export(trained_plain, plain_dataset, tmp_path):
    return lambda: export_servable(trained_plain, plain_dataset, str(tmp_path / "1"), say=lambda line: None)


def test_a_sound_servable_answers_as_its_probe_says(exported, loaded):
    probe = read_probe(exported)
    assert probe.alarms(loaded.signatures) == []
    assert len(probe.embedding) == 16 and len(probe.ids) == 32
    # The raw inputs are those of the signatures, with real pictures and clips.
    asked = probe.requests["embed_items"]
    assert any(picture.startswith(b"\x89PNG") for picture in asked["picture"])
    assert any(clip.startswith(b"RIFF") for clip in asked["sound"])


def test_the_probe_tells_no_users_history(exported, dataset, trained):
    probe = read_probe(exported)
    asked = probe.requests["serving_default"]
    own = trained.interactions.latest(np.arange(len(dataset.users)), 8)
    histories = {frozenset(dataset.catalogue.ids[row[row >= 0]]) for row in own}
    for user, history in zip(asked["user_id"], asked["history"]):
        assert not user or not any(history)
        assert frozenset(item for item in history if item) not in histories - {frozenset()}


def test_a_servable_whose_preprocessing_differs_is_not_exported(export, tmp_path, monkeypatch):
    codes = RawFeatures.codes

    def other_codes(self, raw):
        return {
            name: code + 1 if code.dtype == tf.float32 else tf.maximum(code - 1, 0)
            for name, code in codes(self, raw).items()
        }

    monkeypatch.setattr(RawFeatures, "codes", other_codes)
    with pytest.raises(ServableError, match="nothing was exported: embed_items of the exported model gives other vec"):
        export()
    assert os.listdir(tmp_path) == []


def test_a_scaling_that_differs_is_not_exported(export, tmp_path, monkeypatch):
    made = RawFeatures.__init__

    def unscaled(self, *given):
        made(self, *given)
        self.scaling = dict.fromkeys(self.scaling, (0.0, 1.0))

    monkeypatch.setattr(RawFeatures, "__init__", unscaled)
    with pytest.raises(ServableError, match="the same input must give the same answer in training and in serving"):
        export()
    assert os.listdir(tmp_path) == []


def test_items_listed_in_another_order_are_not_exported(export, tmp_path, monkeypatch):
    from tfrec.export import export as module

    class Reversed(module.Servable):
        def __init__(self, towers, specs, ids, *others):
            super().__init__(towers, specs, ids[::-1], *others)

    monkeypatch.setattr(module, "Servable", Reversed)
    with pytest.raises(ServableError, match="serving_default of the exported model recommends other items or scores"):
        export()
    assert os.listdir(tmp_path) == []


def test_weights_that_were_changed_after_the_export_are_found(export):
    folder = export()
    servable, probe = LoadedServable(folder), read_probe(folder)
    assert probe.alarms(servable.signatures) == []
    for weight in servable.module.towers.weights:
        if weight.dtype == tf.float32:
            weight.assign_add(tf.fill(weight.shape, 0.3))
    alarms = probe.alarms(servable.signatures)
    assert [alarm.name for alarm in alarms] == ["skew", "skew"]
    assert alarms[0].seen.startswith("embed_items") and alarms[1].seen.startswith("serving_default")


def test_one_item_vector_that_was_changed_after_the_export_is_found(export):
    folder = export()
    servable = LoadedServable(folder)
    vectors = servable.module.index.vectors
    shown = int(np.flatnonzero(servable.ids == read_probe(folder).ids[0, 0])[0])
    changed = vectors.numpy()
    changed[:, shown] *= -1
    vectors.assign(changed)
    (alarm,) = read_probe(folder).alarms(servable.signatures)
    assert alarm.seen.startswith("serving_default")


def test_a_folder_without_a_probe_has_none(tmp_path):
    assert read_probe(str(tmp_path)) is None
