import numpy as np
import pytest

from tfrec.data.catalogue import build_catalogue
from tfrec.data.events import build_events
from tfrec.data.quarantine import Quarantine
from tfrec.data.read import read_table
from tfrec.data.users import build_users


def built(shop):
    quarantine = Quarantine()
    schema = shop.config().schema
    items, users, events = (read_table(str(shop.folder / f"{name}.csv"), name) for name in ("items", "users", "events"))
    catalogue, _ = build_catalogue(items, schema.items, quarantine)
    rows = build_events(events, schema, catalogue, build_users(users, schema.users, quarantine), quarantine)
    return rows, [(problem.row, problem.column, problem.code) for problem in quarantine.problems]


def test_events_point_at_users_and_items_and_carry_time_weight_value_and_context(shop):
    (events, users, left_out), problems = built(shop)
    assert (problems, left_out) == ([], 0)
    assert users.ids[events.user].tolist() == ["u1", "u1", "u2", "u2", "u9", "u1"]
    assert events.item.tolist() == [0, 1, 0, 2, 3, 2]
    assert events.time.tolist() == [100, 200, 300, 400, 500, 600]
    assert events.weight.tolist() == [1, 3, 1, 1, 3, 1]
    assert events.value.tolist() == [5, 4, 3, 5, 2, 1]
    assert events.context["device"].tolist() == ["phone", "phone", "desk", "", "phone", "desk"]


@pytest.mark.parametrize(
    ("row", "column", "code"),
    [
        (",a,700,view,5,phone", "user", "missing_user"),
        ("u1,,700,view,5,phone", "item", "missing_id"),
        ("u1,zzz,700,view,5,phone", "item", "unknown_item"),
        ("u1,a,700,wink,5,phone", "kind", "unknown_type"),
        ("u1,a,700,,5,phone", "kind", "unknown_type"),
        ("u1,a,soon,view,5,phone", "when", "bad_time"),
        ("u1,a,,view,5,phone", "when", "bad_time"),
        ("u1,a,700,view,many,phone", "stars", "bad_number"),
        ("u1,a,100,view,5,phone", "", "duplicate_event"),
        ("u1,a,100", "", "malformed_row"),
        (",zzz,soon,wink,many", "", "malformed_row"),
        (",zzz,soon,wink,many,phone", "user", "missing_user"),
    ],
)
def test_a_faulty_event_is_quarantined_once_with_its_first_fault(shop, row, column, code):
    shop.add(events=row)
    rows, problems = built(shop)
    assert problems == [(8, column, code)]
    assert len(rows.events) == 6


def test_equal_rows_without_a_time_are_repeated_events_and_kept(shop):
    del shop.schema["events"]["time"]
    shop.add(events="u1,a,100,view,5,phone")
    rows, problems = built(shop)
    assert problems == []
    assert rows.events.time.tolist() == [2, 3, 4, 5, 6, 7, 8]


def test_events_below_the_minimum_value_are_left_out_and_counted_but_no_fault(shop):
    shop.schema["events"]["minimum_value"] = 4
    shop.add(events="u2,b,700,view,,phone")
    rows, problems = built(shop)
    assert rows.left_out == 3
    assert rows.events.value.tolist() == [5, 4, 5]
    assert rows.users.ids.tolist() == ["u1", "u2", "u3"]
    assert problems == [(8, "stars", "missing_value")]


def test_a_missing_value_is_allowed_where_nothing_is_compared_with_it(shop):
    shop.add(events="u2,b,700,view,,phone")
    rows, problems = built(shop)
    assert problems == []
    assert np.isnan(rows.events.value[-1])
