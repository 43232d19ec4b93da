import numpy as np
import pytest

from tfrec.data.quarantine import Quarantine
from tfrec.data.read import read_table
from tfrec.data.users import UserNumbers, build_users
from tfrec.errors import ConfigError


def ids(*values):
    return np.array(values, dtype=object)


def test_users_met_only_in_events_come_after_those_of_the_file_with_absent_features(shop):
    schema = shop.config().schema.users
    users = build_users(read_table(str(shop.folder / "users.csv"), "users"), schema, Quarantine())
    numbers = UserNumbers(users)
    pieces = [numbers.numbers(ids("new", "u3", "new")), numbers.numbers(ids("other", "u1"))]
    users, rows = numbers.table(np.concatenate(pieces), schema)
    assert users.ids.tolist() == ["u1", "u2", "u3", "new", "other"]
    assert rows.tolist() == [3, 2, 3, 4, 0]
    assert rows.dtype == np.int32
    assert users.columns["city"].tolist() == ["Rome", "Oslo", "Rome", "", ""]
    np.testing.assert_array_equal(users.columns["age"], np.array([30, np.nan, 50, np.nan, np.nan], np.float32))


def test_without_a_file_the_users_are_those_of_the_events(shop):
    del shop.schema["users"]
    schema = shop.config().schema.users
    numbers = UserNumbers(build_users(None, schema, Quarantine()))
    users, rows = numbers.table(numbers.numbers(ids("b", "a", "b")), schema)
    assert users.ids.tolist() == ["b", "a"]
    assert rows.tolist() == [0, 1, 0]


def test_user_features_without_a_file_are_refused(shop):
    with pytest.raises(ConfigError, match=r"'age' but data.users is missing"):
        build_users(None, shop.config().schema.users, Quarantine())


def test_repeated_and_missing_user_ids_are_quarantined(shop):
    shop.add(users="u1,31,Paris\n,1,Paris\nu4,old,Paris")
    quarantine = Quarantine()
    users = build_users(read_table(str(shop.folder / "users.csv"), "users"), shop.config().schema.users, quarantine)
    assert users.ids.tolist() == ["u1", "u2", "u3", "u4"]
    assert users.columns["city"][0] == "Rome"
    assert [(problem.row, problem.code) for problem in quarantine.problems] == [
        (5, "duplicate_id"),
        (6, "missing_user"),
        (7, "bad_number"),
    ]
