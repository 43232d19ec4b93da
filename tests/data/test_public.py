"""Public data sets become catalogue, users and events of ours; the tests write tiny files in the original formats."""

import os
import pathlib
import urllib.error
import urllib.request
import zipfile

import pandas as pd
import pytest

from tfrec.config import load_config
from tfrec.data.public import prepare_public
from tfrec.data.public.titles import split_title
from tfrec.errors import DataError

DATA = pathlib.Path(os.environ.get("TFREC_TEST_DATA") or pathlib.Path(__file__).parents[3] / "shared" / "data")


def real(folder: str) -> str:
    path = DATA / folder
    if not path.is_dir():
        pytest.skip(f"{path} is not there; set TFREC_TEST_DATA to a folder with {folder} to run this test")
    return str(path)


def quiet(text: str) -> None:
    """Takes the terms that a test does not look at."""


def film_100k(number: int, title: str, released: str, genres: dict[int, str]) -> str:
    flags = ["1" if column in genres else "0" for column in range(19)]
    return "|".join([str(number), title, released, "", "http://films.example/x", *flags])


@pytest.fixture
def source_100k(tmp_path) -> pathlib.Path:
    folder = tmp_path / "ml-100k"
    folder.mkdir()
    films = [
        film_100k(1, "Moon Café, The (1991)", "01-Jan-1991", {5: "Comedy", 15: "Sci-Fi"}),
        film_100k(2, "Plain Title", "04-Mar-1987", {8: "Drama"}),
        film_100k(3, "unknown", "", {0: "unknown"}),
    ]
    (folder / "u.item").write_bytes("\n".join(films).encode("latin-1"))
    (folder / "u.user").write_text("7|24|F|writer|12345\n8|51|M|other|54321\n")
    (folder / "u.data").write_text("8\t1\t5\t880000009\n7\t1\t3\t880000001\n7\t2\t4\t880000002\n")
    return folder


def read(folder: str, name: str) -> pd.DataFrame:
    return pd.read_csv(os.path.join(os.path.dirname(folder), name), dtype=str, keep_default_na=False)


def test_movielens_100k_becomes_catalogue_users_and_events(source_100k, tmp_path):
    path = prepare_public("movielens-100k", str(source_100k), str(tmp_path / "out"), say=quiet)
    items, users, events = (read(path, f"{name}.csv") for name in ("catalogue", "users", "events"))
    assert items.to_dict("records") == [
        {"item_id": "1", "title": "The Moon Café", "year": "1991", "genres": "Comedy|Sci-Fi"},
        {"item_id": "2", "title": "Plain Title", "year": "1987", "genres": "Drama"},
        {"item_id": "3", "title": "unknown", "year": "", "genres": ""},
    ]
    assert users.to_dict("records")[0] == {"user_id": "7", "age": "24", "gender": "F", "occupation": "writer"}
    assert events.to_numpy().tolist()[0] == ["8", "1", "5", "880000009"]  # the order of the file is kept
    schema = load_config(path).schema
    assert {feature.name: feature.modality for feature in schema.items.features} == {
        "text": "text",
        "genres": "categories",
        "year": "number",
    }
    assert schema.events.type == ""
    assert schema.events.minimum_value is None


def test_terms_are_shown_and_written(source_100k, tmp_path):
    said = []
    path = prepare_public("movielens-100k", str(source_100k), str(tmp_path / "out"), say=said.append)
    assert "Harper" in said[0]
    assert "research use only" in (tmp_path / "out" / "README.md").read_text()
    assert load_config(path).name == "movielens-100k"


def test_a_zip_file_gives_the_same_as_the_folder(source_100k, tmp_path):
    archive = tmp_path / "ml-100k.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in source_100k.iterdir():
            file.write(path, f"ml-100k/{path.name}")
    first = prepare_public("movielens-100k", str(source_100k), str(tmp_path / "first"), say=quiet)
    second = prepare_public("movielens-100k", str(archive), str(tmp_path / "second"), say=quiet)
    third = prepare_public("movielens-100k", str(source_100k.parent), str(tmp_path / "third"), say=quiet)
    for name in ("catalogue.csv", "users.csv", "events.csv"):
        assert read(first, name).equals(read(second, name))
        assert read(first, name).equals(read(third, name))


