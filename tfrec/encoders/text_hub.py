"""Text models from TF-Hub or a folder: a preprocessor and an encoder that follow TF-Hub's API for text encoders."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
from collections.abc import Mapping
from typing import Any

import tensorflow as tf
import tensorflow_hub as hub
import tensorflow_text  # noqa: F401  registers the ops of the preprocessor

from tfrec.encoders.bert.network import Network
from tfrec.errors import ConfigError

MINILM = "minilm"
_LAYER = re.compile(r"\blayer_(\d+)\b")


@dataclasses.dataclass(frozen=True)
class TextModels:
    """A loaded pair.

    Attributes:
        preprocessor: texts [B] -> dict of int32 [B, L]; encoder: that dict -> dict with sequence_output, pooled_output.
        pooling, normalised: how the checkpoint makes one vector of a text.
        preparation: what tells the preprocessor from others: the import's fingerprint, or a hash of its files.
        description: what `tfrec import-encoder` wrote of a BERT beside it; empty for handles.
    """

    preprocessor: Any
    encoder: Any
    pooling: str
    normalised: bool
    preparation: str
    description: Mapping[str, Any]

    def network(self, purpose: str, where: str) -> Network:
        """Sizes and constants of an imported BERT, which `purpose` needs; `where` is for errors.

        Raises:
            ConfigError: if the encoder is another one, or was imported by a version that did not write them.
        """
        if not self.description:
            raise ConfigError(
                f"{where}: {purpose} needs a BERT whose layers are known, not a TF-Hub handle; "
                "import a checkpoint with `tfrec import-encoder bert` and give its `path`"
            )
        try:
            return Network(**self.description["network"])
        except (KeyError, TypeError) as error:
            raise ConfigError(
                f"{where}: {purpose} needs a BERT imported by this version; run `tfrec import-encoder bert` again"
            ) from error


def load_text_models(path: str, preprocessor: str, encoder: str, where: str) -> TextModels:
    """Load the pair in the folder `path` ("minilm" or "" for MiniLM), or two handles or folders; `where` is for errors.

    Raises:
        ConfigError: if both or half of the ways are used, or a model cannot be found, downloaded or used.
    """
    description: Mapping[str, Any] = {}
    if preprocessor or encoder:
        if path:
            raise ConfigError(f"{where}: give either path, or preprocessor and encoder, not both")
        if not (preprocessor and encoder):
            missing = "encoder" if preprocessor else "preprocessor"
            raise ConfigError(f"{where}: the key {missing!r} is missing; preprocessor and encoder belong together")
        pooling, normalised, preparation = "pooled", False, ""
    else:
        if path in ("", MINILM):
            from tfrec.encoders.minilm import minilm_directory

            path = minilm_directory()
        pooling, normalised, preparation, description = _described(path, where)
        preprocessor, encoder = os.path.join(path, "preprocessor"), os.path.join(path, "encoder")
    loaded_preprocessor, loaded_encoder = _load(preprocessor, where), _load(encoder, where)
    if not callable(loaded_preprocessor):
        raise ConfigError(f"{where}: {preprocessor} is no reusable SavedModel of TensorFlow 2; give one from TF-Hub")
    if not callable(loaded_encoder) or not hasattr(loaded_encoder, "variables"):
        raise ConfigError(f"{where}: {encoder} is no reusable SavedModel of TensorFlow 2; give one from TF-Hub")
    preparation = preparation or _digest(preprocessor)
    return TextModels(loaded_preprocessor, loaded_encoder, pooling, normalised, preparation, description)


def _described(path: str, where: str) -> tuple[str, bool, str, Mapping[str, Any]]:
    """What encoder.json says: pooling, whether vectors are normalised, the fingerprint, and everything."""
    description = os.path.join(path, "encoder.json")
    try:
        with tf.io.gfile.GFile(description, "r") as file:
            described = json.load(file)
        pooling = "mean" if described["pooling"] == "mean" else "pooled"
        return pooling, bool(described["normalised"]), str(described["fingerprint"]), described
    except (OSError, ValueError, KeyError, TypeError, tf.errors.OpError) as error:
        raise ConfigError(
            f"{where}: {path} is no folder that `tfrec import-encoder bert` made ({description} is missing or broken); "
            "check `path`, or import a checkpoint first"
        ) from error


def _load(handle: str, where: str) -> Any:
    if "://" not in handle and not os.path.exists(os.path.join(handle, "saved_model.pb")):
        raise ConfigError(f"{where}: there is no SavedModel in {handle}; check the path, or give a TF-Hub handle")
    try:
        return hub.load(handle)
    except (OSError, ValueError, RuntimeError, tf.errors.OpError) as error:
        reason = str(error).strip().split("\n")[0]
        raise ConfigError(
            f"{where}: the TF-Hub model {handle} could not be loaded ({reason}); "
            "check the address and the network, or download it and give its folder"
        ) from error


def _digest(handle: str) -> str:
    """Sha256 of the preprocessor's vocabulary files and graph."""
    folder = hub.resolve(handle)
    digest = hashlib.sha256()
    for name in ("saved_model.pb", "assets"):
        path = os.path.join(folder, name)
        if tf.io.gfile.isdir(path):
            files = [os.path.join(path, entry) for entry in sorted(tf.io.gfile.listdir(path))]
        else:
            files = [path] if tf.io.gfile.exists(path) else []
        for file in files:
            with tf.io.gfile.GFile(file, "rb") as stream:
                digest.update(stream.read())
    return digest.hexdigest()


def top_variables(encoder: Any, train: str | int, where: str) -> list[tf.Variable]:
    """The variables of a loaded encoder to train: "none", "all", or those of the top `train` layers and above them.

    Layers are told by their names, `layer_<n>` counted from the bottom, as TF-Hub's BERT encoders name them.

    Raises:
        ConfigError: if `train` is none of these, or the encoder has no such layers or nothing to train.
    """
    if train == "none":
        return []
    variables = list(getattr(encoder, "trainable_variables", ()))
    if not variables:
        raise ConfigError(f"{where}: the encoder has no trainable variables; set train to none")
    if train == "all":
        return variables
    if not isinstance(train, int) or isinstance(train, bool) or train < 1:
        raise ConfigError(f"{where}.train is {train!r}; it must be none, all, adapters or a number of top layers")
    numbers = {variable.ref(): int(match[1]) for variable in variables if (match := _LAYER.search(variable.name))}
    layers = max(numbers.values(), default=-1) + 1
    if train > layers:
        raise ConfigError(f"{where}.train is {train}, but the encoder has {layers} layers named layer_<n>")
    pooler = {variable.ref() for variable in variables if "pooler" in variable.name}
    return [v for v in variables if v.ref() in pooler or numbers.get(v.ref(), -1) >= layers - train]
