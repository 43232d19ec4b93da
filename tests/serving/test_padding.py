import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfrec.errors import ServerError
from tfrec.serving.padding import Query, row_from_query, tensors_from_rows
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
