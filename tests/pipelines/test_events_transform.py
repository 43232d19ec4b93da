"""Events that the workers of Beam read piece by piece are those that one process reads, fault by fault."""

import json

import apache_beam as beam
import pandas as pd
import pytest

from tests.pipelines.test_tables import assert_equal
from tfrec.data.ingest import ingest, ingest_catalogue, ingest_events
from tfrec.data.pieces import cut
from tfrec.errors import ConfigError, DataError
from tfrec.pipelines import tables
from tfrec.pipelines.events_transform import checked_events

ONE = ["--direct_running_mode=in_memory", "--direct_num_workers=1"]
TWO = ["--direct_running_mode=multi_processing", "--direct_num_workers=2"]
FAULTS = [
    {"user_id": "", "item_id": "i001"},
    {"user_id": "late", "item_id": "no such item"},
    {"user_id": "new", "item_id": "i002", "time": 7, "type": "view", "device": "phone"},
    {"user_id": "new", "item_id": "i003", "time": "never", "type": "view"},
    {"user_id": "newer", "item_id": "i003", "time": 8, "type": "buy", "device": "x"},
]


@pytest.fixture
def shop(tmp_path, make_world, monkeypatch):
    """A log with faults, users that the users file lacks, and rows that a piece far from the first one repeats."""
    world = make_world(tmp_path / "shop", {"price": "number"}, items=16, users=12, events=8)
    path = world.folder / "events.jsonl"
    lines = path.read_text().splitlines()
    lines[5:5] = ["{", *map(json.dumps, FAULTS)]
    path.write_text("\n".join([*lines, *lines[3:40:6]]) + "\n")
    monkeypatch.setattr("tfrec.data.pieces.PIECE_BYTES", 2000)
    return world


def ingested(config, options, folder):
    """The data set and the report by way of Beam, as the components do it."""
    catalogue = ingest_catalogue(config, str(folder / "media"))
    tables.write_catalogue(catalogue, config, str(folder / "catalogue"), str(folder / "report"))
    pipeline = beam.Pipeline(argv=options)
    checked = checked_events(pipeline, config, str(folder / "catalogue"), str(folder / "pieces"))
    return ingest_events(config, catalogue, str(folder), checked)


@pytest.mark.parametrize(
    ("kind", "options"),
    [("jsonl", ONE), ("parquet", ONE), pytest.param("jsonl", TWO, marks=pytest.mark.slow)],
    ids=["jsonl", "parquet", "two workers"],
)
def test_the_data_set_the_report_and_the_quarantine_are_the_same(shop, kind, options, tmp_path):
    config = shop.config()
    if kind == "parquet":
        rows = [json.loads(line) for line in (shop.folder / "events.jsonl").read_text().splitlines() if line != "{"]
        pd.DataFrame(rows).astype(str).to_parquet(shop.folder / "events.parquet", row_group_size=30)
        config = shop.config(data={"events": "events.parquet"})
    assert len(cut(config.data.events, "events")) > 3
    dataset, report = ingested(config, options, tmp_path / "beam")
    expected, expected_report = ingest(config, str(tmp_path / "process"))
    assert_equal(dataset, expected)
    assert {"new", "newer"} <= set(dataset.users.ids)
    assert {"duplicate_event", "unknown_item"} <= {problem.code for problem in report.found}
    for name in ("quarantine.jsonl", "report.json"):
        assert (tmp_path / "beam" / name).read_bytes() == (tmp_path / "process" / name).read_bytes()
    assert report == expected_report
    assert not (tmp_path / "beam" / "pieces").exists()


def test_what_ends_an_ingestion_is_the_same_sentence(shop, tmp_path):
    lacking = shop.config()
    (shop.folder / "events.jsonl").write_text(
        '{"user_id": "u001", "item_id": "i001", "time": 1, "type": "view"}\n' * 60
    )
    with pytest.raises(ConfigError, match="names the column 'device'"):
        ingested(lacking, ONE, tmp_path / "beam")
    (shop.folder / "events.csv").write_text("user_id,item_id,time\n" + "u001,i001,1\n" * 600)
    with pytest.raises(ConfigError, match="names the column 'type'"):
        ingested(shop.config(data={"events": "events.csv"}), ONE, tmp_path / "csv")
    (shop.folder / "events.jsonl").write_text("nothing\n" * 600)
    with pytest.raises((ConfigError, DataError)) as expected:
        ingest(lacking, str(tmp_path / "process"))
    with pytest.raises((ConfigError, DataError)) as found:
        ingested(lacking, ONE, tmp_path / "broken")
    assert str(found.value) == str(expected.value)
