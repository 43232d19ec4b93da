import os

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_hub as hub
from scipy.special import erf, softmax

from tfrec.encoders.bert import import_bert
from tfrec.errors import ConfigError

TOKENS = {
    "input_word_ids": [[2, 10, 11, 60, 3, 0, 0], [2, 3, 0, 0, 0, 0, 0], [2, 20, 21, 22, 23, 24, 3]],
    "input_mask": [[1, 1, 1, 1, 1, 0, 0], [1, 1, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1, 1]],
    "input_type_ids": [[0, 0, 0, 1, 1, 0, 0], [0, 0, 0, 0, 0, 0, 0], [0, 1, 0, 1, 0, 1, 0]],
}
TINY = {"heads": 2, "layers": 3, "epsilon": 1e-12}


def inputs():
    return {name: tf.constant(rows, tf.int32) for name, rows in TOKENS.items()}


def numpy_bert(tensors, tokens, activation):
    """BERT straight from the paper, one text at a time and without padding, in float64."""
    t = {name: tensor.astype(np.float64) for name, tensor in tensors.items()}

    def dense(x, name):
        return x @ t[f"{name}.weight"].T + t[f"{name}.bias"]

    def norm(x, name):
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + TINY["epsilon"])
        return x * t[f"{name}.weight"] + t[f"{name}.bias"]

    sequences = []
    for ids, mask, types in zip(*(np.array(tokens[name]) for name in TOKENS)):
        length = mask.sum()
        x = t["embeddings.word_embeddings.weight"][ids[:length]] + t["embeddings.position_embeddings.weight"][:length]
        x = norm(x + t["embeddings.token_type_embeddings.weight"][types[:length]], "embeddings.LayerNorm")
        for n in range(TINY["layers"]):
            layer = f"encoder.layer.{n}"
            q, k, v = (
                np.split(dense(x, f"{layer}.attention.self.{part}"), TINY["heads"], axis=1)
                for part in ("query", "key", "value")
            )
            heads = [softmax(a @ b.T / np.sqrt(a.shape[1]), axis=1) @ c for a, b, c in zip(q, k, v)]
            attended = dense(np.concatenate(heads, axis=1), f"{layer}.attention.output.dense")
            x = norm(x + attended, f"{layer}.attention.output.LayerNorm")
            expanded = activation(dense(x, f"{layer}.intermediate.dense"))
            x = norm(x + dense(expanded, f"{layer}.output.dense"), f"{layer}.output.LayerNorm")
        sequences.append(x)
    pooled = [np.tanh(dense(x[0], "pooler.dense")) for x in sequences] if "pooler.dense.weight" in t else None
    return sequences, pooled


ACTIVATIONS = {
    "gelu": lambda x: x * 0.5 * (1 + erf(x / np.sqrt(2))),
    "gelu_new": lambda x: 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
    "relu": lambda x: np.maximum(x, 0),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_imported_encoder_equals_an_independent_bert(name, checkpoints, tmp_path):
    write_bert, bert_tensors = checkpoints
    write_bert(tmp_path / "checkpoint", config={"hidden_act": name})
    import_bert(str(tmp_path / "checkpoint"), str(tmp_path / "imported"))
    outputs = hub.load(str(tmp_path / "imported" / "encoder"))(inputs())
    sequences, pooled = numpy_bert(bert_tensors(), TOKENS, ACTIVATIONS[name])
    for ours, expected in zip(outputs["sequence_output"].numpy(), sequences):
        np.testing.assert_allclose(ours[: len(expected)], expected, atol=2e-5)
    np.testing.assert_allclose(outputs["pooled_output"], pooled, atol=2e-5)
    np.testing.assert_allclose(outputs["default"], pooled, atol=2e-5)


def test_default_output_pools_as_the_checkpoint_was_trained(tiny_bert, checkpoints):
    _, bert_tensors = checkpoints
    vectors = hub.load(f"{tiny_bert}/encoder")(inputs())["default"]
    sequences, _ = numpy_bert(bert_tensors(), TOKENS, ACTIVATIONS["gelu"])
    means = np.stack([x.mean(axis=0) for x in sequences])
    np.testing.assert_allclose(vectors, means / np.linalg.norm(means, axis=1, keepdims=True), atol=2e-5)


def test_old_names_a_prefix_and_a_missing_pooler_are_understood(checkpoints, tmp_path):
    write_bert, bert_tensors = checkpoints
    tensors = {name: value for name, value in bert_tensors().items() if not name.startswith("pooler")}
    renamed = {
        "bert." + name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): value
        for name, value in tensors.items()
    }
    renamed["bert.embeddings.position_ids"] = np.arange(40)[None]
    renamed["cls.predictions.bias"] = np.zeros(3, np.float32)
    write_bert(tmp_path / "checkpoint", tensors=renamed)
    import_bert(str(tmp_path / "checkpoint"), str(tmp_path / "imported"))
    outputs = hub.load(str(tmp_path / "imported" / "encoder"))(inputs())
    sequences, _ = numpy_bert(tensors, TOKENS, ACTIVATIONS["gelu"])
    np.testing.assert_allclose(outputs["pooled_output"], [x[0] for x in sequences], atol=2e-5)


def test_first_token_pooling_is_not_sent_through_the_pooler(checkpoints, tmp_path):
    write_bert, bert_tensors = checkpoints
    write_bert(tmp_path / "checkpoint", pooling="cls_token")
    import_bert(str(tmp_path / "checkpoint"), str(tmp_path / "imported"))
    outputs = hub.load(str(tmp_path / "imported" / "encoder"))(inputs())
    sequences, _ = numpy_bert(bert_tensors(), TOKENS, ACTIVATIONS["gelu"])
    np.testing.assert_allclose(outputs["pooled_output"], [x[0] for x in sequences], atol=2e-5)


