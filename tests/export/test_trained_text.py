"""A text encoder that is trained with the towers is exported with the weights it ended with."""

import json

import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import FEATURES, write_world
from tfrec.export.export import export_servable
from tfrec.export.loaded import LoadedServable
from tfrec.model.embedding import Embedder
from tfrec.training.trainer import train


@pytest.mark.parametrize(
    "part, encoder_epochs, language_weight", [(1, 0, 0.0), ("all", 1, 0.0), ("adapters", 1, 0.0), ("all", 0, 0.1)]
)
def test_a_trained_text_encoder_is_exported_as_it_ended(tmp_path, word_encoder, part, encoder_epochs, language_weight):
    features = {"text": json.loads(json.dumps(FEATURES["text"]))}
    encoder = {"path": word_encoder, "pooling": "mean", "max_length": 16, "train": part}
    features["text"]["encoder"] = {**encoder, "language_weight": language_weight, "learning_rate": 0.01}
    world = write_world(tmp_path / "shop", features)
    config = world.config(
        training={"epochs": 2, "encoder_epochs": encoder_epochs}, model={"use_id": False, "use_context": False}
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
    np.testing.assert_allclose(embedded, vectors, atol=1e-4)
