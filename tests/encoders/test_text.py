import numpy as np
import pytest
import tensorflow as tf

from tfrec.encoders.build import build_encoder
from tfrec.encoders.text import TextEncoder, encode_texts
from tfrec.errors import ConfigError
from tfrec.schema import Feature

TEXTS = ["the robot", "", "sea, the sea! " * 9, "é中文 я", "robots singing in the sea - robot's end", "a"]


@pytest.fixture(scope="module")
def encoder(tiny_bert):
    return TextEncoder({"path": tiny_bert, "max_length": 16})


def test_a_text_becomes_ids_mask_and_types_of_fixed_length(encoder):
    content = encoder.prepare(tf.constant(TEXTS)).numpy()
    assert content.shape == (6, *encoder.content_spec.shape) == (6, 3, 16)
    assert content.dtype == np.int32
    ids, mask, types = content[0]
    assert mask.tolist() == [1] * 4 + [0] * 12
    assert ids[0] == 2 and ids[3] == 3 and not ids[4:].any() and not types.any()


def test_a_cut_text_keeps_its_end_mark_and_equals_the_start_of_the_whole(encoder, tiny_bert):
    whole = TextEncoder({"path": tiny_bert, "max_length": 24}).prepare(tf.constant(TEXTS))[2].numpy()
    cut = encoder.prepare(tf.constant(TEXTS))[2].numpy()
    assert cut[0, -1] == 3 and cut[1].all()
    np.testing.assert_array_equal(cut[0, :15], whole[0, :15])


def test_absent_text_is_prepared_and_encoded_as_zeros(encoder):
    content = encoder.prepare(tf.constant(["", "the robot"]))
    assert not content[0].numpy().any()
    vectors = encoder(content).numpy()
    assert not vectors[0].any() and np.linalg.norm(vectors[1]) == pytest.approx(1, abs=1e-5)


def test_prepare_is_the_same_in_a_data_set_and_in_a_graph(encoder):
    eager = encoder.prepare(tf.constant(TEXTS)).numpy()
    data = tf.data.Dataset.from_tensor_slices(TEXTS).batch(4).map(encoder.prepare)
    np.testing.assert_array_equal(np.concatenate(list(data.as_numpy_iterator())), eager)
    assert data.element_spec.shape.as_list() == [None, 3, 16]
    graph = tf.function(encoder.prepare, input_signature=[tf.TensorSpec([None], tf.string)])
    np.testing.assert_array_equal(graph(tf.constant(TEXTS)), eager)


@pytest.mark.parametrize("train", ["none", "all", 1])
def test_a_train_step_compiles_with_xla(tiny_bert, train):
    encoder = TextEncoder({"path": tiny_bert, "max_length": 16, "train": train})
    content = encoder.prepare(tf.constant(TEXTS))

    @tf.function(jit_compile=True)
    def step(content):
        with tf.GradientTape() as tape:
            vectors = encoder(content, training=True)
            loss = tf.reduce_sum(vectors[:, 0])
        return vectors, tape.gradient(loss, encoder.trainable_weights)

    vectors, gradients = step(content)
    assert vectors.shape == (6, encoder.dimension)
    # Tensors, none missing and none spoilt by the absent text.
    assert all(np.isfinite(tf.convert_to_tensor(gradient).numpy()).all() for gradient in gradients)
    if train == "none":
        np.testing.assert_allclose(vectors, encoder(content), atol=1e-5)


def test_only_the_chosen_layers_are_trained(tiny_bert):
    def trained(**settings):
        layer = TextEncoder({"path": tiny_bert, "max_length": 16, **settings})
        return layer.frozen, {weight.name.split("/")[0].split(":")[0] for weight in layer.trainable_weights}, layer

    assert trained(train="none")[:2] == (True, set())
    assert trained(train=1)[:2] == (False, {"layer_2"})
    assert trained(train=2)[:2] == (False, {"layer_1", "layer_2"})
    assert trained(train=1, pooling="pooled")[:2] == (False, {"layer_2", "pooler"})
    assert trained(train="all")[:2] == (False, {"embeddings", "layer_0", "layer_1", "layer_2"})
    layer = trained(train=1)[2]
    assert len(layer.weights) == len(trained(train="none")[2].weights)


def test_training_changes_the_top_layer_and_leaves_the_rest(tiny_bert):
    encoder = TextEncoder({"path": tiny_bert, "max_length": 16, "train": 1})
    before = [weight.numpy() for weight in encoder.non_trainable_weights]
    top = encoder.trainable_weights[0].numpy()
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(encoder(encoder.prepare(tf.constant(TEXTS)))[:, 0])
    gradients = tape.gradient(loss, encoder.trainable_weights)
    tf.keras.optimizers.SGD(0.1).apply_gradients(zip(gradients, encoder.trainable_weights))
    assert np.abs(encoder.trainable_weights[0].numpy() - top).max() > 1e-4
    for weight, old in zip(encoder.non_trainable_weights, before):
        np.testing.assert_array_equal(weight.numpy(), old)


