"""What `tfrec init` makes of files it has never seen: a configuration that loads and explains itself."""

import pathlib
import re

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tfrec.config import Config, Model, Training, load_config
from tfrec.data.inspect import write_config
from tfrec.errors import ConfigError, DataError

ROWS = 60


def shop(rng: np.random.Generator) -> pd.DataFrame:
    nouns = ["lamp", "chair", "table", "shelf", "vase", "rug"]
    return pd.DataFrame(
        {
            "productId": [f"P{row:03d}" for row in range(ROWS)],
            "product_name": [f"{rng.choice(['Old', 'New'])} {rng.choice(nouns)} {row}" for row in range(ROWS)],
            "details": [f"A sturdy {rng.choice(nouns)} for the hall, made by hand, lot {row}." for row in range(ROWS)],
            "brand": rng.choice(["Norr", "Sund", "Vik"], size=ROWS),
            "keywords": [";".join(rng.choice(nouns, size=2, replace=False)) for _ in range(ROWS)],
            "price_eur": rng.integers(5, 90, size=ROWS) + 0.5,
            "photo": [f"p{row:03d}.webp" for row in range(ROWS)],
            "listed_on": [f"2025-03-{row % 28 + 1:02d}" for row in range(ROWS)],
            "page": [f"https://shop.example/{row}" for row in range(ROWS)],
        }
    )


def log(rng: np.random.Generator, items: pd.Series, size: int = 600) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "session_id": [f"s{row // 3}" for row in range(size)],
            "customer": [f"c{number}" for number in rng.integers(40, size=size)],
            "product": rng.choice(items, size=size),
            "ts": 1_700_000_000_000 + np.arange(size) * 60_000,
            "action": rng.choice(["pageview", "add_to_cart", "remove_from_cart", "purchase", "ping"], size=size),
            "platform": rng.choice(["web", "app"], size=size),
        }
    )


@pytest.fixture
def folder(tmp_path) -> pathlib.Path:
    rng = np.random.default_rng(0)
    items = shop(rng)
    items.to_csv(tmp_path / "products.csv", index=False)
    log(rng, items["productId"]).to_csv(tmp_path / "log.csv", index=False)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "p000.webp").write_bytes(b"any bytes")
    return tmp_path


def inspected(folder: pathlib.Path, items: str, events: str, users: str = "") -> Config:
    paths = [str(folder / name) if name else "" for name in (items, events, users)]
    return load_config(write_config(*paths, str(folder / "tfrec.yaml")))


def modalities(features) -> dict[str, str]:
    return {feature.name: feature.modality for feature in features}


def test_a_shop_is_understood(folder):
    config = inspected(folder, "products.csv", "log.csv")
    items, events = config.schema.items, config.schema.events
    assert (items.id, items.title) == ("productId", "product_name")
    assert modalities(items.features) == {
        "text": "text",
        "brand": "category",
        "keywords": "categories",
        "price_eur": "number",
        "photo": "image",
    }
    assert items.features[0].columns == ("product_name", "details")
    assert next(feature.separator for feature in items.features if feature.name == "keywords") == ";"
    assert (events.user, events.item, events.time, events.type) == ("customer", "product", "ts", "action")
    assert events.weights == {"pageview": 1, "add_to_cart": 3, "remove_from_cart": 0, "purchase": 4, "ping": 1}
    assert modalities(events.context) == {"platform": "category"}
    assert config.data.media == str(folder / "photos")
    assert config.split.by == "time"


def test_every_choice_and_omission_is_explained(folder):
    inspected(folder, "products.csv", "log.csv")
    text = (folder / "tfrec.yaml").read_text()
    assert "# listed_on is left out: dates" in text
    assert "# page is left out: addresses on the web" in text
    assert "# session_id is left out" in text
    assert "ping: 1   # the name says nothing about its worth" in text
    assert "brand:   # 3 different values" in text


def test_the_commented_defaults_are_complete_and_load_when_uncommented(folder):
    inspected(folder, "products.csv", "log.csv")
    path = folder / "tfrec.yaml"
    head, tail = path.read_text().split("# Everything below is optional", 1)
    settings_text = "\n".join(re.sub(r"^# ?", "", line) for line in tail.splitlines()[1:])
    path.write_text(head + settings_text)
    assert set(yaml.safe_load(settings_text)) == {"model", "training", "evaluation", "gates", "serving"}
    config = load_config(str(path))
    assert (config.model, config.training) == (Model(), Training())


