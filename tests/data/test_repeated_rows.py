import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from tfrec.data.repeated_rows import repeated, row_digests

CELLS = st.one_of(st.sampled_from(["", "a", "b", "ab"]), st.sampled_from([b"bytes", ("a", "b"), ("ab",)]))


@given(st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=30), st.integers(0, 30))
def test_repeated_rows_are_those_pandas_finds_wherever_pieces_end(rows, end):
    frame = pd.DataFrame({name: pd.Series([row[i] for row in rows], dtype=object) for i, name in enumerate("xyz")})
    digests = np.concatenate([row_digests(frame[:end]), row_digests(frame[end:])])
    assert repeated(digests).tolist() == [row in rows[:place] for place, row in enumerate(rows)]
