"""A BERT checkpoint folder to a folder with two SavedModels that follow TF-Hub's API for text encoders."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import tempfile

import numpy as np
import tensorflow as tf

from tfrec.encoders.bert.checkpoint import Checkpoint, read_checkpoint
from tfrec.encoders.bert.language_head import head_variables
from tfrec.encoders.bert.network import INPUTS, Bert, Network
from tfrec.encoders.bert.parts import CheckpointVariables
from tfrec.encoders.bert.preprocessor import BertPreprocessor
from tfrec.errors import ConfigError

# Part of every fingerprint: raise it when the same checkpoint would give other SavedModels than before.
VERSION = 2
PREPROCESSOR, ENCODER, DESCRIPTION = "preprocessor", "encoder", "encoder.json"


def import_bert(source: str, destination: str) -> str:
    """Write `destination`/preprocessor, /encoder and /encoder.json from a checkpoint folder; return `destination`.

    The preprocessor takes texts, string [B], and gives a dict of int32 [B, max_length]; the encoder takes that dict
    (any length) and gives `sequence_output` [B, L, W], `pooled_output` [B, W] and `default`, the vector that the
    checkpoint's own pooling makes of a text. Both are reusable SavedModels, for hub.load and hub.KerasLayer; the
    encoder can be trained. Everything is written beside `destination` and renamed into place.

    Args:
        source: folder with config.json, model.safetensors and vocab.txt, as `save_pretrained` of Transformers or
            Sentence Transformers writes it.
        destination: folder to make; it must not exist or be empty.

    Raises:
        ConfigError: if the source is no BERT checkpoint, or the destination is taken or cannot be written.
    """
    if os.path.isdir(destination) and os.listdir(destination):
        raise ConfigError(f"the folder {destination} is not empty; remove it or name another")
    checkpoint = read_checkpoint(source)
    parent = os.path.dirname(os.path.abspath(destination))
    try:
        os.makedirs(parent, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".importing-", dir=parent) as workplace:
            finished = os.path.join(workplace, "encoder")
            os.mkdir(finished)
            _write(checkpoint, finished)
            os.rename(finished, destination)
    except (OSError, tf.errors.OpError) as error:
        raise ConfigError(f"the encoder could not be written to {destination}: {error}") from error
    return destination


def _write(checkpoint: Checkpoint, directory: str) -> None:
    tf.saved_model.save(_reusable(checkpoint), os.path.join(directory, ENCODER))
    preprocessor = BertPreprocessor(checkpoint.tokens, checkpoint.max_length)
    tf.saved_model.save(preprocessor, os.path.join(directory, PREPROCESSOR))
    tokens = checkpoint.tokens
    special = [tokens.cls, tokens.sep, tokens.unknown, *([tokens.mask] if tokens.mask in tokens.vocabulary else [])]
    description = {
        "kind": "bert",
        "network": dataclasses.asdict(_network(checkpoint)),
        "vocabulary": len(tokens.vocabulary),
        "mask": tokens.vocabulary.index(tokens.mask) if tokens.mask in tokens.vocabulary else None,
        "special": [tokens.vocabulary.index(piece) for piece in special],
        "max_length": checkpoint.max_length,
        "pooling": checkpoint.pooling,
        "normalised": checkpoint.normalised,
        "fingerprint": _fingerprint(checkpoint),
    }
    with open(os.path.join(directory, DESCRIPTION), "w", encoding="utf-8") as file:
        json.dump(description, file, indent=2)
        file.write("\n")


def _network(checkpoint: Checkpoint) -> Network:
    # Pooling by the first token means the token itself, although most such checkpoints still carry a pooler.
    pooler = checkpoint.pooling != "cls" and "pooler.dense.weight" in checkpoint.weights
    shared = [field.name for field in dataclasses.fields(Network) if field.name != "pooler"]
    return Network(**{name: getattr(checkpoint, name) for name in shared}, pooler=pooler)


def _reusable(checkpoint: Checkpoint) -> tf.train.Checkpoint:
    """BERT with the attributes of TF-Hub's reusable SavedModel interface, and its language head where there is one."""
    bert = Bert(_network(checkpoint), CheckpointVariables(checkpoint.weights))

    @tf.function
    def call(inputs: dict[str, tf.Tensor], training: bool = False) -> dict[str, tf.Tensor]:
        outputs = bert(inputs, training)
        return {**outputs, "default": _text_vector(checkpoint, outputs, inputs["input_mask"])}

    tokens = {name: tf.TensorSpec([None, None], tf.int32, name=name) for name in INPUTS}
    for training in (False, True):
        call.get_concrete_function(tokens, training=training)
    reusable = tf.train.Checkpoint(bert=bert)
    reusable.__call__ = call
    reusable.variables = list(bert.variables)
    reusable.trainable_variables = list(bert.trainable_variables)
    reusable.regularization_losses = []
    reusable.language_head = head_variables(checkpoint.weights, checkpoint.width)
    return reusable


def _text_vector(checkpoint: Checkpoint, outputs: dict[str, tf.Tensor], mask: tf.Tensor) -> tf.Tensor:
    vector = outputs["pooled_output"]
    if checkpoint.pooling == "mean":
        weights = tf.cast(mask, tf.float32)[:, :, None]
        vector = tf.math.divide_no_nan(
            tf.reduce_sum(outputs["sequence_output"] * weights, 1), tf.reduce_sum(weights, 1)
        )
    return tf.math.l2_normalize(vector, axis=-1) if checkpoint.normalised else vector


def _fingerprint(checkpoint: Checkpoint) -> str:
    settings = {
        field: getattr(checkpoint, field)
        for field in ("heads", "activation", "epsilon", "pooling", "normalised", "max_length")
    }
    digest = hashlib.sha256(json.dumps([VERSION, settings, vars(checkpoint.tokens)], sort_keys=True).encode())
    for name in sorted(checkpoint.weights):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(checkpoint.weights[name]).tobytes())
    return digest.hexdigest()[:32]
