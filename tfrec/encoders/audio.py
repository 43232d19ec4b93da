"""Sound to vectors: a log-mel spectrogram and a small CNN, or a TF-Hub audio model."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from tfrec.encoders.audio_hub import embedding_width, files_digest, load_audio_model, pooled_embeddings
from tfrec.encoders.augmentation import augmented_spectrograms, random_seed
from tfrec.encoders.base import Encoder
from tfrec.encoders.cnn import check_train, load_weights, train_layers
from tfrec.encoders.fingerprint import weights_fingerprint
from tfrec.encoders.spectrogram_cnn import spectrogram_cnn
from tfrec.errors import ConfigError
from tfrec.settings import fill

LOGMEL_CNN, HUB = "logmel-cnn", "hub"
SAMPLE_RATE = 16000
WINDOW, HOP = 512, 256
LOWEST, HIGHEST = 50.0, 7600.0
FLOOR = 1e-3
_WIDTHS = (12, 24, 48, 96)
_DIMENSION = 64
# Bring the usual range of the spectrogram, log(FLOOR) to about 3, near -1..1.
_MEAN, _SPREAD = -3.0, 3.0
# Part of the fingerprint: raise it when `prepare` gives other numbers than before.
_PREPARATION = 1


@dataclasses.dataclass(frozen=True)
class AudioSettings:
    """Settings of an audio encoder.

    Attributes:
        kind: logmel-cnn, or hub for an audio model on TensorFlow Hub.
        path, handle: folder or handle of the hub model; only one of them.
        output: which of a hub model's outputs holds the embeddings, where it has several (YAMNet: 1).
        seconds: length a clip is cropped (to its middle) or padded (with silence) to.
        mels: bands of the spectrogram.
        weights: path of an .h5 or .keras file with the weights of logmel-cnn, "" for random ones.
        train: all or none; for logmel-cnn also how many of the top layers. "" for none where the weights are given
            (always so for hub), else all.
        augment: whether loudness changes and parts of the spectrogram are hidden at random in training.
        dimension: width of the vectors, 0 for 64. A frozen hub model keeps its own width, because nothing would teach
            a layer above it.
    """

    kind: str = LOGMEL_CNN
    path: str = ""
    handle: str = ""
    output: int = 1
    seconds: float = 2.0
    mels: int = 64
    weights: str = ""
    train: str | int = ""
    augment: bool = True
    dimension: int = 0


class AudioEncoder(Encoder):
    """An encoder of mono clips at 16 kHz.

    For logmel-cnn, `network` is the Keras model behind it; its `save_weights` writes a file that `weights` reads back.
    """

    def __init__(self, settings: Mapping[str, Any], name: str = "audio") -> None:
        """Build the network of `settings` (see `AudioSettings`).

        Raises:
            ConfigError: if a setting is unknown or wrong, or weights or the hub model cannot be had.
        """
        super().__init__(name=name, autocast=False)
        where = f"encoder of {name!r}"
        chosen = fill(AudioSettings, settings, where)
        if chosen.kind not in (LOGMEL_CNN, HUB):
            raise ConfigError(f"{where}: unknown kind {chosen.kind!r}; the kinds are {LOGMEL_CNN}, {HUB}")
        self.samples = round(chosen.seconds * SAMPLE_RATE)
        if self.samples < WINDOW:
            raise ConfigError(f"{where}.seconds is {chosen.seconds}; it must be at least {WINDOW / SAMPLE_RATE}")
        if chosen.dimension < 0:
            raise ConfigError(f"{where}.dimension is {chosen.dimension}; it must be at least 0")
        self._settings = chosen
        # Decoded in place of an absent clip, so that a batch needs no branch.
        self._silence = tf.audio.encode_wav(tf.zeros([1, 1]), SAMPLE_RATE).numpy()
        if chosen.kind == HUB:
            self._build_hub(chosen, where)
        else:
            self._build_logmel_cnn(chosen, where)

    def _build_logmel_cnn(self, chosen: AudioSettings, where: str) -> None:
        if chosen.path or chosen.handle:
            raise ConfigError(f"{where}: path and handle are for kind hub; logmel-cnn takes `weights`")
        if chosen.mels < 8:
            raise ConfigError(f"{where}.mels is {chosen.mels}; it must be at least 8")
        train = check_train(("none" if chosen.weights else "all") if chosen.train == "" else chosen.train, where)
        if train == "none" and not chosen.weights:
            raise ConfigError(f"{where}: train is none but there are no weights; give `weights` or train all")
        self.frozen = train == "none"
        self.dimension = chosen.dimension or _DIMENSION
        frames = 1 + (self.samples - WINDOW) // HOP
        self._model_digest = ""
        self._mel_matrix = tf.signal.linear_to_mel_weight_matrix(
            chosen.mels, WINDOW // 2 + 1, SAMPLE_RATE, LOWEST, HIGHEST
        ).numpy()
        self.content_spec = tf.TensorSpec([frames, chosen.mels], tf.float32)
        self.network = spectrogram_cnn(frames, chosen.mels, _WIDTHS, self.dimension)
        if chosen.weights:
            load_weights(self.network, chosen.weights, where)
        train_layers(self.network, train)

    def _build_hub(self, chosen: AudioSettings, where: str) -> None:
        if bool(chosen.path) == bool(chosen.handle):
            raise ConfigError(f"{where}: kind hub needs either `path` (a local folder) or `handle` (a TF-Hub address)")
        if chosen.weights:
            raise ConfigError(f"{where}: a hub model brings its own weights; leave `weights` out")
        train = check_train("none" if chosen.train == "" else chosen.train, where)
        if isinstance(train, int):
            raise ConfigError(f"{where}.train is {train}; a hub model is trained as a whole: all or none")
        self.frozen = train == "none"
        self.network = load_audio_model(chosen.path or chosen.handle, trainable=not self.frozen, where=where)
        self._model_digest = files_digest(chosen.path or chosen.handle)
        self.content_spec = tf.TensorSpec([self.samples], tf.float32)
        self._width = width = embedding_width(self.network, self.samples, chosen.output, where)
        self._projection = None
        if self.frozen:
            if chosen.dimension not in (0, width):
                raise ConfigError(
                    f"{where}: dimension is {chosen.dimension}, but the frozen model gives {width} numbers; "
                    "leave it out, or set train to all"
                )
            self.dimension = width
        else:
            self.dimension = chosen.dimension or _DIMENSION
            self._projection = tf.keras.layers.Dense(self.dimension)
            self._projection.build([None, width])

    def prepare(self, raw: tf.Tensor) -> tf.Tensor:
        """Decode 16-bit PCM WAV bytes [B] of 16 kHz; "" gives zeros.

        logmel-cnn: float32 [B, frames, mels], the natural logarithm of mel-weighted magnitudes (HTK mel scale, periodic
        Hann windows of 32 ms every 16 ms). hub: float32 [B, samples], the waveform in -1..1.

        Raises:
            tf.errors.InvalidArgumentError: if bytes are no such WAV or have another sample rate.
        """
        present = tf.not_equal(raw, "")
        raw = tf.where(present, raw, self._silence)
        waveforms = tf.map_fn(self._decode, raw, fn_output_signature=tf.TensorSpec([self.samples], tf.float32))
        waveforms = tf.ensure_shape(waveforms, [None, self.samples])
        if self._settings.kind == HUB:
            return waveforms
        magnitudes = tf.abs(tf.signal.stft(waveforms, WINDOW, HOP))
        spectrograms = tf.math.log(tf.tensordot(magnitudes, self._mel_matrix, 1) + FLOOR)
        return tf.where(present[:, None, None], spectrograms, 0.0)

    def _decode(self, raw: tf.Tensor) -> tf.Tensor:
        channels, rate = tf.audio.decode_wav(raw)
        right_rate = tf.debugging.assert_equal(
            rate, SAMPLE_RATE, message=f"{self.name}: sound must be WAV of {SAMPLE_RATE} Hz; resample it first"
        )
        with tf.control_dependencies([right_rate] if right_rate is not None else []):
            waveform = tf.reduce_mean(channels, axis=1)
        surplus = tf.maximum(tf.shape(waveform)[0] - self.samples, 0)
        waveform = waveform[surplus // 2 : surplus // 2 + self.samples]
        return tf.pad(waveform, [[0, self.samples - tf.shape(waveform)[0]]])

    def call(self, content: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Encode spectrograms [B, frames, mels], or waveforms [B, samples] for hub, to float32 [B, dimension]."""
        if self._settings.kind == HUB:
            vectors = pooled_embeddings(self.network, content, self._settings.output, self._width)
            return vectors if self._projection is None else tf.cast(self._projection(vectors), tf.float32)
        learning = training and not self.frozen
        if learning:
            content = _without_absent(content)
        spectrograms = (content - _MEAN) / _SPREAD
        if learning and self._settings.augment:
            spectrograms = augmented_spectrograms(spectrograms, random_seed())
        return tf.cast(self.network(spectrograms[..., None], training=learning), tf.float32)

    def fingerprint(self) -> str:
        """A hash of the preparation, the settings that matter and the weights."""
        chosen = self._settings
        settings = {
            "audio": _PREPARATION,
            "kind": chosen.kind,
            "model": self._model_digest,
            "output": chosen.output,
            "content": [self.samples, chosen.mels],
        }
        # The network's own order does not depend on what is trained, as that of `self.weights` does.
        weights = self.weights if chosen.kind == HUB else self.network.weights
        return weights_fingerprint(settings, weights)


def _without_absent(content: tf.Tensor) -> tf.Tensor:
    """Spectrograms [B, frames, mels] with absent clips (zeros) replaced by others of the batch in turn.

    Nobody looks at the vector of an absent clip, but batch normalisation must see nothing but sounds.
    """
    absent = tf.cast(tf.reduce_all(tf.equal(content, 0.0), axis=[1, 2]), tf.int32)
    present = tf.size(absent) - tf.reduce_sum(absent)
    turn = tf.cumsum(absent) - 1
    substitutes = tf.gather(tf.argsort(absent, stable=True), tf.maximum(turn, 0) % tf.maximum(present, 1))
    return tf.gather(content, tf.where(absent > 0, substitutes, tf.range(tf.size(absent))))
