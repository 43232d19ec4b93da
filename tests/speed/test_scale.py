"""What is made up has the shape it promises, and every stage runs on it in a process of its own."""

import numpy as np
import pandas as pd
import pytest

from tfrec.speed.made_up_log import FULL, Sizes, write_made_up


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
