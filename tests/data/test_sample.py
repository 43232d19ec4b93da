"""What a user finds in the folder of the sample catalogue."""

import collections
import io
import json
import os
import pathlib

import numpy as np
import pandas as pd
import pytest
import soundfile
from PIL import Image

from tfrec.config import load_config
from tfrec.data.sample import write_sample
from tfrec.data.sample.flaws import EVENT_FLAWS, EXTRA_ITEM_FLAWS, ITEM_FLAWS
from tfrec.data.sample.ogg import page_checksum, with_serial
from tfrec.data.sample.traits import TRAITS
from tfrec.errors import DataError

SIZES = {"items": 120, "users": 60, "events": 2000}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> pathlib.Path:
    directory = tmp_path_factory.mktemp("sample")
    write_sample(str(directory), **SIZES)
    return directory


def table(folder: pathlib.Path, name: str) -> pd.DataFrame:
    return pd.read_csv(folder / name, dtype=str, keep_default_na=False)


def broken(folder: pathlib.Path, kind: str) -> list[dict]:
    flaws = json.loads((folder / "traits.json").read_text())["broken"]
    return [flaw for flaw in flaws if flaw["kind"] == kind]


def test_configuration_loads_and_names_only_columns_that_exist(folder):
    config = load_config(str(folder / "tfrec.yaml"))
    schema = config.schema
    for path, features in (
        (config.data.items, schema.items.features),
        (config.data.users, schema.users.features),
        (config.data.events, schema.events.context),
    ):
        columns = pd.read_csv(path, nrows=1).columns
        assert {column for feature in features for column in feature.columns} <= set(columns)
    assert {schema.items.id, schema.items.title} <= set(pd.read_csv(config.data.items, nrows=1).columns)
    assert set(schema.events.weights) == {"view", "click", "purchase"}
    assert (config.serving.history, config.serving.exclude, config.serving.k) == (30, 50, 20)


def test_same_seed_gives_the_same_bytes_and_another_seed_does_not(tmp_path):
    def contents(name: str, seed: int) -> dict[str, bytes]:
        root = tmp_path / name
        write_sample(str(root), items=90, users=20, events=300, seed=seed)
        return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*.*")) if path.is_file()}

    first = contents("first", 3)
    assert any(name.endswith(".ogg") for name in first)
    assert first == contents("second", 3)
    assert first["catalogue.csv"] != contents("third", 4)["catalogue.csv"]


def test_sizes_are_as_asked_and_events_are_in_order_of_time(folder):
    catalogue, events = table(folder, "catalogue.csv"), table(folder, "events.csv")
    assert catalogue["item_id"].replace("", np.nan).nunique() == SIZES["items"]
    assert len(table(folder, "users.csv")) == SIZES["users"]
    assert abs(len(events) - SIZES["events"]) < 0.15 * SIZES["events"]
    bad = {flaw["row"] for flaw in broken(folder, "bad time")}
    times = pd.to_datetime(events["timestamp"].drop([row - 1 for row in bad]))
    assert times.is_monotonic_increasing
    assert times.max() - times.min() > pd.Timedelta(days=170)


def test_views_lead_to_clicks_and_clicks_to_purchases(folder):
    events = table(folder, "events.csv")
    events = events[events["event"].isin(["view", "click", "purchase"])]
    times = events.assign(time=pd.to_datetime(events["timestamp"], errors="coerce")).dropna()
    first = times.groupby(["user_id", "item_id", "event"])["time"].min().unstack("event")
    assert (first["click"].dropna() >= first["view"][first["click"].notna()]).mean() > 0.98
    assert first["purchase"].count() < first["click"].count() < first["view"].count()


@pytest.mark.parametrize("kind", ITEM_FLAWS + EXTRA_ITEM_FLAWS + EVENT_FLAWS + ("age no number",))
def test_every_kind_of_flaw_of_the_table_occurs(folder, kind):
    assert broken(folder, kind)


def test_broken_rows_are_where_the_truth_says(folder):
    catalogue, events, users = (table(folder, f"{name}.csv") for name in ("catalogue", "events", "users"))

    def cells(kind: str, rows: pd.DataFrame, column: str) -> list[str]:
        return [rows[column].iloc[flaw["row"] - 1] for flaw in broken(folder, kind)]

    assert set(cells("missing item id", catalogue, "item_id")) == {""}
    assert catalogue["item_id"].replace("", np.nan).dropna().duplicated().sum() == len(
        cells("duplicate item id", catalogue, "item_id")
    )
    assert {text.strip() for text in cells("empty text", catalogue, "title")} == {""}
    assert set(cells("price no number", catalogue, "price")) == {"ask us"}
    assert set(cells("age no number", users, "age")) == {"secret"}
    assert not set(cells("unknown item", events, "item_id")) & set(catalogue["item_id"])
    assert set(cells("unknown event type", events, "event")) == {"hover"}
    assert set(cells("missing user id", events, "user_id")) == {""}
    assert set(cells("bad time", events, "timestamp")) <= {"yesterday", "2026-02-31T10:00:00Z", ""}


