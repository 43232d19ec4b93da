"""Events that came since the last run are added to those it kept, as if all had been read at once."""

import json
import re

import numpy as np
import pytest

from tfrec.data.increment import Earlier
from tfrec.data.ingest import ingest, ingest_catalogue, ingest_events
from tfrec.data.tables import joined
from tfrec.errors import DataError


@pytest.fixture
def shop(make_world, tmp_path):
    return make_world(tmp_path / "shop", {"category": "category"}, items=20, users=30, events=8)


def rows_of(shop):
    return [json.loads(line) for line in (shop.folder / "events.jsonl").read_text().splitlines()]


def write_rows(shop, rows):
    (shop.folder / "events.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def every_event(dataset):
    events = joined(dataset.train, dataset.validation, dataset.test, dataset.cold)
    ids = dataset.catalogue.ids[events.item], dataset.users.ids[events.user]
    return sorted(zip(*ids, events.time.tolist(), events.type, events.weight.tolist(), events.context["device"]))


def kept(dataset):
    return Earlier(
        dataset.catalogue.ids,
        dataset.users,
        joined(dataset.train, dataset.validation, dataset.test, dataset.cold),
    )


def add(shop, earlier, folder):
    config = shop.config()
    return ingest_events(config, ingest_catalogue(config, str(folder)), str(folder), earlier=earlier)


@pytest.mark.parametrize("whole_file", [True, False], ids=["the whole log again", "new rows alone"])
def test_two_runs_keep_what_one_would(shop, tmp_path, whole_file):
    rows = rows_of(shop)
    write_rows(shop, rows[:150])
    earlier = kept(ingest(shop.config(), str(tmp_path / "first"))[0])
    write_rows(shop, rows if whole_file else rows[150:])
    both, report = add(shop, earlier, tmp_path / "second")
    write_rows(shop, rows)
    once, _ = ingest(shop.config(), str(tmp_path / "once"))
    assert every_event(both) == every_event(once)
    assert len(both.test) == len(once.test) and both.test.time.min() == once.test.time.min()
    features = [dict(zip(dataset.users.ids, dataset.users.columns["age"])) for dataset in (both, once)]
    assert features[0] == features[1]
    passed = (np.array([row["time"] for row in rows[:150]]) < rows[149]["time"]).sum() if whole_file else 0
    told = next(line for line in report.sentences() if "were added to" in line)
    assert re.search(
        rf"{len(rows) - 150} events were added to 150 .* {passed} older rows of the file were passed", told
    )


def test_events_of_the_newest_second_are_neither_lost_nor_taken_twice(shop, tmp_path):
    rows = rows_of(shop)[:100]
    write_rows(shop, rows)
    earlier = kept(ingest(shop.config(), str(tmp_path / "first"))[0])
    late = {**rows[-1], "item_id": next(i for i in ("i001", "i002") if i != rows[-1]["item_id"]), "user_id": "u999"}
    write_rows(shop, [*rows, late])
    both, _ = add(shop, earlier, tmp_path / "second")
    assert sum(len(part) for part in (both.train, both.validation, both.test, both.cold)) == 101
    assert "u999" in both.users.ids


def test_events_of_items_that_are_gone_are_dropped_and_counted(shop, tmp_path):
    rows = rows_of(shop)
    write_rows(shop, rows[:150])
    earlier = kept(ingest(shop.config(), str(tmp_path / "first"))[0])
    write_rows(shop, [row for row in rows[150:] if row["item_id"] != "i003"])
    path = shop.folder / "items.jsonl"
    path.write_text("".join(line + "\n" for line in path.read_text().splitlines() if '"item_id": "i003"' not in line))
    both, report = add(shop, earlier, tmp_path / "second")
    gone = sum(row["item_id"] == "i003" for row in rows[:150])
    assert gone and "i003" not in both.catalogue.ids[joined(both.train, both.validation, both.test, both.cold).item]
    assert any(f"{gone} of the earlier events are of items" in line for line in report.sentences())


def test_nothing_new_is_told(shop, tmp_path):
    earlier = kept(ingest(shop.config(), str(tmp_path / "first"))[0])
    with pytest.raises(DataError, match=r"has no event after 1970-01-\d\d .* UTC, .* there is nothing to add"):
        add(shop, earlier, tmp_path / "second")
