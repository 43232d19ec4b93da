import numpy as np
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tfrec.model.losses import corrected_logits, marked, multi_target_softmax

B, U, T = 3, 5, 4
logits_of = arrays(np.float32, (B, U), elements=st.floats(-20, 20, width=32))
targets_of = arrays(np.int32, (B, T), elements=st.integers(-1, U - 1))
weights_of = arrays(np.float32, (B, T), elements=st.floats(0.125, 4, width=32))


def expected_loss(logits, targets, weights, excluded):
    """The same loss, row by row with numpy."""
    loss, rows = 0.0, 0
    for row in range(B):
        kept = np.where(excluded[row], -1e9, logits[row]).astype(np.float64)
        normaliser = kept.max() + np.log(np.exp(kept - kept.max()).sum())
        pairs = [(weights[row, t], kept[targets[row, t]]) for t in range(T) if targets[row, t] >= 0]
        if pairs:
            total = sum(weight for weight, _ in pairs)
            loss += sum(weight * (normaliser - chosen) for weight, chosen in pairs) / np.sqrt(total)
            rows += 1
    return loss, rows


@settings(max_examples=50, deadline=None)
@given(logits=logits_of, targets=targets_of, weights=weights_of)
def test_the_loss_of_several_targets_equals_a_plain_computation(logits, targets, weights):
    excluded = np.zeros((B, U), bool)
    for row in range(B):
        free = set(range(U)) - set(targets[row].tolist())
        excluded[row, sorted(free)[:1]] = True
    total, rows = multi_target_softmax(*map(tf.constant, (logits, targets, weights, excluded)))
    expected, count = expected_loss(logits, targets, weights, excluded)
    np.testing.assert_allclose(total, expected, rtol=1e-4, atol=1e-3)
    assert rows == count


def test_an_item_of_the_own_history_gets_no_push_away():
    logits = tf.Variable([[1.0, 2.0, 3.0]])
    with tf.GradientTape() as tape:
        loss, _ = multi_target_softmax(
            logits, tf.constant([[0]]), tf.constant([[1.0]]), tf.constant([[False, False, True]])
        )
    gradient = tape.gradient(loss, logits).numpy()[0]
    assert gradient[0] < 0 < gradient[1] and gradient[2] == 0


@settings(max_examples=30, deadline=None)
@given(logits=logits_of, share=arrays(np.float32, (U,), elements=st.floats(2**-10, 1, width=32)))
def test_the_correction_subtracts_the_log_of_the_sampling_probability(logits, share):
    np.testing.assert_allclose(corrected_logits(tf.constant(logits), tf.constant(share)), logits - np.log(share), 1e-4)


def test_an_impossible_sampling_probability_gives_no_infinity():
    assert np.all(np.isfinite(corrected_logits(tf.zeros([1, 2]), tf.constant([0.0, 1.0]))))


@settings(max_examples=30, deadline=None)
@given(positions=arrays(np.int32, (B, T), elements=st.integers(-1, U - 1)))
def test_marks_stand_where_a_row_names_a_position(positions):
    mask = marked(tf.constant(positions), U).numpy()
    for row in range(B):
        assert set(np.flatnonzero(mask[row])) == set(positions[row]) - {-1}
