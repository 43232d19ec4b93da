"""Fingerprints change with the content of what a run reads, and only then."""

import dataclasses
import os
import pathlib

import pytest

from tfrec.errors import DataError
from tfrec.pipelines.fingerprints import take_fingerprints


@pytest.fixture
def shop(tmp_path, make_world):
    features = {"picture": {"modality": "image"}, "category": "category"}
    return make_world(tmp_path / "shop", features, items=12, users=6, events=4)


def changed(before, after):
    names = [field.name for field in dataclasses.fields(before)]
    return {name for name in names if getattr(before, name) != getattr(after, name)}


def test_touching_files_changes_nothing(shop):
    before = take_fingerprints(shop.config())
    for path in shop.folder.iterdir():
        os.utime(path, (1, 1))
    assert take_fingerprints(shop.config()) == before


def test_another_event_changes_the_events_only(shop):
    before = take_fingerprints(shop.config())
    log = shop.folder / "events.jsonl"
    log.write_text(log.read_text() + '{"user_id": "u000", "item_id": "i001", "time": 5, "type": "view"}\n')
    assert changed(before, take_fingerprints(shop.config())) == {"events"}


def test_another_picture_under_the_same_name_changes_the_catalogue(shop):
    before = take_fingerprints(shop.config())
    picture = next(shop.folder.glob("*.png"))
    picture.write_bytes(picture.read_bytes() + b"more")
    assert changed(before, take_fingerprints(shop.config())) == {"catalogue"}


def test_another_audit_under_the_same_name_changes_the_audit(shop, tmp_path):
    audit = tmp_path / "audit.json"
    audit.write_text("{}")
    config = shop.config(gates={"audit": str(audit)})
    before = take_fingerprints(config)
    audit.write_text('{"modalities": []}')
    assert changed(before, take_fingerprints(config)) == {"audit"}
    audit.unlink()
    with pytest.raises(DataError, match=r"gates\.audit"):
        take_fingerprints(config)


def test_a_file_nobody_names_does_not_matter(shop):
    before = take_fingerprints(shop.config())
    (shop.folder / "notes.png").write_bytes(b"not in the catalogue")
    assert take_fingerprints(shop.config()) == before


def test_a_missing_picture_or_a_device_is_no_error(shop):
    items = shop.folder / "items.jsonl"
    row = '{"item_id": "x%d", "title": "x", "picture": "%s", "category": "space"}\n'
    items.write_text(items.read_text() + row % (1, "no.png") + row % (2, "/dev/zero") + row % (3, "a" * 5000))
    assert take_fingerprints(shop.config()).catalogue


def test_other_weights_of_an_encoder_change_the_encoders(shop, tmp_path):
    weights = pathlib.Path(tmp_path, "weights", "variables")
    weights.mkdir(parents=True)
    (weights / "data").write_bytes(b"1")
    shop.features["picture"] = {"modality": "image", "encoder": {"kind": "small-cnn", "weights": str(weights.parent)}}
    before = take_fingerprints(shop.config())
    (weights / "data").write_bytes(b"2")
    assert changed(before, take_fingerprints(shop.config())) == {"encoders"}


def test_a_missing_events_file_is_one_sentence(shop):
    (shop.folder / "events.jsonl").unlink()
    with pytest.raises(DataError, match=r"events\.jsonl.*data\.events"):
        take_fingerprints(shop.config())
