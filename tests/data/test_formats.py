import csv
import io
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfrec.data.formats import csv_pieces, json_lines_pieces
from tfrec.data.parquet import parquet_pieces
from tfrec.data.read import joined
from tfrec.errors import DataError

ROWS = 3  # Of a piece: what is read does not depend on where pieces end.


def parse_csv(content, rows=ROWS):
    return joined(csv_pieces(io.BytesIO(content), rows))


def parse_json_lines(content, rows=ROWS):
    return joined(json_lines_pieces(io.BytesIO(content), rows))


def parse_parquet(content, rows=ROWS):
    return joined(parquet_pieces(io.BytesIO(content), rows))


CELLS = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), max_size=12)


def test_csv_rows_carry_the_line_number_with_the_header_as_line_one():
    frame, malformed = parse_csv(b"id,title\na,One\n\nb,Two\n")
    assert frame["title"].to_dict() == {2: "One", 4: "Two"}
    assert malformed == []


def test_csv_with_a_cell_over_two_lines_keeps_counting_lines():
    frame, _ = parse_csv(b'id,text\na,"first\nsecond"\nb,third\n')
    assert frame["text"].to_dict() == {2: "first\nsecond", 4: "third"}


@pytest.mark.parametrize(
    ("content", "encoding"),
    [("id;title\na;Größe\n", "utf-8-sig"), ("id\ttitle\na\tGröße\n", "utf-8"), ("id,title\r\na,Größe\r\n", "utf-16")],
)
def test_csv_is_read_whatever_a_spreadsheet_saved(content, encoding):
    frame, _ = parse_csv(content.encode(encoding))
    assert frame["title"].tolist() == ["Größe"]


def test_csv_row_with_too_few_or_too_many_cells_is_malformed():
    frame, malformed = parse_csv(b"id,title,year\na,One,1999\nb,Two\nc,Three,2001,extra\nd,Four,2002\n")
    assert frame["id"].tolist() == ["a", "d"]
    assert [problem.row for problem in malformed] == [3, 4]
    assert malformed[0].reason == "it has 2 cells, the header has 3"


def test_csv_row_with_an_unclosed_quote_does_not_swallow_the_rows_after_it():
    lines = ["id,title", "a,One", 'b,"Two', *(f"i{number},Title" for number in range(100)), 'z,"Last"']
    frame, malformed = parse_csv("\n".join(lines).encode())
    assert [problem.row for problem in malformed] == [3]
    assert len(frame) == 102
    assert frame["title"].iloc[-1] == "Last"


def test_csv_rest_of_a_row_with_a_stray_quote_is_not_taken_for_a_row():
    frame, malformed = parse_csv(b'id,text\na,"first line\nsecond "line" here",x\nb,fine\n')
    assert frame["id"].tolist() == ["b"]
    assert [problem.row for problem in malformed] == [2, 3]


def test_csv_rows_with_bytes_that_are_no_utf8_or_with_nul_are_malformed():
    frame, malformed = parse_csv("id,title\na,One\nb,Café\nc,Three\n".encode("latin-1") + b"d,Fo\0ur\n")
    assert frame["id"].tolist() == ["a", "c"]
    assert [problem.row for problem in malformed] == [4 - 1, 5]


@pytest.mark.parametrize("content", [b"\n\n", b'"id,title\na,b\n', b"id,id\n1,2\n", b"caf\xe9,title\na,b\n"])
def test_csv_without_a_usable_header_is_refused(content):
    with pytest.raises(DataError, match="header"):
        parse_csv(content)


@given(st.lists(st.tuples(CELLS, CELLS), max_size=8))
def test_csv_written_by_the_standard_library_is_read_back(rows):
    file = io.StringIO(newline="")
    csv.writer(file).writerows([("a", "b"), *rows])
    frame, malformed = parse_csv(file.getvalue().encode())
    assert malformed == []
    assert list(zip(frame["a"], frame["b"])) == rows


@given(st.binary(max_size=200))
def test_csv_of_any_bytes_gives_each_line_at_most_once(noise):
    frame, malformed = parse_csv(b"a,b\n1,2\n" + noise)
    rows = [*frame.index, *(problem.row for problem in malformed)]
    assert len(set(rows)) == len(rows)
    assert frame.map(len).shape[1] == 2 if hasattr(frame, "map") else frame.applymap(len).shape[1] == 2
    for cell in frame.to_numpy().ravel():
        cell.encode()


def test_json_lines_become_strings_and_lists_become_tuples():
    row = {"id": 7, "year": 1999.0, "score": 0.5, "new": True, "tags": ["a", 3], "none": None, "gap": float("nan")}
    frame, malformed = parse_json_lines((json.dumps(row) + "\n\n" + '{"id": "x"}').encode())
    assert malformed == []
    assert frame.loc[1].to_dict() == {
        "id": "7",
        "year": "1999",
        "score": "0.5",
        "new": "true",
        "tags": ("a", "3"),
        "none": "",
        "gap": "",
    }
    assert frame.loc[3, "tags"] == ""


def test_json_lines_that_are_no_object_are_malformed_with_their_line_number():
    content = b'{"id": 1}\n{"id": \n[1]\n{"id": "\\ud800"}\n{"id": "a\\u0000"}\n{"id": "caf\xe9"}\n' + b"[" * 100_000
    frame, malformed = parse_json_lines(content)
    assert frame.index.tolist() == [1]
    assert [problem.row for problem in malformed] == [2, 3, 4, 5, 6, 7]


def test_json_lines_with_an_array_over_the_whole_file_is_refused():
    with pytest.raises(DataError, match="one object in braces per line"):
        parse_json_lines(b'[{"id": 1}]')


@given(st.lists(st.dictionaries(st.sampled_from("abc"), CELLS, min_size=1), min_size=1, max_size=6))
def test_json_lines_are_read_back(rows):
    frame, malformed = parse_json_lines("\n".join(map(json.dumps, rows)).encode())
    assert malformed == []
    for number, row in enumerate(rows, start=1):
        assert {name: value for name, value in frame.loc[number].items() if name in row} == row


def test_parquet_keeps_bytes_and_lists_and_writes_numbers_and_times_as_text():
    file = io.BytesIO()
    pd.DataFrame(
        {
            "id": [1.0, np.nan],
            "title": pd.Categorical(["One", None]),
            "poster": [b"\x89PNG", None],
            "image": [{"bytes": b"\xff\xd8", "path": None}, None],
            "tags": [["a", "b"], []],
            "time": pd.to_datetime(["2020-01-02 03:04:05.5", None], utc=True),
        }
    ).to_parquet(file)
    frame, malformed = parse_parquet(file.getvalue())
    assert malformed == []
    assert frame.loc[1].tolist()[:5] == ["1", "One", b"\x89PNG", b"\xff\xd8", ("a", "b")]
    assert frame.loc[1, "time"].startswith("2020-01-02 03:04:05.5")
    assert frame.loc[2].tolist() == ["", "", "", "", (), ""]


@pytest.mark.parametrize("content", [b"PAR1 nonsense PAR1", b"id,title\na,b\n", b"PAR1"])
def test_damaged_parquet_is_refused(content):
    with pytest.raises(DataError, match="no readable Parquet"):
        parse_parquet(content)
