import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfrec.serving import wire
from tfrec.serving.tensors import DTYPES, array_from_proto, fill_proto

NUMBERS = [dtype.numpy for dtype in DTYPES if dtype.name != "string"]
SHAPES = arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)


@given(
    st.sampled_from(NUMBERS).flatmap(lambda dtype: arrays.arrays(dtype, SHAPES)),
    st.booleans(),
)
def test_numbers_come_back_as_they_went_in_either_encoding(array, packed):
    proto = wire.Tensor()
    fill_proto(proto, array, packed)
    back = array_from_proto(wire.Tensor.FromString(proto.SerializeToString()))
    assert back.dtype == array.dtype
    np.testing.assert_array_equal(back, array)


@given(st.lists(st.binary(max_size=20), max_size=6))
def test_strings_come_back_byte_for_byte(values):
    array = np.empty(len(values), dtype=object)
    array[:] = values
    proto = wire.Tensor()
    fill_proto(proto, array)
    assert array_from_proto(proto).tolist() == values


@given(st.sampled_from(NUMBERS).flatmap(lambda dtype: arrays.arrays(dtype, SHAPES)))
def test_tensorflow_reads_what_is_written_and_the_other_way_round(array):
    import tensorflow as tf
    from tensorflow.core.framework import tensor_pb2

    proto = wire.Tensor()
    fill_proto(proto, array)
    np.testing.assert_array_equal(tf.make_ndarray(tensor_pb2.TensorProto.FromString(proto.SerializeToString())), array)
    theirs = tf.make_tensor_proto(array)
    np.testing.assert_array_equal(array_from_proto(wire.Tensor.FromString(theirs.SerializeToString())), array)


def tensor(shape, **fields):
    proto = wire.Tensor(**fields)
    for size in shape:
        proto.tensor_shape.dim.add().size = size
    return proto


def test_last_value_repeats_none_means_zeros_and_surplus_is_ignored():
    assert array_from_proto(tensor([3], dtype=1, float_val=[1, 2])).tolist() == [1, 2, 2]
    assert array_from_proto(tensor([2], dtype=9)).tolist() == [0, 0]
    assert array_from_proto(tensor([2], dtype=7)).tolist() == [b"", b""]
    assert array_from_proto(tensor([1], dtype=3, int_val=[4, 5])).tolist() == [4]


@pytest.mark.parametrize(
    ("proto", "reason"),
    [
        (tensor([1], dtype=0), "dtype 0"),
        (tensor([-1], dtype=1, float_val=[1]), "not fully known"),
        (tensor([3], dtype=1, tensor_content=b"12345678"), "do not fill"),
        (tensor([10**6, 10**6, 10**6], dtype=1), "cannot stand for"),
    ],
)
def test_malformed_tensors_are_refused(proto, reason):
    with pytest.raises(ValueError, match=reason):
        array_from_proto(proto)


def test_arrays_that_tensorflow_has_no_dtype_for_are_refused():
    with pytest.raises(ValueError, match="datetime64"):
        fill_proto(wire.Tensor(), np.zeros(1, "datetime64[s]"))