@pytest.mark.parametrize("batch_size", [1, 4, 64])
def test_encoding_a_catalogue_by_length_equals_encoding_it_padded(encoder, batch_size):
    padded = encoder(encoder.prepare(tf.constant(TEXTS))).numpy()
    told = []
    raw = [TEXTS[0].encode(), *TEXTS[1:]]
    vectors = encode_texts(encoder, raw, batch_size, progress=lambda done, total: told.append((done, total)))
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, padded, atol=1e-6)
    assert told[-1] == (6, 6) and told == sorted(set(told))
    assert encoder.encode_raw([]).shape == (0, encoder.dimension)


def test_pooling_and_normalisation_can_be_chosen(tiny_bert):
    pooled = TextEncoder({"path": tiny_bert, "max_length": 16, "pooling": "pooled", "normalised": False})
    content = pooled.prepare(tf.constant(["the robot"]))
    tokens = dict(zip(("input_word_ids", "input_mask", "input_type_ids"), tf.unstack(content, axis=1)))
    expected = tf.saved_model.load(f"{tiny_bert}/encoder")(tokens)["pooled_output"]
    np.testing.assert_allclose(pooled(content), expected, atol=1e-6)


def test_two_handles_do_what_their_folder_does(encoder, tiny_bert):
    pair = {"preprocessor": f"{tiny_bert}/preprocessor", "encoder": f"{tiny_bert}/encoder"}
    apart = TextEncoder({**pair, "pooling": "mean", "normalised": True, "max_length": 16})
    np.testing.assert_allclose(apart.encode_raw(TEXTS), encoder.encode_raw(TEXTS), atol=1e-6)


def test_fingerprint_changes_with_what_changes_the_vectors(tiny_bert):
    def fingerprint(**settings):
        return TextEncoder({"path": tiny_bert, "max_length": 24, **settings}).fingerprint()

    assert fingerprint() == fingerprint(train="all")
    different = [fingerprint(), fingerprint(max_length=16)]
    different += [fingerprint(pooling="pooled"), fingerprint(normalised=False)]
    assert len(set(different)) == 4
    trained = TextEncoder({"path": tiny_bert, "max_length": 24, "train": "all"})
    trained.trainable_weights[0].assign_add(tf.ones_like(trained.trainable_weights[0]))
    assert trained.fingerprint() != different[0]


def test_encoder_is_built_from_a_feature(tiny_bert):
    feature = Feature("plot", "text", ("title", "plot"), encoder={"path": tiny_bert, "max_length": 20})
    assert build_encoder(feature).content_spec.shape == (3, 20)


@pytest.mark.parametrize(
    "settings, told",
    [
        ({"path": "/no/such/folder"}, "no folder that `tfrec import-encoder bert` made"),
        ({"preprocessor": "/no/p", "encoder": "/no/e"}, "no SavedModel in /no/p"),
        ({"preprocessor": "/no/p"}, "the key 'encoder' is missing"),
        ({"path": "x", "preprocessor": "p", "encoder": "e"}, "not both"),
        ({"kind": "tfidf"}, "unknown kind 'tfidf'"),
        ({"max_length": 100}, "allows 2 to 24"),
        ({"pooling": "max"}, "pooling is 'max'"),
        ({"normalised": "yes"}, "normalised is 'yes'"),
        ({"train": 9}, "has 3 layers"),
        ({"train": "some"}, "train is 'some'"),
        ({"batch": 3}, "unknown key 'batch'"),
        # Nothing listens on this port, as if there were no network.
        ({"preprocessor": "https://127.0.0.1:9/p", "encoder": "https://127.0.0.1:9/e"}, "could not be loaded"),
    ],
)
def test_wrong_settings_end_in_one_clear_sentence(tiny_bert, settings, told):
    if "path" not in settings and "preprocessor" not in settings:
        settings = {"path": tiny_bert, "max_length": 24, **settings}
    with pytest.raises(ConfigError, match=told) as refused:
        TextEncoder(settings, name="plot")
    assert str(refused.value).startswith("encoder of 'plot'") and "\n" not in str(refused.value)


def test_a_saved_model_that_is_no_text_encoder_is_refused(tiny_bert, tmp_path):
    def refused(encoder):
        folder = str(tmp_path / str(len(list(tmp_path.iterdir()))))
        tf.saved_model.save(encoder, folder)
        with pytest.raises(ConfigError) as error:
            TextEncoder({"preprocessor": f"{tiny_bert}/preprocessor", "encoder": folder, "max_length": 8})
        return str(error.value)

    assert "is no reusable SavedModel" in refused(tf.Module())
    other = tf.train.Checkpoint()
    other.variables = [tf.Variable(1.0)]
    other.__call__ = tf.function(lambda x: {"scores": x}, input_signature=[tf.TensorSpec([None], tf.float32)])
    assert "gives no pooled vector" in refused(other)
