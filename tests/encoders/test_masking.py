import numpy as np
import tensorflow as tf

from tfrec.encoders.bert.masking import masked_tokens

CLS, SEP, MASK, VOCABULARY, LENGTH, ROWS = 2, 3, 4, 1000, 102, 400
FIRST_WORD = 10


def texts(lengths, length=LENGTH):
    """Texts [CLS] word... [SEP] of so many tokens in all; 0 is an absent one."""
    random = np.random.default_rng(0)
    ids, mask = np.zeros([len(lengths), length], np.int32), np.zeros([len(lengths), length], np.int32)
    for row, count in enumerate(lengths):
        if count:
            ids[row, :count] = [CLS, *random.integers(FIRST_WORD, VOCABULARY, count - 2), SEP]
            mask[row, :count] = 1
    return ids, mask


def hidden(ids, mask, seed=(1, 2)):
    tokens = masked_tokens(tf.constant(ids), tf.constant(mask), (CLS, SEP, MASK), MASK, VOCABULARY, tf.constant(seed))
    return [part.numpy() for part in (tokens.ids, tokens.positions, tokens.truth, tokens.weights)]


def test_fifteen_percent_are_chosen_and_most_of_them_masked():
    ids, mask = texts([LENGTH] * ROWS)
    seen, positions, truth, weights = hidden(ids, mask)
    assert positions.shape == truth.shape == weights.shape == (ROWS, 15)
    assert np.all(weights.sum(axis=1) == 15)  # 100 words, 15 %.
    np.testing.assert_array_equal(truth, np.take_along_axis(ids, positions, axis=1))
    at = np.take_along_axis(seen, positions, axis=1)
    share = {
        "masked": np.mean(at == MASK),
        "kept": np.mean(at == truth),
        "replaced": np.mean((at != MASK) & (at != truth)),
    }
    # 6,000 draws: the standard deviations are .005, .004 and .004.
    assert abs(share["masked"] - 0.8) < 0.02 and abs(share["kept"] - 0.1) < 0.016
    assert abs(share["replaced"] - 0.1) < 0.016
    replaced = at[(at != MASK) & (at != truth)]
    assert len(set(replaced)) > 250 and replaced.min() < 50 and replaced.max() > 950 and replaced.max() < VOCABULARY


def test_everything_else_is_seen_as_it_is_and_every_word_may_be_chosen():
    ids, mask = texts([LENGTH] * ROWS)
    seen, positions, _, _ = hidden(ids, mask)
    others = np.ones_like(ids, bool)
    np.put_along_axis(others, positions, False, axis=1)
    np.testing.assert_array_equal(seen[others], ids[others])
    chosen = np.bincount(positions.ravel(), minlength=LENGTH)
    assert chosen[0] == chosen[-1] == 0 and chosen[1:-1].min() > 30 and chosen[1:-1].max() < 100


def test_special_tokens_and_padding_are_never_chosen():
    ids, mask = texts([3, 2, 0, 5, 9, 20, 42, LENGTH] * 20)
    ids[4::8, 3] = MASK  # A piece that stands for itself in a text.
    seen, _, truth, weights = hidden(ids, mask)
    assert np.all(truth[weights > 0] >= FIRST_WORD)
    changed = seen != ids
    assert not changed[mask == 0].any() and not changed[np.isin(ids, [CLS, SEP, MASK])].any()
    # Of 1, 0, 0, 3, 6, 18, 40 and 100 words: 15 %, at least one where there is any.
    np.testing.assert_array_equal(weights.sum(axis=1)[:8], [1, 0, 0, 1, 1, 3, 6, 15])


def test_another_seed_chooses_other_tokens_and_the_same_seed_the_same():
    ids, mask = texts([LENGTH] * 5)
    first, again, other = hidden(ids, mask), hidden(ids, mask), hidden(ids, mask, seed=(3, 4))
    np.testing.assert_array_equal(first[1], again[1])
    np.testing.assert_array_equal(first[0], again[0])
    assert np.any(first[1] != other[1])


def test_shapes_are_static_and_xla_compiles_it():
    ids, mask = texts([LENGTH, 20])
    masked = tf.function(
        lambda a, b: masked_tokens(a, b, (CLS, SEP), MASK, VOCABULARY, tf.constant([1, 2])).positions, jit_compile=True
    )
    assert masked.get_concrete_function(*map(tf.constant, (ids, mask))).output_shapes == [2, 15]
    assert masked(tf.constant(ids), tf.constant(mask)).shape == [2, 15]
