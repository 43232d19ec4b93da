import io
import json
import shutil

import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tfrec.data.ingest import ingest, validate
from tfrec.data.media import open_media
from tfrec.errors import ConfigError, DataError

PARTS = ("train", "validation", "test", "cold")


def png(colour="red"):
    file = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(file, "PNG")
    return file.getvalue()


def with_media(shop):
    """Give the shop a poster for a, a cut poster for b, no poster for c and d, a clip for a and noise for b."""
    file = io.BytesIO()
    Image.fromarray(np.random.RandomState(0).randint(0, 256, (20, 20, 3), np.uint8)).save(file, "JPEG")
    cut = file.getvalue()[:-100]
    features = shop.schema["items"]["features"]
    features["poster"] = "image"
    features["tune"] = {"modality": "audio", "column": "tune"}
    (shop.folder / "a.png").write_bytes(png())
    (shop.folder / "b.png").write_bytes(cut)
    soundfile.write(shop.folder / "a.flac", np.zeros(800), 8_000)
    (shop.folder / "b.mp3").write_bytes(b"noise" * 100)
    rows = (shop.folder / "items.csv").read_text().splitlines()
    media = ["poster,tune", "a.png,a.flac", "b.png,b.mp3", ",missing.wav", ","]
    rows = [row.removesuffix(",poster").removesuffix(",") for row in rows]
    shop.write(items="\n".join(f"{row},{more}" for row, more in zip(rows, media)))


def test_a_good_shop_is_read_split_and_reported(shop):
    dataset, report = ingest(shop.config(), shop.output)
    assert len(dataset.catalogue) == 4
    assert dataset.users.ids.tolist() == ["u1", "u2", "u3", "u9"]
    assert [len(getattr(dataset, part)) for part in PARTS] == [4, 1, 1, 0]
    assert dataset.test.time.tolist() == [600]
    assert report.clean
    assert report.sentences() == [
        "items.csv: 4 rows read, 4 kept, 0 quarantined.",
        "users.csv: 3 rows read, 3 kept, 0 quarantined.",
        "events.csv: 6 rows read, 6 kept, 0 quarantined.",
        "4 items and 4 users. Items that have words 4, genre 3, tags 3, price 3.",
        "Events split by time: train 4 (1970-01-01 to 1970-01-01), validation 1 (1970-01-01 to 1970-01-01), "
        "test 1 (1970-01-01 to 1970-01-01).",
    ]


def test_unusable_pictures_and_clips_leave_the_item_without_them(shop):
    with_media(shop)
    dataset, report = ingest(shop.config(), shop.output)
    assert dataset.catalogue.media["poster"].present.tolist() == [True, False, False, False]
    assert dataset.catalogue.media["tune"].present.tolist() == [True, False, False, False]
    assert list(open_media(f"{shop.output}/media", "poster")) == [png(), b"", b"", b""]
    assert {(problem.row, problem.column, problem.code) for problem in report.found} == {
        (3, "poster", "truncated_picture"),
        (3, "tune", "unreadable_clip"),
        (4, "tune", "missing_file"),
    }
    assert report.coverage["poster"] == report.coverage["tune"] == 1


def test_the_report_and_the_quarantine_are_written_beside_the_media(shop):
    shop.add(items="a,Again,,,,,", events="u1,zzz,700,view,5,phone\nu1,a")
    _, report = ingest(shop.config(), shop.output)
    written = json.loads((shop.folder / "out" / "report.json").read_text())
    assert written == json.loads(json.dumps(report.to_json()))
    lines = [json.loads(line) for line in (shop.folder / "out" / "quarantine.jsonl").read_text().splitlines()]
    assert [(line["file"], line["row"], line["code"]) for line in lines] == [
        ("items.csv", 6, "duplicate_id"),
        ("events.csv", 8, "unknown_item"),
        ("events.csv", 9, "malformed_row"),
    ]
    assert "  1 row (row 8, column item): the catalogue has no item with this id; quarantined." in report.sentences()


def test_validate_finds_the_same_and_writes_nothing(shop):
    with_media(shop)
    shop.add(events="u1,zzz,700,view,5,phone")
    report = validate(shop.config())
    assert not (shop.folder / "out").exists()
    _, ingested = ingest(shop.config(), shop.output)
    assert report == ingested


def test_held_out_items_leave_training_with_all_their_events(shop):
    dataset, report = ingest(shop.config(split={"by": "random", "held_out_items": 0.5}), shop.output)
    assert len(dataset.held_out) == report.held_out == 2
    assert set(dataset.cold.item) == set(dataset.held_out)
    for part in ("train", "validation", "test"):
        assert not set(getattr(dataset, part).item) & set(dataset.held_out)


def test_parts_are_sorted_by_time_and_ties_keep_the_order_of_the_file(shop):
    shop.write(events="user,item,when,kind,stars,device\n" + "".join(f"u{n},a,{n % 3},view,{n},\n" for n in range(9)))
    dataset, _ = ingest(shop.config(split={"by": "time", "test": 0, "validation": 0}), shop.output)
    assert dataset.train.value.tolist() == [0, 3, 6, 1, 4, 7, 2, 5, 8]


def test_ingesting_twice_gives_the_same(shop, same_tables):
    split = {"by": "random", "held_out_items": 0.3}
    first, _ = ingest(shop.config(split), shop.output)
    second, _ = ingest(shop.config(split), shop.output)
    same_tables(first, second)


