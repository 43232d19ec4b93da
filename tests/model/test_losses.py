import numpy as np
import pytest
import tensorflow as tf
import tensorflow_recommenders as tfrs
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tfrec.model.losses import corrected_logits, in_batch_softmax, marked, multi_target_softmax, row_logsumexp

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


@settings(max_examples=30, deadline=None)
@given(
    rows=st.integers(2, 9), seed=st.integers(0, 99), temperature=st.sampled_from([1.0, 0.125]), corrected=st.booleans()
)
def test_the_in_batch_loss_over_distinct_items_is_that_of_the_retrieval_task(rows, seed, temperature, corrected):
    random = np.random.default_rng(seed)
    items = tf.Variable(random.normal(size=(U, 3)).astype(np.float32))
    queries = tf.Variable(random.normal(size=(rows, 3)).astype(np.float32))
    targets = random.integers(0, U, rows).astype(np.int32)
    share = random.uniform(0.01, 1, U).astype(np.float32) if corrected else np.ones(U, np.float32)
    weights = random.choice([0.0, 0.5, 1.0], rows).astype(np.float32)
    weights[0] = 1.0
    with tf.GradientTape(persistent=True) as tape:
        ours = in_batch_softmax(
            queries / temperature,
            items,
            tf.constant(-np.log(share)),
            tf.constant(targets),
            tf.constant(weights),
            candidates=tf.constant(targets),
            counting=tf.constant(np.sign(weights)),
        )
        task = tfrs.tasks.Retrieval(temperature=temperature, remove_accidental_hits=True)
        theirs = task(
            queries,
            tf.gather(items, targets),
            sample_weight=weights,
            candidate_sampling_probability=tf.constant(share[targets]),
            candidate_ids=tf.constant(targets),
            compute_metrics=False,
            score_mask=weights[np.newaxis] > 0,
        )
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)
    for variable in (queries, items):
        one, other = (tf.convert_to_tensor(tape.gradient(loss, variable)) for loss in (ours, theirs))
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("below", [0.0, 30.0, 120.0])
def test_the_sum_of_exponentials_needs_only_a_bound_on_the_scores(below):
    scores = tf.constant(np.random.default_rng(0).normal(0, 3, (4, 50)), tf.float32)
    bound = tf.reduce_max(scores, axis=1) + below
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(scores)
        ours, plain = row_logsumexp(scores, bound), tf.reduce_logsumexp(scores, axis=1)
    np.testing.assert_allclose(ours, plain, rtol=1e-4)
    np.testing.assert_allclose(tape.gradient(ours, scores), tape.gradient(plain, scores), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("jit", [False, True])
def test_a_bound_far_above_all_scores_loses_none_of_them(jit):
    scores = tf.constant([[1.0, 3.0, -2.0], [500.0, 480.0, 499.0]])
    compiled = tf.function(row_logsumexp, jit_compile=jit, autograph=False)
    with tf.GradientTape() as tape:
        tape.watch(scores)
        found = compiled(scores, tf.constant([700.0, 500.0]))
    np.testing.assert_allclose(found, tf.reduce_logsumexp(scores, axis=1), rtol=1e-6)
    np.testing.assert_allclose(tape.gradient(found, scores), tf.nn.softmax(scores), atol=1e-6)
