import numpy as np
import pytest

from tests.data.conftest import EVENTS
from tfrec.data.catalogue import build_catalogue
from tfrec.data.events import checked_pieces, merged
from tfrec.data.quarantine import Quarantine
from tfrec.data.read import read_pieces, read_table
from tfrec.data.users import build_users
from tfrec.errors import ConfigError


def build_events(pieces, schema, catalogue, users, quarantine):
    return merged(checked_pieces(pieces, schema.events, catalogue), schema, users, quarantine)


def built(shop):
    quarantine = Quarantine()
    schema = shop.config().schema
    items, users, events = (read_table(str(shop.folder / f"{name}.csv"), name) for name in ("items", "users", "events"))
    catalogue, _ = build_catalogue(items, schema.items, quarantine)
    rows = build_events([events], schema, catalogue, build_users(users, schema.users, quarantine), quarantine)
    return rows, [(problem.row, problem.column, problem.code) for problem in quarantine.problems]


def test_events_point_at_users_and_items_and_carry_time_weight_value_and_context(shop):
    (events, users, _, left_out, _), problems = built(shop)
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


@pytest.mark.parametrize("rows", [1, 2, 5, 100])
def test_what_is_read_does_not_depend_on_where_pieces_end(shop, rows, same_tables):
    shop.schema["events"]["minimum_value"] = 2
    shop.add(
        events="u1,a,100,view,5,phone\nu7,zzz,5,view,5,\nu8,a,7,view,1,phone\nu8,a\nu9,d,500,buy,2,phone\nu7,b,8,buy,4,"
    )
    whole, problems = built(shop)
    quarantine = Quarantine()
    schema = shop.config().schema
    items, users = (read_table(str(shop.folder / f"{name}.csv"), name) for name in ("items", "users"))
    catalogue, _ = build_catalogue(items, schema.items, quarantine)
    pieces = read_pieces(str(shop.folder / "events.csv"), "events", rows)
    found = build_events(pieces, schema, catalogue, build_users(users, schema.users, quarantine), quarantine)
    same_tables(found.events, whole.events)
    same_tables(found.users, whole.users)
    assert (found.read, found.left_out) == (whole.read, whole.left_out) == (12, 2)
    assert [(problem.row, problem.column, problem.code) for problem in quarantine.problems] == problems
    assert [row for row, _, code in problems if code == "duplicate_event"] == [8, 12]
    assert "u8" not in found.users.ids and found.users.ids[-1] == "u7"


def test_a_bad_number_of_the_context_is_noted_only_where_the_event_is_kept(shop):
    shop.schema["events"]["context"] = {"level": {"modality": "number", "columns": ["device"]}}
    repeated = ["u1,a,900,view,5,7"] * 2 + ["u1,a,901,view,5,x"] * 2
    shop.write(events="\n".join([EVENTS.splitlines()[0], *repeated, ""]))
    rows, problems = built(shop)
    np.testing.assert_array_equal(rows.events.context["level"], np.array([7, np.nan], np.float32))
    assert problems == [(3, "", "duplicate_event"), (4, "device", "bad_number"), (5, "", "duplicate_event")]


def test_json_lines_may_name_a_column_late_but_must_name_it(shop):
    lines = ['{"user": "u1", "item": "a", "when": 1, "kind": "view", "stars": 1}'] * 2
    lines += ['{"user": "u1", "item": "b", "when": 2, "kind": "view", "stars": 1, "device": "phone"}']
    (shop.folder / "events.jsonl").write_text("\n".join(lines))
    schema = shop.config().schema
    catalogue, _ = build_catalogue(read_table(str(shop.folder / "items.csv"), "items"), schema.items, Quarantine())
    nobody = build_users(read_table(str(shop.folder / "users.csv"), "users"), schema.users, Quarantine())
    pieces = list(read_pieces(str(shop.folder / "events.jsonl"), "events", 1))
    rows = build_events(pieces, schema, catalogue, nobody, Quarantine())
    assert rows.events.context["device"].tolist() == ["", "phone"]
    with pytest.raises(ConfigError, match="names the column 'device'"):
        build_events(pieces[:2], schema, catalogue, nobody, Quarantine())
