"""TF-Hub audio models: a waveform float32 [samples] in -1..1 at 16 kHz in, embeddings [frames, width] out."""

from __future__ import annotations

import hashlib
import os
from typing import Any

import tensorflow as tf
import tensorflow_hub as hub

from tfrec.errors import ConfigError


def load_audio_model(handle: str, trainable: bool, where: str) -> hub.KerasLayer:
    """Load a model such as YAMNet or VGGish from a folder or a TF-Hub handle; `where` names the encoder in errors.

    Raises:
        ConfigError: if it cannot be found or downloaded, or is to be trained but has no trainable weights.
    """
    if "://" not in handle and not os.path.isdir(handle):
        raise ConfigError(f"{where}: there is no folder {handle}; give the path of a TF-Hub SavedModel")
    try:
        model = hub.KerasLayer(handle, trainable=trainable)
    except (OSError, ValueError, RuntimeError, tf.errors.OpError) as error:
        reason = str(error).strip().split("\n")[0]
        raise ConfigError(
            f"{where}: the TF-Hub model {handle} could not be loaded ({reason}); "
            "check the address, or download it and give its folder as `path`"
        ) from error
    if trainable and not model.trainable_weights:
        raise ConfigError(f"{where}: {handle} has no trainable weights; set train to none")
    return model


def files_digest(handle: str) -> str:
    """Sha256 of the graph and weights of a SavedModel, in hexadecimal: the same wherever its folder lies.

    Of its files, because published models such as YAMNet do not list their variables.
    """
    folder, digest = hub.resolve(handle), hashlib.sha256()
    for pattern in ("saved_model.pb", "variables/*", "assets/*"):
        for path in sorted(tf.io.gfile.glob(os.path.join(folder, pattern))):
            with tf.io.gfile.GFile(path, "rb") as file:
                digest.update(file.read())
    return digest.hexdigest()


def embedding_width(model: hub.KerasLayer, samples: int, output: int, where: str) -> int:
    """Width of the embeddings that `model` gives for one waveform [samples].

    Args:
        output: which output of a tuple holds the embeddings (YAMNet gives scores, embeddings, spectrogram: 1).
        where: names the encoder in errors.

    Raises:
        ConfigError: if the model takes no such waveform or gives no embeddings [frames, width].
    """
    try:
        outputs = model(tf.zeros([samples]))
    except (ValueError, TypeError, tf.errors.OpError) as error:
        reason = str(error).strip().split("\n")[0]
        raise ConfigError(f"{where}: the hub model takes no waveform float32 [{samples}] ({reason})") from error
    if isinstance(outputs, (tuple, list)) and not 0 <= output < len(outputs):
        raise ConfigError(f"{where}.output is {output}, but the model has {len(outputs)} outputs, counted from 0")
    embeddings = _embeddings(outputs, output)
    if not tf.is_tensor(embeddings) or embeddings.shape.rank != 2:
        found = f"shape {embeddings.shape}" if tf.is_tensor(embeddings) else type(embeddings).__name__
        raise ConfigError(f"{where}: the hub model must give embeddings [frames, width], got {found}")
    return int(embeddings.shape[-1])


def pooled_embeddings(model: hub.KerasLayer, waveforms: tf.Tensor, output: int, width: int) -> tf.Tensor:
    """Mean over time of a model's embeddings: float32 [B, samples] -> float32 [B, width]."""

    def pooled(waveform: tf.Tensor) -> tf.Tensor:
        vector = tf.reduce_mean(_embeddings(model(waveform), output), axis=0)
        return tf.ensure_shape(tf.cast(vector, tf.float32), [width])

    return tf.map_fn(pooled, waveforms, fn_output_signature=tf.TensorSpec([width], tf.float32))


def _embeddings(outputs: Any, output: int) -> Any:
    return outputs[output] if isinstance(outputs, (tuple, list)) else outputs
