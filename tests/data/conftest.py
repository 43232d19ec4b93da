"""A small shop whose files a test can break before it ingests them."""

import dataclasses
import json
import os
import pathlib

import pytest

from tfrec.config import Config, parse_config
from tfrec.data.tables import Catalogue, Dataset, Events, Users

ITEMS = """item_id,title,words,genre,tags,price,poster
a,Alpha,first words,drama,x|y,10,
b,Beta,second words,comedy,x,20,
c,Gamma,third words,drama,,30,
d,Delta,fourth words,,y|z,,
"""
USERS = """user_id,age,city
u1,30,Rome
u2,,Oslo
u3,50,Rome
"""
EVENTS = """user,item,when,kind,stars,device
u1,a,100,view,5,phone
u1,b,200,buy,4,phone
u2,a,300,view,3,desk
u2,c,400,view,5,
u9,d,500,buy,2,phone
u1,c,600,view,1,desk
"""
SCHEMA = {
    "items": {
        "id": "item_id",
        "title": "title",
        "features": {
            "words": {"modality": "text", "columns": ["title", "words"]},
            "genre": "category",
            "tags": "categories",
            "price": "number",
        },
    },
    "users": {"id": "user_id", "features": {"age": "number", "city": "category"}},
    "events": {
        "user": "user",
        "item": "item",
        "time": "when",
        "type": "kind",
        "value": "stars",
        "weights": {"view": 1.0, "buy": 3.0},
        "context": {"device": "category"},
    },
}


@dataclasses.dataclass
class Shop:
    """The shop's files in `folder`, and how to read them."""

    folder: pathlib.Path

    def config(self, split=None, **data) -> Config:
        document = {
            "data": {"items": "items.csv", "users": "users.csv", "events": "events.csv", **data},
            "schema": self.schema,
            "split": split or {"test": 0.2, "validation": 0.2},
        }
        return parse_config(json.loads(json.dumps(document)), source=str(self.folder / "shop.yaml"))

    def __post_init__(self):
        self.schema = json.loads(json.dumps(SCHEMA))
        self.write(items=ITEMS, users=USERS, events=EVENTS)

    def write(self, **files):
        for name, text in files.items():
            (self.folder / f"{name}.csv").write_text(text)

    def add(self, **rows):
        for name, text in rows.items():
            with open(self.folder / f"{name}.csv", "a") as file:
                file.write(text + "\n")

    @property
    def output(self) -> str:
        return str(self.folder / "out")


@pytest.fixture
def shop(tmp_path) -> Shop:
    """Four items, three users and six events, all of them good."""
    return Shop(tmp_path)


@pytest.fixture
def shared_data() -> pathlib.Path:
    """The folder of the public data sets (TFREC_TEST_DATA), which are not part of the repository."""
    folder = pathlib.Path(os.environ.get("TFREC_TEST_DATA", pathlib.Path(__file__).parents[3] / "shared" / "data"))
    if not (folder / "ml-100k" / "u.data").exists():
        pytest.skip("no MovieLens 100K; set TFREC_TEST_DATA to a folder that has ml-100k/u.data")
    return folder


@pytest.fixture
def same_tables():
    """A function that asserts that two catalogues, users, events or data sets hold the same."""
    import numpy as np

    def check(left, right):
        assert type(left) is type(right)
        if isinstance(left, (Catalogue, Users, Events, Dataset)):
            for field in dataclasses.fields(left):
                if field.name != "media":
                    check(getattr(left, field.name), getattr(right, field.name))
        elif isinstance(left, dict):
            assert left.keys() == right.keys()
            for key in left:
                check(left[key], right[key])
        else:
            assert left.dtype == right.dtype
            np.testing.assert_array_equal(left, right)

    return check
