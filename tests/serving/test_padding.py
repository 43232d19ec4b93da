import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfrec.errors import ServerError
from tfrec.serving.padding import tensors_from_rows
from tfrec.serving.query import Query, row_from_query
from tfrec.serving.signatures import Signature, TensorSpec
from tfrec.serving.tensors import DTYPES

DTYPE = {dtype.name: dtype for dtype in DTYPES}


def signature(**inputs):
    return Signature(
        "serving_default", {name: TensorSpec(DTYPE[kind], shape) for name, (kind, shape) in inputs.items()}, {}
    )


SIGNATURE = signature(
    user_id=("string", (-1,)),
    history=("string", (-1, 4)),
    exclude=("string", (-1, 2)),
    age=("float", (-1,)),
    genres=("string", (-1, 2)),
    tags=("string", (-1, -1)),
    year=("int64", (-1,)),
    member=("bool", (-1,)),
)


def tensors(*queries):
    return tensors_from_rows([row_from_query(query, SIGNATURE) for query in queries], SIGNATURE)


def test_absent_values_become_empty_strings_not_a_number_zero_and_false():
    filled = tensors(Query())
    assert filled["user_id"].tolist() == [b""]
    assert filled["history"].tolist() == [[b""] * 4]
    assert filled["genres"].tolist() == [[b"", b""]]
    assert filled["tags"].shape == (1, 0)
    assert np.isnan(filled["age"]).all() and filled["age"].dtype == np.float32
    assert filled["year"].tolist() == [0] and filled["member"].tolist() == [False]


def test_lists_are_padded_at_the_end_and_histories_keep_the_most_recent():
    filled = tensors(
        Query("u1", ["a", "b"], ["x", "y", "z"], {"genres": ["d", "e", "f"], "tags": ["p", "q"], "age": 7}),
        Query("ü", list("abcdef"), features={"genres": "d", "tags": "r", "year": 1999}, context={"member": True}),
    )
    assert filled["user_id"].tolist() == [b"u1", "ü".encode()]
    assert filled["history"].tolist() == [[b"a", b"b", b"", b""], [b"c", b"d", b"e", b"f"]]
    assert filled["exclude"].tolist() == [[b"x", b"y"], [b"", b""]]
    assert filled["genres"].tolist() == [[b"d", b"e"], [b"d", b""]]
    assert filled["tags"].tolist() == [[b"p", b"q"], [b"r", b""]]
    assert filled["age"][0] == 7 and np.isnan(filled["age"][1])
    assert filled["year"].tolist() == [0, 1999] and filled["member"].tolist() == [False, True]


@given(st.lists(st.lists(st.text(min_size=1, max_size=5), max_size=9), min_size=1, max_size=5))
def test_history_always_has_its_fixed_shape_and_ends_with_the_latest_item(histories):
    filled = tensors(*(Query(history=history) for history in histories))["history"]
    assert filled.shape == (len(histories), 4)
    for row, history in zip(filled, histories):
        kept = [item.encode() for item in history[-4:]]
        assert row.tolist() == kept + [b""] * (4 - len(kept))


@pytest.mark.parametrize(
    ("features", "sentence"),
    [
        ({"colour": "red"}, "has no input 'colour'; its inputs are age, exclude"),
        ({"age": "old"}, "input 'age' takes float values"),
        ({"year": 2**70}, "input 'year' takes int64 values"),
        ({"query": "x"}, "'query' is no feature"),
    ],
)
def test_values_that_do_not_fit_are_one_sentence(features, sentence):
    with pytest.raises(ServerError, match=sentence):
        tensors(Query(features=features))


def test_models_without_history_refuse_one_instead_of_ignoring_it():
    bare = signature(user_id=("string", (-1,)))
    with pytest.raises(ServerError, match="has no input 'history'"):
        tensors_from_rows([row_from_query(Query(history=["a"]), bare)], bare)


FILTERED = signature(
    history=("string", (-1, 4)),
    filter_genres=("string", (-1, 2)),
    filter_price_min=("float", (-1,)),
    filter_price_max=("float", (-1,)),
    filter_stock_min=("float", (-1,)),
    filter_stock_max=("float", (-1,)),
    allow=("string", (-1, 3)),
    diversity=("float", (-1,)),
)


def filtered(**wanted):
    return tensors_from_rows([row_from_query(Query(**wanted), FILTERED)], FILTERED)


def test_filters_lists_and_diversity_become_inputs_of_fixed_shape():
    filled = filtered(filters={"genres": "drama", "price": (2, None), "stock": 1}, allow=["a", "b", "a"], diversity=0.3)
    assert filled["filter_genres"].tolist() == [[b"drama", b""]]
    assert filled["filter_price_min"] == [2] and np.isnan(filled["filter_price_max"]).all()
    assert filled["filter_stock_min"] == filled["filter_stock_max"] == [1]
    assert filled["allow"].tolist() == [[b"a", b"b", b""]]
    assert filled["diversity"][0] == np.float32(0.3)
    nothing = filtered()
    assert nothing["filter_genres"].tolist() == [[b"", b""]] and np.isnan(nothing["diversity"]).all()


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        ({"filters": {"colour": "red"}}, "cannot filter by 'colour'; it filters by genres, price, stock"),
        ({"filters": {"genres": ["a", "b", "c"]}}, "3 values of 'genres' are given, but this model takes 2"),
        ({"filters": {"genres": []}}, "the filter by 'genres' needs values"),
        ({"filters": {"price": "cheap"}}, "takes a number or"),
        ({"filters": {"price": (None, None)}}, "needs a bound"),
        ({"allow": ["a", "b", "c", "d"]}, "4 items are allowed, but this model takes 3"),
        ({"allow": []}, "list of allowed items is empty"),
        ({"allow": "abc"}, "allow must be a list of item ids"),
        ({"diversity": 2}, "diversity must be between 0 and 1"),
        ({"features": {"filter_genres": ["a"]}}, "'filter_genres' is no feature"),
    ],
)
def test_filters_that_would_be_cut_or_ignored_are_refused(wanted, sentence):
    with pytest.raises(ServerError, match=sentence):
        filtered(**wanted)


@pytest.mark.parametrize("wanted", [{"filters": {"genres": "a"}}, {"allow": ["a"]}, {"diversity": 0.5}])
def test_a_model_that_takes_no_filters_says_so(wanted):
    with pytest.raises(ServerError, match=r"serving\."):
        tensors(Query(**wanted))
