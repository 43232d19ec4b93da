import numpy as np
import tensorflow as tf

from tfrec.towers.attributes import AttributeEmbedding


def test_absent_unknown_and_known_values_are_told_apart(schema):
    layer = AttributeEmbedding(schema.users.features, {"country": 4})
    codes = {"country": tf.constant([0, 1, 2]), "age": tf.constant([[0, 0], [0, 1], [0, 1]], tf.float32)}
    vectors, present = layer(codes)
    assert vectors.shape == (3, 16 + 2)
    assert len(np.unique(vectors.numpy()[:, :16].round(6), axis=0)) == 3
    np.testing.assert_array_equal(present, [False, True, True])


def test_a_number_at_the_mean_is_told_from_one_that_is_absent(schema):
    layer = AttributeEmbedding(schema.users.features, {"country": 4})
    codes = {"country": tf.constant([0, 0]), "age": tf.constant([[0, 0], [0, 1]], tf.float32)}
    (absent, at_the_mean), present = layer(codes)
    assert not np.array_equal(absent, at_the_mean)
    np.testing.assert_array_equal(present, [False, True])
