import base64
import io
import os

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tfrec.data.contents import normalised_contents
from tfrec.data.quarantine import Quarantine
from tfrec.data.read import Table
from tfrec.schema import Feature

POSTER = Feature("poster", "image", ("poster",))


def png(shade=0):
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (shade, 0, 0)).save(file, "PNG")
    return file.getvalue()


def table_of(*cells):
    frame = pd.DataFrame({"poster": np.fromiter(cells, dtype=object, count=len(cells))}, index=range(2, 2 + len(cells)))
    return Table("items", "items.csv", frame, [])


def contents(folder, *cells, progress=None):
    quarantine = Quarantine()
    blobs = list(normalised_contents(table_of(*cells), POSTER, str(folder), quarantine, progress))
    return blobs, {problem.row: problem.code for problem in quarantine.problems}


def test_a_cell_is_a_path_bytes_base64_or_nothing(tmp_path):
    (tmp_path / "posters").mkdir()
    (tmp_path / "posters" / "a.png").write_bytes(png())
    encoded = base64.b64encode(png()).decode()
    cells = [
        "posters/a.png",
        str(tmp_path / "posters" / "a.png"),
        png(),
        encoded,
        f"data:image/png;base64,{encoded}",
        "",
    ]
    blobs, problems = contents(tmp_path, *cells)
    assert blobs == [png()] * 5 + [b""]
    assert problems == {}


def test_a_long_path_that_could_be_base64_is_a_path_if_the_file_exists(tmp_path):
    name = "0123456789abcdef" * 4
    (tmp_path / name).write_bytes(png())
    assert contents(tmp_path, name) == ([png()], {})


def test_what_cannot_be_used_is_noted_with_its_row_and_the_item_goes_without(tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "empty.png").write_bytes(b"")
    noise = io.BytesIO()
    Image.fromarray(np.random.RandomState(0).randint(0, 256, (8, 8, 3), np.uint8)).save(noise, "PNG")
    (tmp_path / "cut.png").write_bytes(noise.getvalue()[:150])
    (tmp_path / "folder.png").mkdir()
    cells = [
        "missing.png",
        "text.png",
        "empty.png",
        "cut.png",
        "folder.png",
        "x" * 5000 + ".png",
        "data:image/png;base64,%",
    ]
    blobs, problems = contents(tmp_path, *cells, png())
    assert blobs == [b""] * 7 + [png()]
    assert list(problems.values()) == [
        "missing_file",
        "unreadable_picture",
        "unreadable_picture",
        "truncated_picture",
        "missing_file",
        "missing_file",
        "bad_base64",
    ]


@pytest.mark.parametrize("cell", ["../secret.png", "/etc/passwd", "posters/../../secret.png", "link.png"])
def test_no_path_leads_out_of_the_media_folder(tmp_path, cell):
    folder = tmp_path / "media"
    folder.mkdir()
    (tmp_path / "secret.png").write_bytes(png())
    os.symlink(tmp_path / "secret.png", folder / "link.png")
    assert contents(folder, cell) == ([b""], {2: "outside_media"})


def test_a_file_too_long_to_read_is_refused_by_its_size(tmp_path):
    with open(tmp_path / "huge.png", "wb") as file:
        file.truncate(10**11)
    assert contents(tmp_path, "huge.png") == ([b""], {2: "picture_bomb"})


def test_many_cells_keep_their_order_and_progress_is_told(tmp_path):
    told = []
    cells = [png(number % 200) for number in range(600)]
    blobs, _ = contents(tmp_path, *cells, progress=lambda *step: told.append(step))
    assert blobs == cells
    assert told == [("image poster", 256, 600), ("image poster", 512, 600), ("image poster", 600, 600)]