def test_posters_and_overviews_are_joined_by_id(source_100k, tmp_path):
    extra = tmp_path / "extra"
    (extra / "posters").mkdir(parents=True)
    (extra / "posters" / "a.JPG").write_bytes(b"bytes of a poster")
    (extra / "items.csv").write_text(
        'item_id,poster,overview\n1,posters/a.JPG,"A café, far away."\n2,posters/no.jpg,\n'
    )
    path = prepare_public("movielens-100k", str(source_100k), str(tmp_path / "out"), extra=str(extra), say=quiet)
    items = read(path, "catalogue.csv")
    assert items["poster"].tolist() == ["posters/1.jpg", "posters/2.jpg", ""]
    assert items["overview"].tolist() == ["A café, far away.", "", ""]
    assert (tmp_path / "out" / "posters" / "1.jpg").read_bytes() == b"bytes of a poster"
    text, poster, *_ = load_config(path).schema.items.features
    assert (text.columns, poster.modality) == (("title", "overview"), "image")


def test_the_table_itself_may_be_given_in_place_of_its_folder(source_100k, tmp_path):
    table = tmp_path / "plots" / "my-films.csv"
    (table.parent / "posters").mkdir(parents=True)
    (table.parent / "posters" / "a.jpg").write_bytes(b"bytes of a poster")
    table.write_text("item_id,poster,overview\n1,posters/a.jpg,Far away.\n")
    path = prepare_public("movielens-100k", str(source_100k), str(tmp_path / "out"), extra=str(table), say=quiet)
    assert read(path, "catalogue.csv")["overview"].tolist() == ["Far away.", "", ""]
    assert (tmp_path / "out" / "posters" / "1.jpg").read_bytes() == b"bytes of a poster"


def test_a_poster_outside_the_folder_is_refused(source_100k, tmp_path):
    extra = tmp_path / "extra"
    extra.mkdir()
    (extra / "items.csv").write_text("item_id,poster\n1,../ml-100k/u.item\n")
    with pytest.raises(DataError, match="leads out of"):
        prepare_public("movielens-100k", str(source_100k), str(tmp_path / "out"), extra=str(extra), say=quiet)


def test_movielens_1m_has_age_groups_and_named_occupations(tmp_path):
    folder = tmp_path / "ml-1m"
    folder.mkdir()
    (folder / "movies.dat").write_bytes("1::Été, L' (1977)::Drama|Romance\n".encode("latin-1"))
    (folder / "users.dat").write_text("1::F::1::10::48067\n2::M::56::16::70072\n")
    (folder / "ratings.dat").write_text("1::1::5::978300760\n")
    path = prepare_public("movielens-1m", str(folder), str(tmp_path / "out"), minimum_value=4, say=quiet)
    assert read(path, "catalogue.csv").to_numpy().tolist() == [["1", "L'Été", "1977", "Drama|Romance"]]
    assert read(path, "users.csv").to_numpy().tolist() == [
        ["1", "F", "under 18", "K-12 student"],
        ["2", "M", "56 and over", "self-employed"],
    ]
    config = load_config(path)
    assert config.schema.events.minimum_value == 4
    assert {feature.name for feature in config.schema.users.features} == {"age_group", "gender", "occupation"}


def test_movielens_latest_small_has_no_users_file(tmp_path):
    folder = tmp_path / "ml-latest-small"
    folder.mkdir()
    (folder / "movies.csv").write_text('movieId,title,genres\n5,"Net, The (1995)",(no genres listed)\n')
    (folder / "ratings.csv").write_text("userId,movieId,rating,timestamp\n3,5,4.5,964982703\n")
    (tmp_path / "overviews.csv").write_text("movieId,tmdbId,overview\n5,1,Somebody is online.\n")
    path = prepare_public("movielens-latest-small", str(folder), str(tmp_path / "out"), extra=str(tmp_path), say=quiet)
    assert read(path, "catalogue.csv").to_dict("records") == [
        {"item_id": "5", "title": "The Net", "year": "1995", "genres": "", "overview": "Somebody is online."}
    ]
    assert load_config(path).data.users == ""
    assert not (tmp_path / "out" / "users.csv").exists()


@pytest.mark.parametrize(
    ("written", "title", "year"),
    [
        ("Toy Story (1995)", "Toy Story", 1995),
        ("Matrix, The (1999)", "The Matrix", 1999),
        ("Godfather: Part II, The (1974)", "The Godfather: Part II", 1974),
        ("Good, The Bad and The Ugly, The (1966)", "The Good, The Bad and The Ugly", 1966),
        ("Enfer, L' (1994)", "L'Enfer", 1994),
        ("Convent, The (Convento, O) (1995)", "The Convent (O Convento)", 1995),
        ("Two Friends (1986) ", "Two Friends", 1986),
        ("Land Before Time III (1995) (V)", "Land Before Time III", 1995),
        ("2001: A Space Odyssey (1968)", "2001: A Space Odyssey", 1968),
        ("Death Note: Desu nôto (2006–2007)", "Death Note: Desu nôto", 2006),
        ("Babylon 5", "Babylon 5", None),
    ],
)
def test_titles_read_as_people_write_them(written, title, year):
    assert split_title(written) == (title, year)


