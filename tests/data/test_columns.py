import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfrec.data.columns import categories_column, number_column, string_column, text_column


def cells(*values):
    return np.fromiter(values, dtype=object, count=len(values))


def test_strings_lose_white_space_and_words_for_nothing():
    column = string_column(cells(" a ", "NaN", "null", "", "NA", b"caf\xc3\xa9"))
    assert column.tolist() == ["a", "", "", "", "NA", "café"]


def test_categories_are_split_once_each_or_taken_from_a_list():
    column = categories_column(cells("Comedy| Drama |Comedy|", "", ("a", "b", "a", "null")), "|")
    assert column.tolist() == [("Comedy", "Drama"), (), ("a", "b")]


def test_numbers_that_are_none_are_marked_bad_but_absent_ones_are_not():
    column, bad = number_column(cells("1.5", "", "nan", "inf", "1e400", "1e39", "twelve", "1_000", "-3", ".5", "１"))
    np.testing.assert_array_equal(column, np.array([1.5] + [np.nan] * 7 + [-3, 0.5, np.nan], np.float32))
    assert bad.tolist() == [False, False, False, True, True, True, True, True, False, False, True]


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False)))
def test_any_number_python_prints_is_read_back(numbers):
    column, bad = number_column(cells(*map(repr, numbers)))
    np.testing.assert_array_equal(column, np.array(numbers, np.float32))
    assert not bad.any()


@given(st.lists(st.text(max_size=10)))
def test_a_number_is_either_finite_absent_or_bad(texts):
    column, bad = number_column(cells(*texts))
    assert (np.isnan(column) | np.isfinite(column)).all()
    assert np.isnan(column[bad]).all()


@pytest.mark.parametrize(
    ("title", "overview", "text"),
    [("Heat", "A heist", "Heat. A heist"), ("Heat", "", "Heat"), ("", "A heist", "A heist"), (" ", "null", "")],
)
def test_text_joins_the_columns_that_have_words(title, overview, text):
    assert text_column([cells(title), cells(overview)]).tolist() == [text]
