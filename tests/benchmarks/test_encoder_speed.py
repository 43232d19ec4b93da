"""The page of the encoders' speed from numbers that are known; the peer is not installed where tests run."""

import importlib.util
import pathlib

import numpy as np
import pytest

PATH = pathlib.Path(__file__).parents[2] / "benchmarks" / "encoder_speed.py"


@pytest.fixture(scope="module")
def speed():
    spec = importlib.util.spec_from_file_location("encoder_speed", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_ratios_are_between_turns_of_one_round(speed):
    rows = {"titles": {speed.OURS: [[1.0, 2.0], [2.0, 2.0]], speed.THEIRS: [[2.0, 2.0], [2.0, 8.0]], "apart": 1e-7}}
    document = {"texts": 10, "batch": 4, "rounds": 2, "threads": 1, "machine": "m", "versions": {}, "rows": rows}
    assert "| titles | 5 / 8 / 10 | 1.00 / 1.50 / 2.00 | 1.00 / 2.50 / 4.00 | 1.0e-07 |" in speed.page(document)


def test_saving_needs_a_peer(speed, capsys):
    with pytest.raises(SystemExit):
        speed.main(["--save"])
    assert "--peer" in capsys.readouterr().err


def test_texts_are_as_long_as_asked(speed):
    words = [len(text.split()) for text in speed.made_texts(50, 4, 12)]
    assert min(words) >= 4 and max(words) <= 12 and len(np.unique(words)) > 3
