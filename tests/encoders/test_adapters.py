"""Low-rank adapters: nothing at first, a small change later, and the same change after a SavedModel is loaded."""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from tfrec.encoders.bert.adapters import Adapter
from tfrec.encoders.text import TextEncoder
from tfrec.errors import ConfigError
from tfrec.export.op_check import servable_problems

TEXTS = ["the robot", "", "sea, the sea! " * 9, "é中文 я", "robots singing in the sea - robot's end", "a"]


@pytest.fixture
def adapted(tiny_bert):
    tf.keras.utils.set_random_seed(3)
    return TextEncoder({"path": tiny_bert, "max_length": 16, "train": "adapters", "adapter_rank": 2})


def moved(encoder):
    """The encoder after its adapters were changed at random, as training would."""
    for variable in encoder.trainable_weights:
        variable.assign_add(tf.random.stateless_normal(variable.shape, [1, len(variable.name)], stddev=0.3))
    return encoder


def test_an_adapter_adds_alpha_over_rank_times_two_small_products():
    adapter = Adapter("layer", 5, 4, rank=2, alpha=6.0)
    x = np.random.default_rng(0).normal(size=[3, 5]).astype(np.float32)
    assert not adapter(x).numpy().any()
    adapter.up.assign(np.random.default_rng(1).normal(size=[2, 4]))
    np.testing.assert_allclose(adapter(x), 6 / 2 * x @ adapter.down.numpy() @ adapter.up.numpy(), rtol=1e-5, atol=1e-6)


def test_at_first_the_vectors_are_those_of_the_checkpoint(adapted, tiny_bert):
    plain = TextEncoder({"path": tiny_bert, "max_length": 16})
    np.testing.assert_allclose(adapted.encode_raw(TEXTS), plain.encode_raw(TEXTS), atol=1e-6)
    assert not adapted.frozen


def test_every_layer_has_two_pairs_of_small_matrices_and_nothing_else_is_trained(adapted):
    names = [
        f"layer_{n}/self_attention/{part}/adapter_{side}:0"
        for n in range(3)
        for part in ("query", "value")
        for side in ("down", "up")
    ]
    assert sorted(variable.name for variable in adapted.trainable_weights) == sorted(names)
    assert {tuple(variable.shape) for variable in adapted.trainable_weights} == {(12, 2), (2, 12)}


def test_trained_adapters_change_what_merging_them_into_the_matrices_would(adapted, tiny_bert):
    vectors = moved(adapted).encode_raw(TEXTS)
    merged = TextEncoder({"path": tiny_bert, "max_length": 16})
    plain = merged.encode_raw(TEXTS)
    weights = {variable.name: variable for variable in adapted.weights}
    for variable in merged.weights:
        name = variable.name.replace("/kernel:0", "")
        if f"{name}/adapter_up:0" in weights:
            change = weights[f"{name}/adapter_down:0"].numpy() @ weights[f"{name}/adapter_up:0"].numpy()
            variable.assign_add(16.0 / 2 * change)
    np.testing.assert_allclose(vectors, merged.encode_raw(TEXTS), atol=1e-5)
    assert np.abs(vectors - plain).max() > 0.01


def test_fingerprints_tell_adapters_apart(adapted, tiny_bert):
    before = adapted.fingerprint()
    assert moved(adapted).fingerprint() != before
    assert before != TextEncoder({"path": tiny_bert, "max_length": 16}).fingerprint()


def test_a_loaded_saved_model_gives_the_same_vectors_with_stock_ops(adapted, tmp_path):
    vectors = moved(adapted)(adapted.prepare(tf.constant(TEXTS))).numpy()

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def encode(texts):
        return {"vectors": adapted(adapted.prepare(texts))}

    module = tf.Module()
    module.encode, module.weights = encode, list(adapted.weights)
    # What the preprocessor looks words up in.
    module.resources = [adapted._preprocessor]
    tf.saved_model.save(module, str(tmp_path), signatures={"encode": encode})
    loaded = tf.saved_model.load(str(tmp_path)).signatures["encode"]
    np.testing.assert_allclose(loaded(texts=tf.constant(TEXTS))["vectors"], vectors, atol=1e-6)
    assert servable_problems(str(tmp_path)) == []


def test_a_train_step_compiles_with_xla(tiny_bert):
    encoder = moved(TextEncoder({"path": tiny_bert, "max_length": 16, "train": "adapters"}))
    content = encoder.prepare(tf.constant(TEXTS))

    @tf.function(jit_compile=True)
    def gradients(content):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(encoder(content, training=True)[:, 0])
        return tape.gradient(loss, encoder.trainable_weights)

    values = [gradient.numpy() for gradient in gradients(content)]
    assert all(np.isfinite(value).all() and value.any() for value in values)


def handles(tiny_bert, _):
    return {"preprocessor": f"{tiny_bert}/preprocessor", "encoder": f"{tiny_bert}/encoder"}


def older_import(tiny_bert, folder):
    """An import of a version that did not write the network's sizes."""
    shutil.copytree(tiny_bert, folder / "older")
    description = json.loads((folder / "older" / "encoder.json").read_text())
    del description["network"]
    (folder / "older" / "encoder.json").write_text(json.dumps(description))
    return {"path": str(folder / "older")}


@pytest.mark.parametrize("wanted", [{"train": "adapters"}, {"train": "all", "language_weight": 0.1}])
@pytest.mark.parametrize("source, told", [(handles, "not a TF-Hub handle"), (older_import, "imported by this version")])
def test_what_needs_known_layers_refuses_other_encoders(tiny_bert, tmp_path, wanted, source, told):
    with pytest.raises(ConfigError, match=told) as refused:
        TextEncoder({**source(tiny_bert, tmp_path), "max_length": 16, **wanted}, name="plot")
    assert str(refused.value).startswith("encoder of 'plot'") and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "settings, told",
    [
        ({"train": "adapters", "adapter_rank": 0}, "adapter_rank is 0"),
        ({"train": "adapters", "adapter_alpha": 0.0}, "adapter_alpha is 0.0"),
        ({"train": "all", "learning_rate": -0.1}, "learning_rate is -0.1"),
        ({"train": "all", "language_weight": -1.0}, "language_weight is -1.0"),
        ({"train": "none", "language_weight": 0.1}, "but train is none"),
    ],
)
def test_settings_out_of_range_end_in_one_clear_sentence(tiny_bert, settings, told):
    with pytest.raises(ConfigError, match=told) as refused:
        TextEncoder({"path": tiny_bert, "max_length": 16, **settings}, name="plot")
    assert str(refused.value).startswith("encoder of 'plot'")
