"""A file of rows cut into pieces that several workers read apart: row groups of Parquet, stretches of lines of text.

JSON Lines are cut after a line. So is CSV, if the file has no quotes: inside of quotes a line may end that ends no row,
and which those are is known only to who has read all before. A file with quotes is one piece, and so is one of UTF-16.
"""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from tfrec.data.files import opened
from tfrec.data.formats import csv_pieces, json_lines_pieces
from tfrec.data.parquet import parquet_pieces, row_groups
from tfrec.data.read import PIECE, Table, is_blank, parser_of, renumbered
from tfrec.errors import DataError

PIECE_BYTES = 32 * 2**20
_LINE_END = re.compile(rb"\r\n|\r|\n")


class Piece(NamedTuple):
    """A part of the file at `path`.

    Attributes:
        name: items, users or events.
        start, end: of text the bytes, of Parquet the row groups; end is 0 for the whole file.
        first: the number of the first row, or of the first line, counted from 1.
        header: of CSV the lines up to the names of the columns.
    """

    path: str
    name: str
    start: int = 0
    end: int = 0
    first: int = 1
    header: bytes = b""


def cut(path: str, name: str) -> list[Piece]:
    """The pieces of the file that the configuration names as data.`name`, in order; text is read once to find them.

    Raises:
        ConfigError, DataError: as `tfrec.data.read.read_pieces`, where the ending is unknown or the file is missing,
            empty or damaged as a whole.
    """
    parse = parser_of(path, name)
    with opened(path, f"data.{name}") as file:
        if is_blank(file):
            raise DataError(f"{path} is empty; data.{name} must have at least one row")
        if parse is parquet_pieces:
            groups = row_groups(file)
            return [Piece(path, name, number, number + 1, first) for number, first in enumerate(groups)] or [
                Piece(path, name)
            ]
        return _cut_text(file, path, name, quotes=parse is json_lines_pieces)


def read_piece(piece: Piece, rows: int = PIECE) -> Iterator[Table]:
    """Read a piece, at most `rows` rows at a time; all pieces one after the other are the file.

    Raises:
        DataError: if the file is missing or damaged.
    """
    parse = parser_of(piece.path, piece.name)
    with opened(piece.path, f"data.{piece.name}") as file:
        try:
            if not piece.end:
                parts = parse(file, rows)
            elif parse is parquet_pieces:
                parts = parquet_pieces(file, rows, range(piece.start, piece.end), piece.first)
            else:
                file.seek(piece.start)
                lines = io.BytesIO(piece.header + file.read(piece.end - piece.start))
                shift = piece.first - 1 - _lines(piece.header)
                found = csv_pieces(lines, rows) if piece.header else json_lines_pieces(lines, rows, whole=False)
                parts = (renumbered(part, shift) for part in found)
            for frame, malformed in parts:
                yield Table(piece.name, piece.path, frame, malformed, all_columns=parse is not json_lines_pieces)
        except DataError as error:
            raise DataError(f"{piece.path} {error}") from error


def _cut_text(file: BinaryIO, path: str, name: str, quotes: bool) -> list[Piece]:
    """Cut a file of lines; `quotes` is whether quotes may stand in them."""
    if file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return [Piece(path, name)]
    file.seek(0)
    header = b"" if quotes else _header(file)
    start, first = len(header), 1 + _lines(header)
    pieces = []
    while block := file.read(PIECE_BYTES):
        block += file.readline()  # to the end of a line, of which \n is the last byte
        if not quotes and b'"' in block:
            return [Piece(path, name)]
        pieces.append(Piece(path, name, start, start + len(block), first, header))
        start, first = start + len(block), first + _lines(block)
    return pieces if len(pieces) > 1 and b'"' not in header else [Piece(path, name)]


def _header(file: BinaryIO) -> bytes:
    """The lines up to the first one that is not blank."""
    lines = b""
    while line := file.readline():
        lines += line
        if line.strip(codecs.BOM_UTF8 + b" \t\r\n"):
            break
    return lines


def _lines(content: bytes) -> int:
    """How many lines end in `content`, by any of the three ends that Python's reader of text knows."""
    return sum(1 for _ in _LINE_END.finditer(content)) if b"\r" in content else content.count(b"\n")
