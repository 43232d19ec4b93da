import json
import os

import numpy as np
import pandas as pd
import pytest

from tfrec.data.files import write_text
from tfrec.data.formats import Malformed
from tfrec.data.quarantine import Quarantine, shortened
from tfrec.data.read import Table
from tfrec.data.report import problem_counts
from tfrec.errors import DataError


@pytest.fixture
def quarantine():
    frame = pd.DataFrame({"id": ["a", "a", ""]}, index=[2, 3, 5])
    table = Table("items", "shop/items.csv", frame, [Malformed(4, "x\0" * 99, "it has 1 cell")])
    quarantine = Quarantine()
    quarantine.reject(table, np.array([False, False, True]), "id", "missing_id")
    quarantine.reject(table, np.array([False, True, False]), "id", "duplicate_id")
    quarantine.note_cell(table, 2, "poster", b"\xff" * 9, "unreadable_picture", "the content is no picture")
    quarantine.add_malformed(table)
    return quarantine


def test_problems_are_written_in_the_order_of_rows(quarantine, tmp_path):
    quarantine.write(str(tmp_path / "quarantine.jsonl"))
    lines = [json.loads(line) for line in (tmp_path / "quarantine.jsonl").read_text().splitlines()]
    assert [line["row"] for line in lines] == [2, 3, 4, 5]
    assert lines[0] == {
        "table": "items",
        "file": "items.csv",
        "row": 2,
        "column": "poster",
        "value": "9 bytes",
        "code": "unreadable_picture",
        "reason": "the content is no picture",
        "kept": True,
    }
    assert lines[2]["reason"] == "the row cannot be read: it has 1 cell"
    assert len(lines[2]["value"]) == 80


def test_rows_not_kept_are_told_from_cells_not_used(quarantine):
    assert quarantine.rejected("items") == 3
    assert quarantine.rejected("events") == 0
    assert [(count.code, count.count, count.rows) for count in problem_counts(quarantine)] == [
        ("unreadable_picture", 1, (2,)),
        ("duplicate_id", 1, (3,)),
        ("malformed_row", 1, (4,)),
        ("missing_id", 1, (5,)),
    ]


def test_a_shown_value_is_one_short_line_that_can_be_written():
    assert shortened("a\nb\t c") == "a b c"
    assert shortened(("x", "y")) == "x, y"
    assert shortened("caf\udce9") == "caf\\udce9"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full to stand for a full disk")
def test_a_full_disk_is_one_sentence(tmp_path):
    os.symlink("/dev/full", tmp_path / "report.json.partial")
    with pytest.raises(DataError, match=r"cannot write .*report.json: No space left on device; free some space"):
        write_text(str(tmp_path / "report.json"), "text")


def test_millions_of_problems_are_counted_and_listed_without_being_made():
    frame = pd.DataFrame({"item": pd.Series(["x"] * 300_000, dtype=object)})
    quarantine = Quarantine()
    for piece in range(4):
        table = Table("events", "log.csv", frame.set_axis(np.arange(300_000) + 300_000 * piece + 2), [])
        quarantine.reject(table, np.ones(len(frame), bool), "item", "unknown_item")
    assert quarantine.rejected("events") == len(quarantine.problems) == 1_200_000
    assert [problem.row for problem in quarantine.problems[600_000:600_002]] == [600_002, 600_003]
    assert problem_counts(quarantine)[0].rows == (2, 3, 4, 5, 6)


def test_what_was_written_is_read_again_to_go_on_with(quarantine, tmp_path):
    quarantine.write(str(tmp_path / "quarantine.jsonl"))
    again = Quarantine.read(str(tmp_path / "quarantine.jsonl"))
    assert again.problems == quarantine.problems
    assert again.rejected("items") == 3