def test_only_the_files_named_broken_fail_to_decode(folder):
    flaws = json.loads((folder / "traits.json").read_text())["broken"]
    kinds = collections.defaultdict(str, {f["id"]: f["kind"] for f in flaws if f["kind"] in ITEM_FLAWS})
    catalogue = table(folder, "catalogue.csv").query("item_id != ''").drop_duplicates("item_id")
    for row in catalogue.itertuples():
        kind = kinds[row.item_id]
        if kind == "missing picture":
            assert not os.path.exists(folder / row.picture)
        elif kind == "decompression bomb":
            assert os.path.getsize(folder / row.picture) < 1000
            with pytest.raises(Image.DecompressionBombError):
                Image.open(folder / row.picture)
        elif kind == "truncated picture":
            with pytest.raises(OSError):
                Image.open(folder / row.picture).load()
        elif row.picture:
            assert Image.open(folder / row.picture).convert("RGB").size == (80, 80)
        if kind == "garbage clip":
            with pytest.raises(soundfile.LibsndfileError):
                soundfile.read(folder / row.sound)
        elif row.sound:
            samples, rate = soundfile.read(folder / row.sound)
            assert 1.0 <= len(samples) / rate <= 1.5
            assert np.abs(samples).max() > 0.2


def test_some_items_lack_a_modality_and_files_come_in_several_formats(tmp_path):
    write_sample(str(tmp_path), items=300, users=10, events=100)
    catalogue = table(tmp_path, "catalogue.csv")
    for column in ("description", "picture", "sound"):
        assert (catalogue[column] == "").any()
    endings = set(catalogue["picture"].str.rsplit(".", n=1).str[-1]) | set(
        catalogue["sound"].str.rsplit(".", n=1).str[-1]
    )
    assert endings - {""} == {"png", "jpg", "webp", "wav", "flac", "ogg", "mp3"}


def test_new_items_are_in_no_event_and_have_all_their_content(folder):
    new = table(folder / "new_items", "new_items.csv")
    assert not set(new["item_id"]) & set(table(folder, "catalogue.csv")["item_id"])
    assert not set(new["item_id"]) & set(table(folder, "events.csv")["item_id"])
    assert set(new["item_id"]) == set(json.loads((folder / "traits.json").read_text())["new_items"])
    for column in ("picture", "sound"):
        assert all(os.path.getsize(folder / "new_items" / path) > 500 for path in new[column])


def test_titles_are_unique_and_no_text_names_a_trait_of_picture_or_sound(folder):
    catalogue = table(folder, "catalogue.csv").query("item_id != ''").drop_duplicates("item_id")
    titles = catalogue["title"][catalogue["title"].str.strip() != ""]
    assert titles.is_unique
    columns = catalogue[["title", "description", "category", "tags"]]
    words = set(" ".join(columns.to_numpy().ravel()).lower().replace(".", " ").replace(",", " ").split())
    hidden = {value for trait in TRAITS if trait.modality != "text" for value in trait.values}
    assert not words & hidden


def test_progress_counts_up_to_the_total(tmp_path):
    seen = []
    write_sample(str(tmp_path), items=20, users=10, events=100, progress=lambda done, total: seen.append((done, total)))
    done = [step for step, _ in seen]
    assert done == sorted(done)
    assert seen[-1][0] == seen[-1][1]


def test_too_few_items_is_one_clear_sentence(tmp_path):
    with pytest.raises(DataError, match="at least 20 items, got 3"):
        write_sample(str(tmp_path), items=3)


def test_a_folder_that_cannot_be_made_is_one_clear_sentence(tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(DataError, match=r"cannot write the sample catalogue to .*taken"):
        write_sample(str(tmp_path / "taken"), items=20, users=10, events=100)


def test_ogg_files_keep_their_sound_and_their_checksums_under_another_serial_number():
    tone = np.sin(np.arange(16_000) * 0.1).astype(np.float32) * 0.5
    buffer = io.BytesIO()
    soundfile.write(buffer, tone, 16_000, format="OGG", subtype="VORBIS")
    original = buffer.getvalue()
    serial = int.from_bytes(original[14:18], "little")
    assert with_serial(original, serial) == original  # our checksums equal the encoder's
    changed = with_serial(original, 99)
    assert changed != original
    before, after = (soundfile.read(io.BytesIO(content))[0] for content in (original, changed))
    np.testing.assert_array_equal(before, after)
    assert page_checksum(b"") == 0
    with pytest.raises(ValueError, match="no Ogg page at byte 0"):
        with_serial(b"RIFF and more", 1)
