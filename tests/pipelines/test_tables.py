"""The tables that components hand on are those that were ingested."""

import dataclasses

import numpy as np
import pytest

from tfrec.data.ingest import ingest, ingest_catalogue, ingest_events
from tfrec.data.split import PARTS
from tfrec.pipelines import tables


@pytest.fixture(scope="module")
def shop(tmp_path_factory, make_world):
    features = {
        "text": {"modality": "text", "columns": ["title", "description"]},
        "picture": {"modality": "image"},
        "tags": {"modality": "categories"},
        "price": "number",
    }
    return make_world(tmp_path_factory.mktemp("shop"), features, items=20, users=16, events=6)


def assert_equal(one, other):
    assert type(one) is type(other)
    if dataclasses.is_dataclass(one):
        for field in dataclasses.fields(one):
            assert_equal(getattr(one, field.name), getattr(other, field.name))
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_equal(one[key], other[key])
    elif isinstance(one, np.ndarray):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
    else:
        assert list(one) == list(other)  # media: the bytes of each item


def test_two_components_ingest_what_one_ingestion_does(shop, tmp_path):
    config = shop.config(split={"held_out_items": 0.2})
    folders = {name: str(tmp_path / name) for name in ("catalogue", "media", "catalogue_report", "examples", "report")}
    ingested = ingest_catalogue(config, folders["media"])
    tables.write_catalogue(ingested, config, folders["catalogue"], folders["catalogue_report"])
    again = tables.read_ingested_catalogue(config, folders["catalogue"], folders["media"], folders["catalogue_report"])
    dataset, report = ingest_events(config, again, folders["report"])
    tables.write_dataset(dataset, config, folders["catalogue"], folders["examples"])
    read = tables.read_dataset(config, folders["catalogue"], folders["media"], folders["examples"])

    expected, expected_report = ingest(config, str(tmp_path / "at_once"))
    assert_equal(read, expected)
    assert len(read.held_out) and all(len(getattr(read, part)) for part in PARTS)
    assert report == expected_report
    for name in ("quarantine.jsonl", "report.json"):
        assert (tmp_path / "report" / name).read_bytes() == (tmp_path / "at_once" / name).read_bytes()


def test_a_part_without_events_is_read_back_as_empty(shop, tmp_path):
    config = shop.config(split={"held_out_items": 0.0})
    folders = {name: str(tmp_path / name) for name in ("catalogue", "media", "report", "examples")}
    ingested = ingest_catalogue(config, folders["media"])
    tables.write_catalogue(ingested, config, folders["catalogue"], folders["report"])
    dataset, _ = ingest_events(config, ingested, folders["report"])
    tables.write_dataset(dataset, config, folders["catalogue"], folders["examples"])
    read = tables.read_dataset(config, folders["catalogue"], folders["media"], folders["examples"])
    assert len(read.cold) == 0 and len(read.held_out) == 0
    assert len(read.train) == len(dataset.train)