def test_ratings_with_numbers_as_ids_and_no_time(tmp_path):
    rng = np.random.default_rng(1)
    films = pd.DataFrame(
        {
            "movieId": np.arange(1, 61),
            "title": [f"Film number {row}" for row in range(60)],
            "year": rng.integers(1950, 2020, size=60),
            "genres": ["|".join(rng.choice(["Drama", "Comedy", "War"], size=2, replace=False)) for _ in range(60)],
            "imdbId": rng.permutation(60) + 100_000,
        }
    )
    ratings = pd.DataFrame(
        {
            "userId": rng.integers(1, 41, size=500),  # overlaps with the ids of films
            "rating": rng.integers(1, 6, size=500),  # as do the ratings
            "movieId": rng.integers(1, 61, size=500),
        }
    )
    films.to_csv(tmp_path / "films.csv", index=False)
    ratings.to_csv(tmp_path / "ratings.csv", index=False)
    config = inspected(tmp_path, "films.csv", "ratings.csv")
    events = config.schema.events
    assert (events.item, events.user, events.value, events.time, events.type) == ("movieId", "userId", "rating", "", "")
    assert modalities(config.schema.items.features) == {"text": "text", "year": "number", "genres": "categories"}
    assert config.split.by == "within-user"
    assert "imdbId is left out: another id" in (tmp_path / "tfrec.yaml").read_text()


def test_json_lines_and_parquet_with_lists_and_bytes(tmp_path):
    rng = np.random.default_rng(2)
    ids = [f"song-{row}" for row in range(ROWS)]
    items = pd.DataFrame(
        {
            "track_id": ids,
            "artist_id": [f"a{row % 7}" for row in range(ROWS)],
            "tags": [["calm", "piano"] if row % 2 else ["loud"] for row in range(ROWS)],
            "sleeve": [b"\xff\xd8\xff\xe0 and so on"] * ROWS,
            "preview": [b"RIFF\x00\x00\x00\x00WAVEfmt "] * ROWS,
        }
    )
    items.to_parquet(tmp_path / "tracks.parquet")
    users = pd.DataFrame(
        {"listener": [f"u{row}" for row in range(20)], "age": 20 + np.arange(20), "city": ["A", "B"] * 10}
    )
    users.to_json(tmp_path / "people.jsonl", orient="records", lines=True)
    plays = pd.DataFrame(
        {
            "who": rng.choice(users["listener"], size=300),
            "what": rng.choice(ids, size=300),
            "played_at": [f"2026-01-{row % 28 + 1:02d}T10:00:00Z" for row in range(300)],
        }
    )
    plays.to_json(tmp_path / "plays.jsonl", orient="records", lines=True)
    config = inspected(tmp_path, "tracks.parquet", "plays.jsonl", "people.jsonl")
    schema = config.schema
    assert modalities(schema.items.features) == {
        "artist_id": "category",
        "tags": "categories",
        "sleeve": "image",
        "preview": "audio",
    }
    assert (schema.events.user, schema.events.item, schema.events.time) == ("who", "what", "played_at")
    assert (schema.users.id, modalities(schema.users.features)) == ("listener", {"age": "number", "city": "category"})


def test_prose_with_commas_is_text_and_repeated_values_with_commas_are_categories(tmp_path):
    rng = np.random.default_rng(3)
    words = ["red", "round", "soft", "cheap", "heavy", "tall"]
    items = pd.DataFrame(
        {
            "item_id": [f"i{row}" for row in range(ROWS)],
            "blurb": [f"Number {row}, a {rng.choice(words)} thing, and more of it." for row in range(ROWS)],
            "traits": [", ".join(rng.choice(words, size=rng.integers(1, 4), replace=False)) for _ in range(ROWS)],
        }
    )
    events = pd.DataFrame({"user_id": ["u1", "u2"] * 100, "item_id": rng.choice(items["item_id"], size=200)})
    items.to_csv(tmp_path / "items.csv", index=False)
    events.to_csv(tmp_path / "events.csv", index=False)
    config = inspected(tmp_path, "items.csv", "events.csv")
    assert modalities(config.schema.items.features) == {"text": "text", "traits": "categories"}
    assert config.schema.items.title == ""