def test_an_unknown_name_lists_the_known_ones(tmp_path):
    with pytest.raises(DataError, match="'movielens-10m'; expected one of movielens-100k"):
        prepare_public("movielens-10m", "", str(tmp_path), say=quiet)


def test_a_missing_file_is_named(source_100k, tmp_path):
    (source_100k / "u.user").unlink()
    with pytest.raises(DataError, match=r"has no u\.user"):
        prepare_public("movielens-100k", str(source_100k), str(tmp_path / "out"), say=quiet)
    with pytest.raises(DataError, match="does not exist"):
        prepare_public("movielens-100k", str(tmp_path / "nowhere"), str(tmp_path / "out"), say=quiet)


def test_a_malformed_line_is_named(source_100k, tmp_path):
    (source_100k / "u.data").write_text("1\t1\t5\t880000001\n1,1,5,880000002\n")
    with pytest.raises(DataError, match=r"u\.data, line 2 has 1 cells"):
        prepare_public("movielens-100k", str(source_100k), str(tmp_path / "out"), say=quiet)


def test_a_damaged_zip_is_one_clear_sentence(tmp_path):
    (tmp_path / "ml-100k.zip").write_bytes(b"PK\x03\x04 and then nothing")
    with pytest.raises(DataError, match="no readable zip file"):
        prepare_public("movielens-100k", str(tmp_path / "ml-100k.zip"), str(tmp_path / "out"), say=quiet)


def test_without_a_network_the_user_is_told_to_give_a_source(tmp_path, monkeypatch):
    def unreachable(url, timeout):
        raise urllib.error.URLError("name not known")

    monkeypatch.setattr(urllib.request, "urlopen", unreachable)
    with pytest.raises(DataError, match=r"cannot download https://files\.grouplens\.org.*name not known.*--source"):
        prepare_public("movielens-100k", "", str(tmp_path / "out"), say=quiet)


def test_a_download_is_kept_and_not_repeated(source_100k, tmp_path, monkeypatch):
    archive = tmp_path / "offered.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in source_100k.iterdir():
            file.write(path, f"ml-100k/{path.name}")
    asked = []
    opener = urllib.request.urlopen

    def local(url, timeout):
        asked.append(url)
        return opener(archive.as_uri(), timeout=timeout)

    monkeypatch.setattr(urllib.request, "urlopen", local)
    seen = []
    for _ in range(2):
        prepare_public(
            "movielens-100k",
            "",
            str(tmp_path / "out"),
            say=quiet,
            progress=lambda done, total: seen.append((done, total)),
        )
    assert asked == ["https://files.grouplens.org/datasets/movielens/ml-100k.zip"]
    assert seen[-1] == (archive.stat().st_size, archive.stat().st_size)


def test_real_movielens_100k_with_posters_and_overviews(tmp_path):
    source, extra = real("ml-100k"), real("ml-100k-multimodal")
    path = prepare_public("movielens-100k", source, str(tmp_path), extra=extra, say=quiet)
    items, users, events = (read(path, f"{name}.csv") for name in ("catalogue", "users", "events"))
    assert (len(items), len(users), len(events)) == (1682, 943, 100_000)
    assert ((items["poster"] != "").sum(), (items["overview"] != "").sum()) == (1254, 1257)
    assert len(list((tmp_path / "posters").iterdir())) == 1254
    assert items["title"][items["item_id"] == "127"].item() == "The Godfather"
    assert not items["title"].str.contains(r"\(\d{4}\)|, The$").any()
    assert (items["year"] == "").sum() == 1  # the film called unknown
    load_config(path)


def test_real_movielens_latest_small_with_overviews(tmp_path):
    source, extra = real("ml-latest-small"), real("ml-latest-small-text")
    path = prepare_public("movielens-latest-small", source, str(tmp_path), extra=extra, say=quiet)
    items, events = read(path, "catalogue.csv"), read(path, "events.csv")
    assert (len(items), len(events), events["user_id"].nunique()) == (9742, 100_836, 610)
    assert (items["overview"] != "").sum() == 3427
    assert items["title"][items["item_id"] == "2571"].item() == "The Matrix"
