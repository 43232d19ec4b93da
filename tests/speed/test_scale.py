"""What is made up has the shape it promises; stages run in a process each, what has a result does not run again."""

import json

import numpy as np
import pandas as pd
import pytest

from tfrec.errors import DataError
from tfrec.speed.made_up_log import FULL, Sizes, write_made_up
from tfrec.speed.scale import growth, measure


@pytest.mark.parametrize("ending", [".parquet", ".csv"])
def test_a_made_up_log_is_skewed_ordered_by_time_and_the_same_for_a_seed(tmp_path, ending):
    sizes = Sizes(items=3000, users=800, events=20_000)
    read = pd.read_parquet if ending == ".parquet" else pd.read_csv
    first, again = (
        {name: read(path) for name, path in write_made_up(str(tmp_path / name), sizes, 7, ending).items()}
        for name in ("first", "again")
    )
    events, items = first["events"], first["items"]
    pd.testing.assert_frame_equal(events, again["events"])
    assert (len(items), len(events), items["item_id"].is_unique) == (3000, 20_000, True)
    assert events["time"].is_monotonic_increasing and set(events["type"]) == {"view", "buy"}
    known = events["item_id"].isin(items["item_id"])
    assert 0 < (~known).sum() < 100
    counts = events["item_id"].value_counts()
    assert counts.iloc[:300].sum() > 0.3 * len(events)
    cluster = events["item_id"][known].str[1:].astype(int) // 1000
    shares = pd.crosstab(events["user_id"][known], cluster).to_numpy()
    assert (shares.max(axis=1) / shares.sum(axis=1)).mean() > 0.6


def test_sizes_are_shared_out_alike():
    assert FULL.share(0.01) == Sizes(10_000, 10_000, 200_000)
    assert np.isclose(FULL.events / FULL.users, 20)


def test_growth_is_the_exponent_of_the_cost():
    sizes = np.array([0.01, 0.1, 1.0])
    assert growth(sizes, 7 * sizes) == pytest.approx(1)
    assert growth(sizes, 3 * sizes**2) == pytest.approx(2)
    assert growth(sizes, [5.0, 5.0, 5.0]) == pytest.approx(0, abs=1e-9)


def test_what_has_a_result_is_told_and_not_run_again(tmp_path):
    for share, cpu in ((0.01, 2.0), (0.1, 20.0)):
        (tmp_path / f"{share:g}").mkdir()
        lap = {"seconds": 3.0, "cpu": cpu, "peak_bytes": 2**30}
        (tmp_path / f"{share:g}" / "make.json").write_text(json.dumps({"make": lap}))
    lines = []
    times, exponents = measure([0.01, 0.1], ["make"], str(tmp_path), 0, say=lines.append).tables
    assert not lines
    assert times.rows[1] == ["make", "3.0 / 2.0 / 1.00", "3.0 / 20.0 / 1.00"]
    assert times.rows[2] == ["ingestion", "not run", "not run"]
    assert [row[:3] for row in exponents.rows[1:]] == [["make", "0.01, 0.1", "1.00"]]


def test_a_stage_that_is_not_known_or_fails_is_one_sentence(tmp_path):
    with pytest.raises(DataError, match="no stage is called 'brew'; there are make, ingestion"):
        measure([0.01], ["make", "brew"], str(tmp_path), 0)
    (tmp_path / "0.01").write_text("a file where the folder of the stage would be")
    with pytest.raises(DataError, match=r"make at 0\.01 of the full size failed"):
        measure([0.01], ["make"], str(tmp_path), 0, say=lambda line: None)
