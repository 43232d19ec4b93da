"""Parses the MovieLens releases: 100K, 1M and latest-small.

The formats are described in the README that GroupLens ships with each release. Ratings keep the order of their file,
which the published protocols that draw one random number per row depend on.
"""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Mapping

import numpy as np
import pandas as pd

from tfrec.data.public.titles import split_title
from tfrec.errors import DataError

_HOST = "https://files.grouplens.org/datasets/movielens"
_AGES = {1: "under 18", 18: "18-24", 25: "25-34", 35: "35-44", 45: "45-49", 50: "50-55", 56: "56 and over"}
_OCCUPATIONS = [
    "other",
    "academic/educator",
    "artist",
    "clerical/admin",
    "college/grad student",
    "customer service",
    "doctor/health care",
    "executive/managerial",
    "farmer",
    "homemaker",
    "K-12 student",
    "lawyer",
    "programmer",
    "retired",
    "sales/marketing",
    "scientist",
    "self-employed",
    "technician/engineer",
    "tradesman/craftsman",
    "unemployed",
    "writer",
]


@dataclasses.dataclass(frozen=True)
class Release:
    """One MovieLens release.

    Attributes:
        name: as given on the command line; `title`: as written in prose.
        url: where GroupLens offers it; `files`: those that are read.
        user_features: (feature, modality) of the columns of users.csv besides user_id.
        history: how many of a user's latest films a query is read from.
    """

    name: str
    title: str
    url: str
    files: tuple[str, ...]
    user_features: tuple[tuple[str, str], ...]
    history: int = 400


RELEASES = {
    release.name: release
    for release in (
        Release(
            "movielens-100k",
            "MovieLens 100K",
            f"{_HOST}/ml-100k.zip",
            ("u.item", "u.user", "u.data"),
            (("age", "number"), ("gender", "category"), ("occupation", "category")),
        ),
        Release(
            "movielens-1m",
            "MovieLens 1M",
            f"{_HOST}/ml-1m.zip",
            ("movies.dat", "users.dat", "ratings.dat"),
            (("age_group", "category"), ("gender", "category"), ("occupation", "category")),
        ),
        Release(
            "movielens-latest-small",
            "MovieLens latest-small",
            f"{_HOST}/ml-latest-small.zip",
            ("movies.csv", "ratings.csv"),
            (),
            history=1000,  # An eighth of its users rated more than 200 films, some above 2,000.
        ),
    )
}


@dataclasses.dataclass(frozen=True)
class Films:
    """The tables of a release.

    Attributes:
        items: item_id, title, year ("" if unknown), genres (separated by "|"); all cells text.
        users: user_id and the release's user features, or None where it has none.
        events: user_id, item_id, rating, timestamp (seconds since 1970), in the order of the file.
    """

    items: pd.DataFrame
    users: pd.DataFrame | None
    events: pd.DataFrame


def parse_release(name: str, files: Mapping[str, bytes]) -> Films:
    """Parse the files of the release called `name`.

    Raises:
        DataError: naming the file and line that do not have the release's format.
    """
    parsers = {"movielens-100k": _parse_100k, "movielens-1m": _parse_1m, "movielens-latest-small": _parse_small}
    return parsers[name](files)


def _parse_100k(files: Mapping[str, bytes]) -> Films:
    genres = [
        "unknown",
        "Action",
        "Adventure",
        "Animation",
        "Children's",
        "Comedy",
        "Crime",
        "Documentary",
        "Drama",
        "Fantasy",
        "Film-Noir",
        "Horror",
        "Musical",
        "Mystery",
        "Romance",
        "Sci-Fi",
        "Thriller",
        "War",
        "Western",
    ]
    columns = ["item_id", "title", "released", "video", "url", *genres]
    films = _separated(files["u.item"], "u.item", "|", columns)
    flags = films[genres].to_numpy() == "1"
    named = ["|".join(np.array(genres[1:])[row[1:]]) for row in flags]
    users = _separated(files["u.user"], "u.user", "|", ["user_id", "age", "gender", "occupation", "zip"])
    return Films(
        items=_items(films["item_id"], films["title"], named, films["released"].str[-4:]),
        users=users.drop(columns="zip"),
        events=_separated(files["u.data"], "u.data", "\t", ["user_id", "item_id", "rating", "timestamp"]),
    )


def _parse_1m(files: Mapping[str, bytes]) -> Films:
    films = _separated(files["movies.dat"], "movies.dat", "::", ["item_id", "title", "genres"])
    users = _separated(
        files["users.dat"], "users.dat", "::", ["user_id", "gender", "age_group", "occupation", "zip"]
    ).drop(columns="zip")
    users["age_group"] = _decoded(users["age_group"], {str(code): name for code, name in _AGES.items()}, "age")
    codes = {str(code): name for code, name in enumerate(_OCCUPATIONS)}
    users["occupation"] = _decoded(users["occupation"], codes, "occupation")
    return Films(
        items=_items(films["item_id"], films["title"], films["genres"], None),
        users=users,
        events=_separated(files["ratings.dat"], "ratings.dat", "::", ["user_id", "item_id", "rating", "timestamp"]),
    )


def _parse_small(files: Mapping[str, bytes]) -> Films:
    films = _comma(files["movies.csv"], "movies.csv", ["movieId", "title", "genres"])
    ratings = _comma(files["ratings.csv"], "ratings.csv", ["userId", "movieId", "rating", "timestamp"])
    return Films(
        items=_items(films["movieId"], films["title"], films["genres"].replace("(no genres listed)", ""), None),
        users=None,
        events=ratings.rename(columns={"userId": "user_id", "movieId": "item_id"}),
    )


def _items(ids: pd.Series, titles: pd.Series, genres, released: pd.Series | None) -> pd.DataFrame:
    """The item table; where a title has no year, the last four characters of the release date are it."""
    split = [split_title(title) for title in titles]
    years = [str(year) if year else "" for _, year in split]
    if released is not None:
        years = [year or date for year, date in zip(years, released)]
    return pd.DataFrame(
        {"item_id": ids.to_numpy(), "title": [title for title, _ in split], "year": years, "genres": list(genres)}
    )


def _separated(content: bytes, file: str, separator: str, columns: list[str]) -> pd.DataFrame:
    """Rows of a file in Latin-1 without header or quotes."""
    rows = [line.split(separator) for line in content.decode("latin-1").replace("\r", "").split("\n") if line]
    for number, row in enumerate(rows, start=1):
        if len(row) != len(columns):
            raise DataError(
                f"{file}, line {number} has {len(row)} cells separated by {separator!r}, expected {len(columns)}; "
                "is it the file of another release?"
            )
    if not rows:
        raise DataError(f"{file} is empty; expected rows of {', '.join(columns)}")
    return pd.DataFrame(rows, columns=columns)


def _comma(content: bytes, file: str, columns: list[str]) -> pd.DataFrame:
    try:
        table = pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False, encoding="utf-8")
    except (ValueError, UnicodeDecodeError) as error:
        raise DataError(f"{file} is no readable CSV: {' '.join(str(error).split())}") from error
    for column in columns:
        if column not in table:
            raise DataError(f"{file} has no column {column!r}; its columns are {', '.join(table.columns)}")
    return table[columns]


def _decoded(codes: pd.Series, names: Mapping[str, str], what: str) -> pd.Series:
    unknown = codes[~codes.isin(list(names))]
    if len(unknown):
        raise DataError(
            f"users.dat, line {unknown.index[0] + 1} has the {what} code {unknown.iloc[0]!r}, not one of 1M"
        )
    return codes.map(names)
