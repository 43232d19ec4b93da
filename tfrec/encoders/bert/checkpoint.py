"""A BERT checkpoint folder as the Hugging Face and Sentence Transformers libraries write it, read with numpy alone."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from tfrec.errors import ConfigError

DEFAULT_MAX_LENGTH = 128


@dataclasses.dataclass(frozen=True)
class Tokens:
    """How text becomes word pieces.

    Attributes:
        vocabulary: the word pieces; a piece's line is its id.
        lower_case, strip_accents: whether letters lose their case and their accents.
        split_cjk: whether each Chinese character is a word of its own.
        cls, sep, unknown, mask: the special pieces before and after a text, in place of an unknown word, and in place
            of one to be guessed, which a vocabulary may lack.
    """

    vocabulary: tuple[str, ...]
    lower_case: bool = True
    strip_accents: bool = True
    split_cjk: bool = True
    cls: str = "[CLS]"
    sep: str = "[SEP]"
    unknown: str = "[UNK]"
    mask: str = "[MASK]"


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """Everything an import needs.

    Attributes:
        width, layers, heads, hidden, positions, types: the sizes of the network.
        activation: hidden_act of config.json.
        epsilon, dropout, attention_dropout: of layer normalisation and training.
        weights: float32 tensors by their Hugging Face name without a leading "bert.".
        pooling: how the checkpoint makes one vector of a text: mean, cls (the first token's vector) or pooled (the
            same through the pooler's dense layer and tanh).
        normalised: whether that vector is then scaled to length 1.
        max_length: most tokens of a text, with [CLS] and [SEP].
    """

    tokens: Tokens
    width: int
    layers: int
    heads: int
    hidden: int
    positions: int
    types: int
    activation: str
    epsilon: float
    dropout: float
    attention_dropout: float
    weights: dict[str, np.ndarray]
    pooling: str
    normalised: bool
    max_length: int


def read_checkpoint(directory: str) -> Checkpoint:
    """Read config.json, vocab.txt and the safetensors files in `directory`, and what it says about pooling.

    Raises:
        ConfigError: if a file is missing or broken, or the network is no BERT.
    """
    if not os.path.isdir(directory):
        raise ConfigError(f"there is no folder {directory}; give the folder of a BERT checkpoint")
    config = _json(directory, "config.json", required=True)
    if config.get("model_type", "bert") != "bert":
        raise ConfigError(f"{directory} holds a model of type {config['model_type']!r}; only bert can be imported")
    if config.get("position_embedding_type", "absolute") != "absolute":
        raise ConfigError(
            f"{directory} has {config['position_embedding_type']} positions; only absolute ones are known"
        )
    weights = _weights(directory)
    words, positions, types = (
        _table(weights, directory, f"embeddings.{kind}_embeddings.weight")
        for kind in ("word", "position", "token_type")
    )
    tokens = _tokens(directory)
    if len(tokens.vocabulary) > len(words):
        raise ConfigError(
            f"{directory}/vocab.txt has {len(tokens.vocabulary)} word pieces, but the model knows {len(words)}"
        )
    pooling, normalised = _pooling(directory, pooler="pooler.dense.weight" in weights)
    try:
        checkpoint = Checkpoint(
            tokens=tokens,
            width=words.shape[1],
            layers=int(config["num_hidden_layers"]),
            heads=int(config["num_attention_heads"]),
            hidden=int(config["intermediate_size"]),
            positions=len(positions),
            types=len(types),
            activation=config.get("hidden_act", "gelu"),
            epsilon=float(config.get("layer_norm_eps", 1e-12)),
            dropout=float(config.get("hidden_dropout_prob", 0.1)),
            attention_dropout=float(config.get("attention_probs_dropout_prob", 0.1)),
            weights=weights,
            pooling=pooling,
            normalised=normalised,
            max_length=_max_length(directory, len(positions)),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"{directory}/config.json lacks a usable {error}") from error
    if checkpoint.width % checkpoint.heads:
        raise ConfigError(f"{directory}/config.json: {checkpoint.heads} heads do not divide width {checkpoint.width}")
    return checkpoint


def _json(directory: str, name: str, required: bool = False) -> Any:
    path = os.path.join(directory, name)
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError as error:
        if required:
            raise ConfigError(f"{path} is missing; a BERT checkpoint folder has one") from error
        return {}
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read as JSON: {error}") from error


def _weights(directory: str) -> dict[str, np.ndarray]:
    names = sorted(name for name in os.listdir(directory) if re.fullmatch(r"model.*\.safetensors", name))
    if not names:
        raise ConfigError(
            f"{directory} has no model.safetensors; save the checkpoint in that format (save_pretrained writes it)"
        )
    weights = {}
    for name in names:
        try:
            tensors = load_file(os.path.join(directory, name))
        except (OSError, SafetensorError) as error:
            raise ConfigError(f"{directory}/{name} cannot be read, it may be cut short: {error}") from error
        for key, tensor in tensors.items():
            if tensor.dtype.kind in "iu":  # position_ids, a constant that some versions saved
                continue
            weights[_current_name(key)] = np.ascontiguousarray(tensor, np.float32)
    return weights


def _current_name(key: str) -> str:
    """The name of a tensor without the prefix of a whole model, and as versions after 2018 spell it."""
    key = key.removeprefix("bert.")
    return re.sub(r"LayerNorm\.gamma$", "LayerNorm.weight", re.sub(r"LayerNorm\.beta$", "LayerNorm.bias", key))


def _table(weights: dict[str, np.ndarray], directory: str, name: str) -> np.ndarray:
    if name not in weights:
        raise ConfigError(f"{directory} has no tensor {name}; is it a BERT checkpoint?")
    return weights[name]


def _tokens(directory: str) -> Tokens:
    path = os.path.join(directory, "vocab.txt")
    try:
        with open(path, encoding="utf-8") as file:
            vocabulary = tuple(line.rstrip("\n") for line in file)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}; a BERT checkpoint folder has one") from error
    settings = _json(directory, "tokenizer_config.json")
    lower_case = settings.get("do_lower_case", True)
    # An older file leaves strip_accents null: accents then go where the case goes.
    strip_accents = settings.get("strip_accents")
    tokens = Tokens(
        vocabulary=vocabulary,
        lower_case=lower_case,
        strip_accents=lower_case if strip_accents is None else strip_accents,
        split_cjk=settings.get("tokenize_chinese_chars", True),
        cls=_special(settings, "cls_token", Tokens.cls),
        sep=_special(settings, "sep_token", Tokens.sep),
        unknown=_special(settings, "unk_token", Tokens.unknown),
        mask=_special(settings, "mask_token", Tokens.mask),
    )
    for piece in (tokens.cls, tokens.sep, tokens.unknown):
        if piece not in vocabulary:
            raise ConfigError(f"{path} has no {piece}; every BERT vocabulary has it")
    return tokens


def _special(settings: dict[str, Any], name: str, default: str) -> str:
    value = settings.get(name, default)
    return value["content"] if isinstance(value, dict) else value


def _pooling(directory: str, pooler: bool) -> tuple[str, bool]:
    modules = _json(directory, "modules.json") or []
    kinds = [str(module.get("type", "")).rsplit(".", 1)[-1] for module in modules]
    extra = [kind for kind in kinds if kind not in ("Transformer", "Pooling", "Normalize")]
    if extra:
        raise ConfigError(f"{directory}/modules.json has a {extra[0]} module after BERT, which cannot be imported")
    settings = _json(directory, os.path.join("1_Pooling", "config.json"))
    modes = [name.removeprefix("pooling_mode_") for name, on in settings.items() if on is True and "_mode_" in name]
    known = {"mean_tokens": "mean", "cls_token": "cls"}
    if modes and (len(modes) > 1 or modes[0] not in known):
        raise ConfigError(
            f"{directory}/1_Pooling/config.json asks for {' and '.join(modes)}; only mean_tokens or cls_token is known"
        )
    pooling = known[modes[0]] if modes else ("pooled" if pooler else "cls")
    return pooling, "Normalize" in kinds


def _max_length(directory: str, positions: int) -> int:
    """Most tokens of a text: what the sentence encoder was made for, else 128, never more than there are positions."""
    asked = _json(directory, "sentence_bert_config.json").get("max_seq_length") or DEFAULT_MAX_LENGTH
    return min(int(asked), positions)