def test_half_precision_weights_are_imported(checkpoints, tmp_path):
    write_bert, bert_tensors = checkpoints
    halved = {name: value.astype(tf.bfloat16.as_numpy_dtype) for name, value in bert_tensors().items()}
    write_bert(tmp_path / "checkpoint", tensors=halved)
    import_bert(str(tmp_path / "checkpoint"), str(tmp_path / "imported"))
    outputs = hub.load(str(tmp_path / "imported" / "encoder"))(inputs())
    sequences, _ = numpy_bert(halved, TOKENS, ACTIVATIONS["gelu"])
    np.testing.assert_allclose(outputs["sequence_output"][2], sequences[2], atol=2e-5)


def test_encoder_is_a_reusable_saved_model_that_trains(tiny_bert):
    layer = hub.KerasLayer(f"{tiny_bert}/encoder", trainable=True)
    before = [weight.numpy() for weight in layer.trainable_weights]
    assert {f"layer_{n}" for n in range(3)} <= {w.name.split("/")[0] for w in layer.trainable_weights}
    optimizer = tf.keras.optimizers.SGD(0.1)
    losses = []
    for _ in range(5):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(layer(inputs(), training=False)["pooled_output"] - 0.5))
        optimizer.apply_gradients(zip(tape.gradient(loss, layer.trainable_weights), layer.trainable_weights))
        losses.append(float(loss))
    assert losses[-1] < 0.8 * losses[0]
    assert any(np.abs(weight.numpy() - old).max() > 0 for weight, old in zip(layer.trainable_weights, before))


def test_dropout_is_on_in_training_only(tiny_bert):
    encoder = hub.load(f"{tiny_bert}/encoder")
    quiet = [encoder(inputs(), training=False)["default"].numpy() for _ in range(2)]
    noisy = [encoder(inputs(), training=True)["default"].numpy() for _ in range(2)]
    np.testing.assert_array_equal(*quiet)
    assert np.abs(noisy[0] - noisy[1]).max() > 1e-3


def test_padding_changes_nothing(tiny_bert):
    encoder = hub.load(f"{tiny_bert}/encoder")
    padded = {name: tf.pad(rows, [[0, 0], [0, 9]]) for name, rows in inputs().items()}
    np.testing.assert_allclose(encoder(padded)["default"], encoder(inputs())["default"], atol=1e-6)


def _without(folder, name):
    os.remove(folder / name)


def _cut(folder, name):
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[: len(data) // 2])


@pytest.mark.parametrize(
    "harm, told",
    [
        (lambda folder: _without(folder, "config.json"), "config.json is missing"),
        (lambda folder: _without(folder, "vocab.txt"), "vocab.txt cannot be read"),
        (lambda folder: _without(folder, "model.safetensors"), "no model.safetensors"),
        (lambda folder: _cut(folder, "model.safetensors"), "model.safetensors cannot be read"),
        (lambda folder: _cut(folder, "config.json"), "cannot be read as JSON"),
        (lambda folder: (folder / "vocab.txt").write_text("[CLS]\n[SEP]\nword\n"), r"has no \[UNK\]"),
        (lambda folder: (folder / "config.json").write_text('{"model_type": "roberta"}'), "of type 'roberta'"),
        (lambda folder: (folder / "config.json").write_text('{"model_type": "bert"}'), "num_hidden_layers"),
    ],
)
def test_broken_checkpoint_is_refused_in_one_sentence_and_leaves_nothing(harm, told, checkpoints, tmp_path):
    write_bert, _ = checkpoints
    harm(write_bert(tmp_path / "checkpoint"))
    with pytest.raises(ConfigError, match=told) as refused:
        import_bert(str(tmp_path / "checkpoint"), str(tmp_path / "out" / "imported"))
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "out").exists() or not os.listdir(tmp_path / "out")


@pytest.mark.parametrize(
    "change, told",
    [
        ({"config": {"hidden_act": "mish"}}, "hidden_act is 'mish'"),
        ({"config": {"num_hidden_layers": 4}}, "no tensor encoder.layer.3"),
        ({"config": {"intermediate_size": 21}}, r"shape \[12, 20\], expected \[12, 21\]"),
        ({"config": {"num_attention_heads": 5}}, "5 heads do not divide width 12"),
        ({"config": {"position_embedding_type": "relative_key"}}, "relative_key positions"),
        ({"pieces": ["[CLS]", "[SEP]", "[UNK]", *map(str, range(200))]}, "203 word pieces"),
        ({"pooling": "max_tokens"}, "only mean_tokens or cls_token"),
    ],
)
def test_unusable_network_is_refused_with_the_reason(change, told, checkpoints, tmp_path):
    write_bert, _ = checkpoints
    write_bert(tmp_path / "checkpoint", **change)
    with pytest.raises(ConfigError, match=told):
        import_bert(str(tmp_path / "checkpoint"), str(tmp_path / "imported"))
    assert os.listdir(tmp_path) == ["checkpoint"]


def test_a_folder_in_use_is_not_overwritten(tiny_bert, checkpoints, tmp_path):
    write_bert, _ = checkpoints
    write_bert(tmp_path / "checkpoint")
    with pytest.raises(ConfigError, match="is not empty"):
        import_bert(str(tmp_path / "checkpoint"), tiny_bert)
    with pytest.raises(ConfigError, match="there is no folder"):
        import_bert(str(tmp_path / "nowhere"), str(tmp_path / "imported"))
