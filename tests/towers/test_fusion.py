import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tfrec.towers.fusion import FUSIONS, unit_length

M, D = 3, 8
masks = arrays(np.float32, (5, M), elements=st.sampled_from([0.0, 1.0]))


def inputs(present, seed=0):
    """Unit vectors [B, M, D] and presence [B, M]."""
    vectors = np.random.default_rng(seed).normal(size=(len(present), M, D)).astype(np.float32)
    return unit_length(tf.constant(vectors)), tf.constant(np.asarray(present, np.float32))


@pytest.fixture(scope="module", params=sorted(FUSIONS))
def fusion(request):
    layer = FUSIONS[request.param](M, D, dropout=0.1)
    layer(*inputs(np.ones([2, M])))
    random = np.random.default_rng(1)
    layer.set_weights([random.normal(0, 0.5, weight.shape) for weight in layer.get_weights()])
    return layer


@settings(max_examples=20, deadline=None)
@given(present=masks)
def test_any_subset_of_modalities_gives_an_embedding_of_length_one(fusion, present):
    embedding, weights = fusion(*inputs(present))
    assert embedding.shape == (5, fusion.width) and embedding.dtype == tf.float32
    np.testing.assert_allclose(np.linalg.norm(embedding, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(np.sum(weights, axis=1), 1, atol=1e-5)
    some = present.any(axis=1)
    assert np.all(weights.numpy()[some][present[some] == 0] < 1e-6)


@pytest.mark.parametrize("name", ["weighted", "gate"])
def test_what_an_absent_modality_holds_changes_nothing(name):
    layer = FUSIONS[name](M, D)
    vectors, present = inputs([[1, 0, 1]])
    other = tf.where(present[..., tf.newaxis] > 0, vectors, -vectors)
    np.testing.assert_allclose(layer(vectors, present)[0], layer(other, present)[0], atol=1e-6)


def test_decision_fusion_scores_by_the_weighted_sum_of_the_scores_of_each_modality():
    layer = FUSIONS["decision"](M, D)
    vectors, present = inputs(np.ones([2, M]))
    layer(vectors, present)
    layer.set_weights([np.array([0.5, -1.0, 2.0])])
    (one, other), weights = layer(vectors, present)
    by_modality = np.sum(vectors[0] * vectors[1], axis=1)
    np.testing.assert_allclose(np.dot(one, other), np.dot(weights[0], by_modality), atol=1e-5)


def test_fusions_compute_in_float32_under_mixed_precision():
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        for kind in FUSIONS.values():
            assert kind(M, D)(*inputs(np.ones([2, M])))[0].dtype == tf.float32
    finally:
        tf.keras.mixed_precision.set_global_policy("float32")


def test_the_length_of_a_zero_vector_is_no_division_by_zero():
    assert np.all(np.isfinite(unit_length(tf.zeros([1, 4]))))