def test_a_context_column_named_like_a_user_feature_gets_a_name_of_its_own(tmp_path):
    pd.DataFrame({"item_id": ["a", "b", "c"] * 1, "kind": ["x", "y", "x"]}).to_csv(tmp_path / "items.csv", index=False)
    pd.DataFrame({"user_id": ["u", "v", "w", "z"], "country": ["AT", "BR", "AT", "BR"]}).to_csv(
        tmp_path / "users.csv", index=False
    )
    pd.DataFrame(
        {"user_id": ["u", "v", "w", "z"] * 3, "item_id": ["a", "b", "c"] * 4, "country": ["AT", "BR", "CA"] * 4}
    ).to_csv(tmp_path / "events.csv", index=False)
    schema = inspected(tmp_path, "items.csv", "events.csv", "users.csv").schema
    assert modalities(schema.users.features) == {"country": "category"}
    assert [(feature.name, feature.columns) for feature in schema.events.context] == [("country_2", ("country",))]


def test_files_without_a_shared_item_id_are_refused(folder):
    pd.DataFrame({"customer": ["c1", "c2"], "product": ["unknown", "other"]}).to_csv(folder / "odd.csv", index=False)
    with pytest.raises(DataError, match=r"share no item id.*customer, product.*productId"):
        inspected(folder, "products.csv", "odd.csv")


def test_events_without_a_user_are_refused(folder):
    pd.DataFrame({"product": ["P001", "P002"], "colour": ["x", "y"]}).to_csv(folder / "odd.csv", index=False)
    with pytest.raises(DataError, match=r"cannot tell which column .* says who did it"):
        inspected(folder, "products.csv", "odd.csv")


def test_users_of_another_world_are_refused(folder):
    pd.DataFrame({"customer": ["z1", "z2"]}).to_csv(folder / "users.csv", index=False)
    with pytest.raises(DataError, match="share no user id"):
        inspected(folder, "products.csv", "log.csv", "users.csv")


def test_missing_empty_and_unknown_files_are_refused(folder):
    with pytest.raises(DataError, match=r"the items file .* does not exist"):
        inspected(folder, "nothing.csv", "log.csv")
    (folder / "bare.csv").write_text("productId,name\n")
    with pytest.raises(DataError, match="no readable row"):
        inspected(folder, "bare.csv", "log.csv")
    (folder / "sheet.xlsx").write_text("no")
    with pytest.raises(ConfigError, match=r"expected a file that ends in"):
        inspected(folder, "sheet.xlsx", "log.csv")


def test_an_existing_configuration_is_kept_unless_told_otherwise(folder):
    (folder / "tfrec.yaml").write_text("mine")
    paths = str(folder / "products.csv"), str(folder / "log.csv"), ""
    with pytest.raises(DataError, match="exists already"):
        write_config(*paths, str(folder))
    assert write_config(*paths, str(folder), overwrite=True) == str(folder / "tfrec.yaml")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names=st.lists(st.text(min_size=1, max_size=12), min_size=3, max_size=6, unique_by=str.strip),
    odd=st.sampled_from(["query", "yes", "null", "text", "history", "1e3", "a: b", "# x", "été", "user_id"]),
)
def test_any_column_names_give_a_configuration_that_loads(tmp_path, names, odd):
    names = [name for name in {*names, odd} if name.strip() and name.strip() != "item_id"]
    rows = [{"item_id": f"i{row}", **dict.fromkeys(names, f"v{row % 2}")} for row in range(6)]
    # Parquet takes every name that CSV would need quoting for, but no lone surrogates.
    try:
        pd.DataFrame(rows).to_parquet(tmp_path / "items.parquet")
    except UnicodeEncodeError:
        return
    pd.DataFrame({"user_id": ["u"] * 6, "item_id": [f"i{row}" for row in range(6)]}).to_csv(
        tmp_path / "events.csv", index=False
    )
    path = write_config(
        str(tmp_path / "items.parquet"), str(tmp_path / "events.csv"), "", str(tmp_path), overwrite=True
    )
    columns = {feature.columns[0] for feature in load_config(path).schema.items.features}
    assert columns == set(pd.DataFrame(rows).columns) - {"item_id"}
