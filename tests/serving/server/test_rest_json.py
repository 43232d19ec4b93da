import json
from types import SimpleNamespace

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tfrec.serving.server.errors import StatusError
from tfrec.serving.server.rest_format import json_from_outputs
from tfrec.serving.server.rest_json import inputs_from_request, parse_object
from tfrec.serving.tensors import dtype_of

SHAPES = arrays.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=3)
NUMBERS = st.sampled_from(["float32", "float64", "int32", "int64", "uint8", "uint32", "uint64", "bool"])


@given(NUMBERS.flatmap(lambda dtype: arrays.arrays(dtype, SHAPES)), st.booleans())
def test_what_is_printed_as_an_answer_is_read_back_as_a_request_without_loss(array, row_form):
    text = json_from_outputs({"x": array}, row_form)
    ((key, value),) = json.loads(text).items()
    request = {"predictions": "instances", "outputs": "inputs"}[key]
    infos = {"x": SimpleNamespace(dtype=dtype_of(array).number)}
    inputs, was_row_form = inputs_from_request({request: value}, infos)
    assert was_row_form == row_form
    assert inputs["x"].dtype == array.dtype
    np.testing.assert_array_equal(inputs["x"], array)


@given(st.binary(max_size=60))
def test_any_bytes_are_parsed_or_refused_cleanly(body):
    try:
        assert isinstance(parse_object(body), dict)
    except StatusError as error:
        assert error.code == "INVALID_ARGUMENT"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda values: (
        st.lists(values, max_size=3) | st.dictionaries(st.sampled_from("abx") | st.just("b64"), values, max_size=3)
    ),
    max_leaves=8,
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    st.dictionaries(st.sampled_from(["instances", "inputs", "signature_name"]), JSON, max_size=2),
    st.sampled_from([1, 3, 7, 9, 10, 20]),
)
def test_any_document_is_turned_into_arrays_or_refused_cleanly(document, dtype):
    infos = {"a": SimpleNamespace(dtype=dtype), "b": SimpleNamespace(dtype=7)}
    for some in (infos, {"a": infos["a"]}, {}):
        try:
            inputs, _ = inputs_from_request(document, some)
        except StatusError as error:
            assert error.code in ("INVALID_ARGUMENT", "UNIMPLEMENTED")
        else:
            assert set(inputs) == set(some)


@pytest.mark.parametrize(
    ("outputs", "text"),
    [
        ({"t": np.float32(1)}, "Tensor name: t has no shape information "),
        ({"a": np.zeros(2), "b": np.zeros(3)}, "has inconsistent batch size: 3 expecting: 2"),
        ({}, "Cannot convert empty tensor map to JSON"),
    ],
)
def test_g24_outputs_without_a_common_batch_size_have_no_row_form(outputs, text):
    with pytest.raises(StatusError, match=text):
        json_from_outputs({alias: np.asarray(value) for alias, value in outputs.items()}, row_form=True)


def test_g24_empty_batch_gives_no_predictions():
    assert json.loads(json_from_outputs({"a": np.zeros((0, 2))}, row_form=True)) == {"predictions": []}
    assert json.loads(json_from_outputs({"a": np.zeros((2, 0))}, row_form=True)) == {"predictions": [[], []]}
    assert json.loads(json_from_outputs({"a": np.zeros((2, 0, 3))}, row_form=False)) == {"outputs": [[], []]}
