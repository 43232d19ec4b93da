"""The benchmark of the index on a catalogue so small that its numbers mean nothing, but all of its ways are gone."""

import importlib.util
import json
import pathlib
import sys

import numpy as np
import pytest

FOLDER = pathlib.Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def speed():
    sys.path.insert(0, str(FOLDER))
    try:
        spec = importlib.util.spec_from_file_location("index_speed", FOLDER / "index_speed.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(FOLDER))
    return module


def test_the_vectors_are_the_same_each_time_and_few_of_them_are_long(speed):
    vectors, queries = speed.made_up(2000, 8, 30)
    np.testing.assert_array_equal(vectors, speed.made_up(2000, 8, 30)[0])
    assert queries.shape == (30, 8) and np.isfinite(queries).all()
    lengths = np.linalg.norm(vectors, axis=1)
    assert lengths.max() > 2 * np.median(lengths)


@pytest.mark.slow
def test_every_recall_that_is_asked_is_measured_and_shown(speed, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(speed, "RESULTS", tmp_path)
    monkeypatch.setattr(speed, "QUERIES", 200)
    monkeypatch.setitem(sys.modules, "scann", None)  # Without the peer, which is optional.
    asked = ["--items", "5000", "--width", "8", "--rounds", "2", "--save"]
    speed.main(asked)
    (row,) = json.loads((tmp_path / "index.json").read_text())["rows"]
    assert row["recall"]["exact"] == 1
    assert all(row["recall"][f"ours {share}"] > share - 0.05 for share in speed.RECALLS)
    looked = [row["settings"][f"ours {share}"] for share in speed.RECALLS]
    assert [record["asked"] for record in looked] == list(speed.RECALLS)
    assert row["settings"]["ours 0.98"]["scanned"] > row["settings"]["ours 0.8"]["scanned"]
    assert set(row["ratios"]["one query"]) == {f"ours {share} over exact" for share in speed.RECALLS}
    shown = capsys.readouterr().out
    assert "scann is not installed" in shown and (tmp_path / "index.md").read_text() in shown
    assert row["auto"] == "exact"
    assert shown.count("| 5,000 | 8 | 0.95 |") == len(speed.BATCHES)


def test_the_page_on_record_says_what_the_numbers_beside_it_say(speed):
    page = speed.page(json.loads((FOLDER / "results" / "index.json").read_text(encoding="utf-8")))
    assert (FOLDER / "results" / "index.md").read_text(encoding="utf-8") == page


def test_a_row_with_the_peer_is_not_replaced_by_one_without(speed, tmp_path, monkeypatch, capsys):
    row = {"source": "made up", "items": 50, "width": 8, "scann_build_seconds": 1.0}
    (tmp_path / "index.json").write_text(json.dumps({"rows": [row]}))
    monkeypatch.setattr(speed, "RESULTS", tmp_path)
    monkeypatch.setattr(speed, "page", lambda document: "the page")
    monkeypatch.setattr(speed, "measure", lambda *_: {"items": 50, "width": 8, "scann_build_seconds": None})
    speed.main(["--items", "50", "--width", "8", "--save"])
    assert "not saved" in capsys.readouterr().out
    assert json.loads((tmp_path / "index.json").read_text())["rows"] == [row]
    monkeypatch.setattr(speed, "measure", lambda *_: {"items": 50, "width": 8, "scann_build_seconds": 2.0})
    speed.main(["--items", "50", "--width", "8", "--save"])
    assert json.loads((tmp_path / "index.json").read_text())["rows"][0]["scann_build_seconds"] == 2.0
