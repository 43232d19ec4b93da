"""Pictures to vectors: a small CNN of its own, or one of keras.applications."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from tfrec.encoders.applications import application_names, load_application
from tfrec.encoders.augmentation import augmented_pictures, random_seed
from tfrec.encoders.base import Encoder
from tfrec.encoders.cnn import check_train, load_weights, small_cnn, train_layers
from tfrec.encoders.fingerprint import weights_fingerprint
from tfrec.errors import ConfigError
from tfrec.settings import fill

SMALL_CNN = "small-cnn"
_WIDTHS = (32, 64, 128)
_SMALL_SIZE, _APPLICATION_SIZE, _DIMENSION = 48, 224, 64
# Part of the fingerprint: raise it when `prepare` gives other pixels than before.
_PREPARATION = 1


@dataclasses.dataclass(frozen=True)
class ImageSettings:
    """Settings of an image encoder.

    Attributes:
        kind: small-cnn, or the name of a CNN of keras.applications such as MobileNetV2.
        size: side of the prepared pictures in pixels; 0 for 48 (small-cnn) or 224 (keras.applications).
        weights: "" for random ones, imagenet (a download), or the path of an .h5 or .keras file.
        train: all, none, or how many of the top layers; "" for none where `weights` are given, else all.
        augment: whether pictures are flipped, cropped and recoloured at random in training.
        dimension: width of the vectors, 0 for 64. A frozen network of keras.applications keeps its own width, because
            nothing would teach a layer above it.
    """

    kind: str = SMALL_CNN
    size: int = 0
    weights: str = ""
    train: str | int = ""
    augment: bool = True
    dimension: int = 0


class ImageEncoder(Encoder):
    """A CNN over pictures of one size.

    `network` is the Keras model behind it; its `save_weights` writes a file that `weights` reads back.
    """

    def __init__(self, settings: Mapping[str, Any], name: str = "image") -> None:
        """Build the network of `settings` (see `ImageSettings`).

        Raises:
            ConfigError: if a setting is unknown or wrong, or the weights cannot be had.
        """
        super().__init__(name=name, autocast=False)
        where = f"encoder of {name!r}"
        chosen = fill(ImageSettings, settings, where)
        if chosen.kind != SMALL_CNN and chosen.kind not in application_names():
            known = ", ".join([SMALL_CNN, *application_names()])
            raise ConfigError(f"{where}: unknown kind {chosen.kind!r}; the kinds are {known}")
        for key in ("size", "dimension"):
            if getattr(chosen, key) < 0:
                raise ConfigError(f"{where}.{key} is {getattr(chosen, key)}; it must be at least 0")
        train = check_train(("none" if chosen.weights else "all") if chosen.train == "" else chosen.train, where)
        if train == "none" and not chosen.weights:
            raise ConfigError(f"{where}: train is none but there are no weights; give `weights` or train all")
        self.frozen = train == "none"
        self._settings = chosen
        if chosen.kind == SMALL_CNN:
            self._build_small_cnn(chosen, where)
        else:
            self._build_application(chosen, where)
        train_layers(self.network, train)
        self.size = self.network.input_shape[1]
        # Decoded in place of an absent picture, so that a batch needs no branch.
        self._blank = tf.io.encode_png(tf.zeros([1, 1, 3], tf.uint8)).numpy()
        self.content_spec = tf.TensorSpec([self.size, self.size, 3], tf.uint8)

    def _build_small_cnn(self, chosen: ImageSettings, where: str) -> None:
        if chosen.weights == "imagenet":
            raise ConfigError(f"{where}: small-cnn has no imagenet weights; name a CNN of keras.applications as kind")
        size, self.dimension = chosen.size or _SMALL_SIZE, chosen.dimension or _DIMENSION
        self.network = small_cnn((size, size, 3), _WIDTHS, self.dimension)
        self.projection = None
        self._preprocess = lambda pictures: pictures / 127.5 - 1
        self._normalise_by_batch = False
        if chosen.weights:
            load_weights(self.network, chosen.weights, where)

    def _build_application(self, chosen: ImageSettings, where: str) -> None:
        self.network, self._preprocess = load_application(
            chosen.kind, chosen.size or _APPLICATION_SIZE, chosen.weights, where
        )
        # Pretrained batch normalisation keeps the statistics it was trained with; only a new network learns its own.
        self._normalise_by_batch = not chosen.weights
        width = self.network.output_shape[-1]
        if self.frozen:
            if chosen.dimension not in (0, width):
                raise ConfigError(
                    f"{where}: dimension is {chosen.dimension}, but the frozen {chosen.kind} gives {width} numbers; "
                    "leave it out, or train some of the top layers"
                )
            self.dimension, self.projection = width, None
        else:
            self.dimension = chosen.dimension or _DIMENSION
            projection = tf.keras.layers.Dense(self.dimension)
            projection.build([None, width])
            self.projection = projection

    def prepare(self, raw: tf.Tensor) -> tf.Tensor:
        """Decode JPEG, PNG, GIF or BMP bytes [B] to uint8 [B, size, size, 3]; "" gives zeros.

        A picture keeps its proportions and is padded with black to a square: a crop could cut away what a customer
        looks for (the head of a portrait, the title of a poster), and stretching would hide the proportions.

        Raises:
            tf.errors.InvalidArgumentError: if bytes are no such picture.
        """
        raw = tf.where(tf.equal(raw, ""), self._blank, raw)
        prepared = tf.map_fn(self._decode, raw, fn_output_signature=self.content_spec)
        return tf.ensure_shape(prepared, [None, self.size, self.size, 3])

    def _decode(self, raw: tf.Tensor) -> tf.Tensor:
        picture = tf.io.decode_image(raw, channels=3, expand_animations=False)
        shape = tf.shape(picture)[:2]
        longer = tf.cast(tf.reduce_max(shape), tf.float32)
        scaled = tf.cast(tf.round(tf.cast(shape, tf.float32) * (self.size / longer)), tf.int32)
        picture = tf.image.resize(picture, tf.clip_by_value(scaled, 1, self.size), antialias=True)
        picture = tf.image.resize_with_crop_or_pad(picture, self.size, self.size)
        return tf.saturate_cast(tf.round(picture), tf.uint8)

    def call(self, content: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Encode uint8 [B, size, size, 3] to float32 [B, dimension]."""
        pictures = tf.cast(content, tf.float32)
        if training and self._settings.augment and not self.frozen:
            pictures = augmented_pictures(pictures, random_seed())
        vectors = self.network(self._preprocess(pictures), training=training and self._normalise_by_batch)
        if self.projection is not None:
            vectors = self.projection(vectors)
        return tf.cast(vectors, tf.float32)

    def fingerprint(self) -> str:
        """A hash of the preparation, the kind, the size and the weights."""
        settings = {"image": _PREPARATION, "kind": self._settings.kind, "size": self.size}
        return weights_fingerprint(settings, self.weights)
