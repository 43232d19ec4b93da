"""The pieces of a file, read apart, are the file."""

import pandas as pd
import pytest

from tfrec.data.files import read_bytes
from tfrec.data.pieces import cut, read_piece
from tfrec.data.read import read_table
from tfrec.errors import DataError

LINES = [f'{{"user": "u{number}", "note": "naïve\\u2028"}}' for number in range(40)]
LINES[7], LINES[20], LINES[33] = "", "no object", '{"user": "u33", "late": 1}'
ROWS = ["", "user,item", *(f"u{number},ü{number}" for number in range(40))]
ROWS[9], ROWS[21], ROWS[30] = "", "u19,a,b", "\0,c"


def written(folder, name, lines, end="\n"):
    path = folder / name
    path.write_bytes(end.join(lines).encode())
    return str(path)


def whole(tables):
    frames = [table.frame for table in tables]
    return pd.concat(frames).fillna(""), [row for table in tables for row in table.malformed]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(("name", "lines"), [("log.jsonl", LINES), ("log.csv", ROWS)])
def test_lines_are_cut_into_pieces_that_know_their_numbers(tmp_path, monkeypatch, name, lines, end):
    monkeypatch.setattr("tfrec.data.pieces.PIECE_BYTES", 100)
    path = written(tmp_path, name, lines, end)
    pieces = cut(path, "events")
    assert len(pieces) > 3
    frame, malformed = whole([table for piece in pieces for table in read_piece(piece, rows=4)])
    expected = read_table(path, "events")
    pd.testing.assert_frame_equal(frame, expected.frame, check_index_type=False)
    assert malformed == expected.malformed and len(malformed) >= 1


def test_parquet_is_cut_into_row_groups(tmp_path):
    path = str(tmp_path / "log.parquet")
    users = [f"u{number}" for number in range(10)]
    users[6] = "u\0"
    pd.DataFrame({"user": users, "stars": range(10)}).to_parquet(path, row_group_size=4)
    pieces = cut(path, "events")
    assert [piece.first for piece in pieces] == [1, 5, 9]
    frame, malformed = whole([table for piece in pieces for table in read_piece(piece, rows=3)])
    expected = read_table(path, "events")
    pd.testing.assert_frame_equal(frame, expected.frame)
    assert malformed == expected.malformed and [row.row for row in malformed] == [7]


@pytest.mark.parametrize("content", [b'user,item\n"a\nb",c\n' * 20, "user,item\nü,c\n".encode("utf-16") * 9])
def test_csv_whose_lines_may_not_be_rows_is_one_piece(tmp_path, monkeypatch, content):
    monkeypatch.setattr("tfrec.data.pieces.PIECE_BYTES", 20)
    path = tmp_path / "log.csv"
    path.write_bytes(content)
    [piece] = cut(str(path), "events")
    frame, _ = whole(list(read_piece(piece)))
    pd.testing.assert_frame_equal(frame, read_table(str(path), "events").frame)


def test_an_empty_file_and_none_are_one_sentence(tmp_path):
    with pytest.raises(DataError, match="is empty"):
        cut(written(tmp_path, "log.csv", [" "]), "events")
    with pytest.raises(DataError, match="there is no such file"):
        cut(str(tmp_path / "none.csv"), "events")
    (tmp_path / "log.parquet").write_bytes(b"PAR1 and no more" + read_bytes(__file__, ""))
    with pytest.raises(DataError, match="no readable Parquet file"):
        cut(str(tmp_path / "log.parquet"), "events")
