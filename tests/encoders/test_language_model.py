"""The masked-language objective of a text encoder, alone and beside the recommender's."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.special import log_softmax

from tests.encoders.test_bert import ACTIVATIONS
from tfrec.encoders.bert import import_bert
from tfrec.encoders.bert.language_model import TEXTS
from tfrec.encoders.text import TextEncoder
from tfrec.errors import ConfigError
from tfrec.model.language_loss import language_loss

# Every word tells the next one, so that a hidden one can be guessed.
CORPUS = ["the sea 1 2 3 the sea 1 2 3", "robot a b c robot a b c", "x y z x y z x y z", "7 8 9 7 8 9 7 8 9"] * 8
HEAD = "cls.predictions"


def trained(tiny_bert, **settings):
    return TextEncoder({"path": tiny_bert, "max_length": 16, "train": "all", "language_weight": 0.5, **settings})


def test_training_on_it_alone_teaches_a_small_corpus(tiny_bert):
    tf.keras.utils.set_random_seed(0)
    encoder = trained(tiny_bert)
    content = encoder.prepare(tf.constant(CORPUS))
    optimizer = tf.keras.optimizers.Adam(0.01)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = encoder.language_loss(content)
        gradients = tape.gradient(loss, encoder.trainable_weights)
        optimizer.apply_gradients(zip(gradients, encoder.trainable_weights))
        return loss

    losses = [float(step()) for _ in range(150)]
    assert np.mean(losses[-10:]) < 0.6 * np.mean(losses[:10])


def test_the_loss_is_the_cross_entropy_of_the_hidden_tokens(tiny_bert, monkeypatch):
    """With every draw fixed: the one word of a text is hidden and masked, and a head written in numpy scores it."""
    tf.keras.utils.set_random_seed(0)
    encoder = trained(tiny_bert)
    monkeypatch.setattr("tfrec.encoders.bert.language_model.random_seed", lambda: tf.constant([5, 5]))
    content = encoder.prepare(tf.constant(["robot", "sea", ""]))
    model = encoder._language
    hidden = content.numpy().copy()
    from tfrec.encoders.bert.masking import masked_tokens

    tokens = masked_tokens(
        content[:, 0], content[:, 1], model._special, model._mask_id, model._vocabulary, tf.constant([5, 5])
    )
    hidden[:, 0] = tokens.ids
    names = ("input_word_ids", "input_mask", "input_type_ids")
    imported = tf.saved_model.load(f"{tiny_bert}/encoder")
    vectors = imported(dict(zip(names, tf.unstack(tf.constant(hidden), axis=1))), training=False)["sequence_output"]
    kernel, bias, gamma, beta, words = (variable.numpy().astype(float) for variable in model.head.variables)
    x = ACTIVATIONS["gelu"](vectors.numpy()[:2, 1] @ kernel + bias)
    x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-12) * gamma + beta
    table = next(v for v in encoder.weights if "word_embeddings" in v.name).numpy()
    chances = log_softmax(x @ table.T + words, axis=1)
    expected = -np.mean([chances[row, content.numpy()[row, 0, 1]] for row in range(2)])
    assert float(model.loss(content, training=False)) == pytest.approx(expected, rel=1e-4)


def test_it_compiles_with_xla(tiny_bert):
    encoder = trained(tiny_bert)
    content = encoder.prepare(tf.constant(CORPUS * 4))

    @tf.function(jit_compile=True)
    def step(content):
        with tf.GradientTape() as tape:
            loss = encoder.language_loss(content)
        gradients = tape.gradient(loss, encoder.trainable_weights)
        return loss, [tf.convert_to_tensor(gradient) for gradient in gradients]

    loss, gradients = step(content)
    assert np.isfinite(float(loss)) and all(np.isfinite(gradient.numpy()).all() for gradient in gradients)


def test_absent_texts_alone_cost_nothing(tiny_bert):
    encoder = trained(tiny_bert)
    assert float(encoder.language_loss(encoder.prepare(tf.constant(["", ""])))) == 0.0


def test_a_step_looks_at_some_of_many_texts_and_at_absent_ones_last(tiny_bert, monkeypatch):
    encoder = trained(tiny_bert)
    content = encoder.prepare(tf.constant([""] * 100 + CORPUS[:20] + [""] * 100))
    seen = []
    encode = encoder._language._encode

    def watched(tokens, training):
        seen.append(tokens["input_mask"].numpy())
        return encode(tokens, training=training)

    monkeypatch.setattr(encoder._language, "_encode", watched)
    encoder.language_loss(content)
    assert seen[0].shape == (TEXTS, 16) and np.count_nonzero(seen[0][:, 0]) == 20


@pytest.mark.parametrize("bias", ["bias", "decoder.bias"])
def test_the_head_of_a_checkpoint_is_imported_whole_or_not_at_all(checkpoints, tmp_path, bias):
    write_bert, bert_tensors = checkpoints
    random, tensors = np.random.default_rng(1), bert_tensors()
    rows, width = tensors["embeddings.word_embeddings.weight"].shape
    shapes = {"transform.dense.weight": [width, width], f"{bias}": [rows]}
    shapes |= {f"transform.{name}": [width] for name in ("dense.bias", "LayerNorm.weight", "LayerNorm.bias")}
    head = {f"{HEAD}.{name}": random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}

    def imported(name, tensors):
        write_bert(tmp_path / name, tensors=tensors, pooling="mean_tokens")
        return trained(import_bert(str(tmp_path / name), str(tmp_path / f"{name}-imported")))._language.head.variables

    kernel, dense_bias, gamma, beta, words = (v.numpy() for v in imported("whole", {**tensors, **head}))
    np.testing.assert_array_equal(kernel, head[f"{HEAD}.transform.dense.weight"].T)
    np.testing.assert_array_equal(dense_bias, head[f"{HEAD}.transform.dense.bias"])
    np.testing.assert_array_equal(gamma, head[f"{HEAD}.transform.LayerNorm.weight"])
    np.testing.assert_array_equal(beta, head[f"{HEAD}.transform.LayerNorm.bias"])
    np.testing.assert_array_equal(words, head[f"{HEAD}.{bias}"])
    part = {name: tensor for name, tensor in head.items() if "LayerNorm" not in name}
    kernel, _, gamma, _, words = (v.numpy() for v in imported("part", {**tensors, **part}))
    assert np.all(gamma == 1) and not words.any() and 0 < kernel.std() < 0.02


def test_a_vocabulary_without_the_mask_is_refused(checkpoints, tmp_path):
    write_bert, _ = checkpoints
    from tests.encoders.conftest import PIECES

    pieces = ["[unused]" if piece == "[MASK]" else piece for piece in PIECES]
    write_bert(tmp_path / "checkpoint", pieces=pieces)
    folder = import_bert(str(tmp_path / "checkpoint"), str(tmp_path / "imported"))
    with pytest.raises(ConfigError, match=r"a vocabulary with \[MASK\]"):
        trained(folder)


def test_the_weighted_loss_is_added_while_texts_are_encoded_in_the_step(tiny_bert, monkeypatch):
    encoder = trained(tiny_bert, language_weight=0.25)
    monkeypatch.setattr(encoder._language, "loss", lambda content: tf.constant(3.0))
    content = encoder.prepare(tf.constant(CORPUS))
    assert float(language_loss({"text": encoder}, {"text": content})) == 0.75
    assert language_loss({"text": encoder}, {"text": encoder(content)}) == 0.0


def test_weight_0_is_no_objective(tiny_bert):
    encoder = trained(tiny_bert, language_weight=0.0)
    content = encoder.prepare(tf.constant(CORPUS))
    assert language_loss({"text": encoder}, {"text": content}) == 0.0
    assert not any("language_head" in variable.name for variable in encoder.weights)
