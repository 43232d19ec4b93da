"""A text encoder that is trained with the towers is exported with the weights it ended with."""

import json

import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import FEATURES, JOINT, write_world
from tfrec.export.export import export_servable
from tfrec.export.loaded import LoadedServable
from tfrec.model.embedding import Embedder
from tfrec.training.trainer import train

# A fused model without ids makes all vectors of content; a regression does where nothing is an item's own.
MODEL = {"joint": {**JOINT, "use_id": False}, "regression": {}}


@pytest.mark.parametrize(
    "part, encoder_epochs, language_weight, content",
    [
        (1, 0, 0.0, "joint"),
        ("all", 1, 0.0, "regression"),
        ("adapters", 1, 0.0, "regression"),
        ("all", 0, 0.1, "joint"),
        ("all", 0, 0.1, "regression"),
    ],
)
def test_a_trained_text_encoder_is_exported_as_it_ended(
    tmp_path, word_encoder, part, encoder_epochs, language_weight, content
):
    features = {"text": json.loads(json.dumps(FEATURES["text"]))}
    encoder = {"path": word_encoder, "pooling": "mean", "max_length": 16, "train": part}
    features["text"]["encoder"] = {**encoder, "language_weight": language_weight, "learning_rate": 0.01}
    world = write_world(tmp_path / "shop", features)
    config = world.config(
        training={"epochs": 1 + bool(encoder_epochs), "encoder_epochs": encoder_epochs},
        model={**MODEL[content], "use_context": False},
    )
    dataset = world.dataset(config)
    before = tf.saved_model.load(word_encoder + "/encoder")
    trained = train(config, dataset, str(tmp_path / "state"), say=lambda line: None)
    now = {variable.name: variable.numpy() for variable in trained.encoders["text"].weights}
    then = {variable.name: variable.numpy() for variable in before.variables}
    changed = [name for name in now if name not in then or not np.allclose(now[name], then[name], atol=1e-6)]
    where = {1: "layer_0", "all": "", "adapters": "/adapter_"}[part]
    assert changed and all(where in name for name in changed)
    assert any("language_head" in name for name in changed) == bool(language_weight)

    vectors = Embedder(trained.model, config.serving.history).items(trained.inputs)
    servable = LoadedServable(export_servable(trained, dataset, str(tmp_path / "model"), say=lambda line: None))
    np.testing.assert_allclose(servable.vectors, vectors, atol=1e-5)
    texts = dataset.catalogue.columns["text"]
    embedded = servable.signatures["embed_items"](text=tf.constant(list(texts)))["embedding"].numpy()
    # A regression leaves known items their own vectors; content says where all others are.
    described = dataset.held_out if content == "regression" else np.arange(len(texts))
    assert len(described)
    np.testing.assert_allclose(embedded[described], vectors[described], atol=1e-4)