def test_json_lines_and_parquet_give_the_same_tables_as_csv(shop, same_tables):
    expected, _ = ingest(shop.config(), shop.output)
    for name in ("items", "users", "events"):
        frame = pd.read_csv(shop.folder / f"{name}.csv")
        frame.to_json(shop.folder / f"{name}.jsonl", orient="records", lines=True)
        frame.to_parquet(shop.folder / f"{name}.parquet")
    for ending in ("jsonl", "parquet"):
        config = shop.config(items=f"items.{ending}", users=f"users.{ending}", events=f"events.{ending}")
        dataset, _ = ingest(config, shop.output)
        same_tables(dataset, expected)


def test_a_part_that_stays_empty_is_said(shop):
    shop.write(events="user,item,when,kind,stars,device\n" + "u1,a,5,view,1,\nu1,b,5,view,1,\nu2,a,5,view,1,\n" * 3)
    _, report = ingest(shop.config(), shop.output)
    assert len(report.warnings) == 2
    assert report.sentences()[-1].startswith("Note: the test part is empty although the split asks for one")


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"items": "item_id,title,words,genre,tags,price,poster\n,x,,,,,\n"}, "no usable item .*: row 2 is refused"),
        ({"events": "user,item,when,kind,stars,device\n"}, "events.csv has no usable event .*the file has no rows"),
        ({"events": "user,item,when,kind,stars,device\nu1,zzz,1,view,1,\n"}, "the catalogue has no item with this id"),
        ({"users": ""}, "users.csv is empty"),
    ],
)
def test_nothing_usable_is_one_sentence(shop, files, sentence):
    shop.write(**files)
    with pytest.raises(DataError, match=sentence):
        ingest(shop.config(), shop.output)
    assert not (shop.folder / "out").exists()


def test_all_events_below_the_minimum_are_one_sentence(shop):
    shop.schema["events"]["minimum_value"] = 9
    with pytest.raises(DataError, match=r"all are below schema.events.minimum_value"):
        ingest(shop.config(), shop.output)


def test_a_missing_file_and_an_unknown_column_are_one_sentence(shop):
    with pytest.raises(DataError, match=r"there is no such file; check data.items"):
        ingest(shop.config(items="nothing.csv"), shop.output)
    shop.schema["events"]["item"] = "itm"
    with pytest.raises(ConfigError, match=r"schema.events.item names the column 'itm'.*did you mean 'item'"):
        ingest(shop.config(), shop.output)


JUNK = st.sampled_from(
    ["", ",", '"', "u1", "u1,a,1,view,1,x", "u1,a,1,view,1,x,y", ",a,2,view,1,", "u1,q,2,view,1,", "u2,b,x,view,1,"]
    + ["u2,b,3,no,1,", "u2,b,3,buy,z,", 'u2,"b,3,buy,1,', 'u2,"b",4,buy,1,"m\nn"', "u1,a,100,view,5,phone", "caf\udce9"]
    + ["a,One,w,g,x,1,", "e,Two,,g,x,q,", ",No id,,,,,", "f,,,,,,", "\0,,,,,,"]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(st.lists(JUNK, max_size=12), st.lists(JUNK, max_size=12), st.sampled_from(["time", "last-out", "within-item"]))
def test_rows_read_are_those_kept_quarantined_and_left_out_however_broken_the_files(shop, items, events, by):
    shop.__post_init__()
    shop.schema["events"]["minimum_value"] = 2
    for name, rows in (("items", items), ("events", events)):
        with open(shop.folder / f"{name}.csv", "ab") as file:
            file.write("\n".join([*rows, ""]).encode("utf-8", "surrogateescape"))
    dataset, report = ingest(shop.config({"by": by}), shop.output)
    for name, count in report.files.items():
        assert count.read == count.kept + count.quarantined + count.left_out
        rejected = [problem.row for problem in report.found if problem.table == name and not problem.kept]
        assert len(set(rejected)) == len(rejected) == count.quarantined
    assert report.files["items"].kept == len(dataset.catalogue)
    assert report.files["events"].kept == sum(len(getattr(dataset, part)) for part in PARTS)
    assert sum(part.events for part in report.parts.values()) == report.files["events"].kept
    assert len(report.sentences()) >= 5
    shutil.rmtree(shop.output)


def test_posters_of_movielens_are_all_read(shared_data, shop):
    items = shared_data / "ml-100k-multimodal" / "items.csv"
    if not items.exists():
        pytest.skip("no posters of MovieLens 100K")
    shop.schema["items"] = {"id": "item_id", "title": "title", "features": {"poster": "image", "genres": "categories"}}
    shop.write(events="user,item,when,kind,stars,device\nu1,1,1,view,1,\nu1,2,2,view,1,\n")
    dataset, report = ingest(shop.config(items=str(items)), shop.output)
    assert report.clean
    assert dataset.catalogue.media["poster"].present.sum() == 1254


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"minimum_value": "four"}, "minimum_value must be a number"),
        ({"minimum_value": 4, "value": ""}, "value is missing"),
    ],
)
def test_a_minimum_value_that_cannot_be_applied_is_refused(shop, settings, sentence):
    shop.schema["events"] |= settings
    with pytest.raises(ConfigError, match=sentence):
        shop.config()
