import io

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

import tfrec  # noqa: F401
from tfrec.encoders.audio import AudioEncoder
from tfrec.encoders.augmentation import augmented_spectrograms
from tfrec.errors import ConfigError

import tensorflow as tf  # isort: skip

RATE = 16000
ONE_SECOND = {"seconds": 1.0}


def wav_bytes(waveform: np.ndarray, rate: int = RATE) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, waveform, rate, format="WAV", subtype="PCM_16")
    return file.getvalue()


def tone(frequency: float, seconds: float, loudness: float = 0.5) -> np.ndarray:
    return loudness * np.sin(2 * np.pi * frequency * np.arange(round(seconds * RATE)) / RATE)


def reference_log_mel(waveform: np.ndarray, mels: int) -> np.ndarray:
    """Log-mel by numpy alone: [frames, mels]; 512-sample periodic Hann windows every 256, 50 to 7600 Hz."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(512) / 512)
    starts = range(0, len(waveform) - 512 + 1, 256)
    magnitudes = np.abs(np.fft.rfft([waveform[start : start + 512] * window for start in starts]))
    mel_of = lambda hertz: 1127.0 * np.log(1 + np.asarray(hertz) / 700.0)  # noqa: E731
    edges = np.linspace(mel_of(50.0), mel_of(7600.0), mels + 2)
    bins = mel_of(np.arange(257) * RATE / 512)
    rising = (bins[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins[:, None]) / (edges[2:] - edges[1:-1])
    triangles = np.maximum(np.minimum(rising, falling), 0.0)
    triangles[0] = 0.0
    return np.log(magnitudes @ triangles + 1e-3)


def write_hub_model(path, trainable: bool = True, last_weight: float = 3.0) -> str:
    """A model with YAMNet's interface: waveform [samples] -> (scores, embeddings [frames, 3], spectrogram)."""
    kernel = tf.Variable([[1.0, 2.0, last_weight]])
    # Like YAMNet's, a model that cannot be trained does not list its variables.
    model = tf.train.Checkpoint(kernel=kernel)
    if trainable:
        model.variables, model.trainable_variables = [kernel], [kernel]

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
    def embed(waveform):
        frames = tf.signal.frame(waveform, 4000, 4000)
        loudness = tf.reduce_mean(tf.abs(frames), axis=1, keepdims=True)
        return loudness, loudness @ kernel, frames

    model.__call__ = embed
    tf.saved_model.save(model, str(path))
    return str(path)


def test_the_spectrogram_equals_an_independent_one():
    waveform = tone(440, 1.0) + np.random.default_rng(0).normal(0, 0.05, RATE)
    encoder = AudioEncoder(ONE_SECOND)
    prepared = encoder.prepare(tf.constant([wav_bytes(waveform)]))
    stored, _ = soundfile.read(io.BytesIO(wav_bytes(waveform)))
    assert prepared.dtype == tf.float32 and prepared.shape[1:] == encoder.content_spec.shape == (61, 64)
    np.testing.assert_allclose(prepared[0], reference_log_mel(stored, 64), atol=2e-3)


def test_a_higher_tone_lies_in_a_higher_band():
    prepared = AudioEncoder(ONE_SECOND).prepare(tf.constant([wav_bytes(tone(hz, 1.0)) for hz in (200, 800, 3200)]))
    loudest = prepared.numpy().mean(axis=1).argmax(axis=1)
    assert (np.diff(loudest) > 5).all()


def test_a_long_clip_is_cropped_to_its_middle_and_a_short_one_padded_with_silence():
    encoder = AudioEncoder(ONE_SECOND)
    middle = tone(440, 1.0)
    long = np.concatenate([np.zeros(RATE), middle, np.zeros(RATE)])
    cropped, exact, short = encoder.prepare(
        tf.constant([wav_bytes(long), wav_bytes(middle), wav_bytes(middle[: RATE // 2])])
    ).numpy()
    np.testing.assert_allclose(cropped, exact, atol=1e-5)
    np.testing.assert_allclose(short[:28], exact[:28], atol=1e-5)
    np.testing.assert_allclose(short[33:], np.log(1e-3), atol=1e-3)


@settings(max_examples=15, deadline=None)
@given(samples=st.integers(0, 40000), channels=st.integers(1, 2))
def test_any_length_gives_the_same_shape_and_finite_numbers(samples, channels):
    waveform = np.random.default_rng(samples).uniform(-1, 1, (samples, channels))
    prepared = AudioEncoder({}).prepare(tf.constant([wav_bytes(waveform)]))
    assert prepared.shape == (1, 124, 64) and np.isfinite(prepared).all()


def test_absent_clips_are_zeros_and_an_empty_batch_stays_empty():
    encoder = AudioEncoder(ONE_SECOND)
    prepared = encoder.prepare(tf.constant([b"", wav_bytes(np.zeros(RATE))])).numpy()
    assert not prepared[0].any() and (prepared[1] < -6).all(), "silence is sound, an absent clip is none"
    assert encoder.prepare(tf.zeros([0], tf.string)).shape == (0, 61, 64)


def test_another_sample_rate_is_refused_rather_than_heard_at_the_wrong_pitch():
    with pytest.raises(tf.errors.InvalidArgumentError, match="must be WAV of 16000 Hz; resample it first"):
        AudioEncoder({}).prepare(tf.constant([wav_bytes(tone(440, 1.0), rate=44100)]))
    graph = tf.function(AudioEncoder({}).prepare, input_signature=[tf.TensorSpec([None], tf.string)])
    with pytest.raises(tf.errors.InvalidArgumentError, match="must be WAV of 16000 Hz"):
        graph(tf.constant([wav_bytes(tone(440, 1.0), rate=8000)]))


def test_one_vector_in_eager_mode_in_a_dataset_and_in_an_exported_signature(tmp_path):
    encoder = AudioEncoder({**ONE_SECOND, "dimension": 8}, name="clip")
    raw = [wav_bytes(tone(300, 0.4)), b"", wav_bytes(tone(900, 1.5))]
    eager = encoder(encoder.prepare(tf.constant(raw)))
    assert eager.dtype == tf.float32 and eager.shape == (3, 8)
    dataset = tf.data.Dataset.from_tensor_slices(raw).batch(2).map(encoder.prepare)
    assert dataset.element_spec.shape.as_list() == [None, 61, 64]
    np.testing.assert_allclose(np.concatenate([encoder(batch) for batch in dataset]), eager, atol=1e-4)
    np.testing.assert_allclose(served_vectors(encoder, raw, tmp_path), eager, atol=1e-4)


def served_vectors(encoder: AudioEncoder, raw: list[bytes], path) -> np.ndarray:
    module = tf.Module()
    module.encoder = encoder
    module.embed = tf.function(
        lambda audio: {"embedding": encoder(encoder.prepare(audio))},
        input_signature=[tf.TensorSpec([None], tf.string, name="audio")],
    )
    tf.saved_model.save(module, str(path), signatures={"embed": module.embed})
    return tf.saved_model.load(str(path)).signatures["embed"](audio=tf.constant(raw))["embedding"].numpy()


def test_augmentation_changes_sound_only_in_training_and_can_be_switched_off():
    content = AudioEncoder(ONE_SECOND).prepare(tf.constant([wav_bytes(tone(440, 1.0))]))
    encoder, plain = AudioEncoder(ONE_SECOND), AudioEncoder({**ONE_SECOND, "augment": False})
    np.testing.assert_array_equal(encoder(content), encoder(content))
    assert np.abs(encoder(content, training=True) - encoder(content)).max() > 1e-3
    np.testing.assert_array_equal(plain(content, training=True), plain(content, training=True))


def test_absent_clips_in_a_batch_do_not_change_what_is_learned_of_the_others():
    sounds = [wav_bytes(tone(440, 1.0)), wav_bytes(tone(900, 0.5))]
    alone, beside_absent = (
        AudioEncoder({**ONE_SECOND, "augment": False}),
        AudioEncoder({**ONE_SECOND, "augment": False}),
    )
    beside_absent.set_weights(alone.get_weights())
    alone(alone.prepare(tf.constant(sounds)), training=True)
    beside_absent(alone.prepare(tf.constant([b"", sounds[0], b"", sounds[1]])), training=True)
    for mine, theirs in zip(alone.get_weights(), beside_absent.get_weights()):
        np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=1e-5)
    nothing = alone(tf.zeros([2, 61, 64]), training=True)
    assert np.isfinite(nothing).all(), "a batch without a single clip"


def test_augmentation_hides_one_stretch_of_time_and_one_band_of_frequency():
    spectrograms = tf.ones([64, 50, 40])
    changed = augmented_spectrograms(spectrograms, tf.constant([1, 2])).numpy()
    np.testing.assert_array_equal(changed, augmented_spectrograms(spectrograms, tf.constant([1, 2])))
    for hidden in changed == 0:
        times, bands = hidden.all(axis=1), hidden.all(axis=0)
        np.testing.assert_array_equal(hidden, times[:, None] | bands[None, :])
        for span, longest in ((times, 10), (bands, 8)):
            assert span.sum() <= longest and (np.diff(np.flatnonzero(span)) == 1).all()
    gains = changed.max(axis=(1, 2))
    assert gains.min() < 0.6 and gains.max() > 1.4


def test_a_train_step_compiles_under_xla():
    encoder = AudioEncoder(ONE_SECOND)

    @tf.function(jit_compile=True)
    def gradients(content):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(encoder(content, training=True) ** 2)
        return tape.gradient(loss, encoder.trainable_variables)

    assert all(np.isfinite(gradient).all() for gradient in gradients(tf.random.normal([4, 61, 64], seed=1)))


def note(high: bool, fast: bool, bright: bool, random: np.random.Generator) -> np.ndarray:
    """One second of plucked notes: pitch, rhythm and timbre each take one of two values, with some spread."""
    seconds = np.arange(RATE) / RATE
    frequency = random.uniform(500, 700) if high else random.uniform(300, 420)
    rate = random.uniform(8, 11) if fast else random.uniform(4, 6)
    wave = sum(np.sin(2 * np.pi * frequency * k * seconds) / k ** (0.6 if bright else 1.8) for k in range(1, 7))
    pluck = np.exp(-6 * ((seconds * rate + random.uniform()) % 1))
    return random.uniform(0.1, 0.3) * wave * pluck + random.normal(0, 0.01, RATE)


def test_pitch_rhythm_and_timbre_are_learned_in_seconds():
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, (384, 3))
    clips = [wav_bytes(np.clip(note(*label, random), -1, 1)) for label in labels]
    tf.keras.utils.set_random_seed(0)
    encoder, head = AudioEncoder({**ONE_SECOND, "mels": 32}), tf.keras.layers.Dense(3)
    content = tf.function(encoder.prepare)(tf.constant(clips))
    targets = tf.constant(labels, tf.float32)
    head.build([None, encoder.dimension])
    optimizer = tf.keras.optimizers.Adam(2e-3)
    weights = encoder.trainable_variables + head.trainable_variables

    @tf.function
    def step(content, target):
        with tf.GradientTape() as tape:
            logits = head(encoder(content, training=True))
            loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(target, logits))
        optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights))

    for _ in range(12):
        for start in range(0, 256, 32):
            step(content[start : start + 32], targets[start : start + 32])
    right = (head(encoder(content[256:])).numpy() > 0) == labels[256:]
    assert (right.mean(axis=0) > 0.85).all()


def test_weights_saved_from_one_encoder_freeze_another(tmp_path):
    trained = AudioEncoder({**ONE_SECOND, "dimension": 8})
    path = str(tmp_path / "clip.weights.h5")
    trained.network.save_weights(path)
    frozen = AudioEncoder({**ONE_SECOND, "dimension": 8, "weights": path})
    content = tf.random.normal([2, 61, 64], seed=1)
    np.testing.assert_allclose(frozen(content, training=True), trained(content), atol=1e-6)
    assert frozen.frozen and not frozen.trainable_variables
    assert frozen.fingerprint() == trained.fingerprint() != AudioEncoder(ONE_SECOND).fingerprint()


def test_a_hub_model_is_pooled_over_time_and_keeps_its_width_when_frozen(tmp_path):
    encoder = AudioEncoder({"kind": "hub", "path": write_hub_model(tmp_path / "hub"), **ONE_SECOND})
    content = encoder.prepare(tf.constant([wav_bytes(np.full(RATE, 0.25)), b""]))
    assert content.shape == (2, RATE) and encoder.frozen and encoder.dimension == 3
    np.testing.assert_allclose(encoder(content), [[0.25, 0.5, 0.75], [0, 0, 0]], atol=1e-4)


def test_a_frozen_hub_model_is_exported_with_the_signature(tmp_path):
    encoder = AudioEncoder({"kind": "hub", "path": write_hub_model(tmp_path / "hub"), **ONE_SECOND})
    served = served_vectors(encoder, [wav_bytes(np.full(RATE, 0.5))], tmp_path / "servable")
    np.testing.assert_allclose(served, [[0.5, 1.0, 1.5]], atol=1e-4)


def test_a_hub_model_can_be_trained_through(tmp_path):
    path = write_hub_model(tmp_path / "hub")
    encoder = AudioEncoder({"kind": "hub", "path": path, "train": "all", "dimension": 5, **ONE_SECOND})

    @tf.function
    def gradients(content):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(encoder(content, training=True) ** 2)
        return tape.gradient(loss, encoder.trainable_variables)

    content = tf.random.normal([2, RATE], seed=1)
    assert encoder(content).shape == (2, 5) and not encoder.frozen
    assert len(encoder.trainable_variables) == 3
    assert all(np.abs(gradient).max() > 0 for gradient in gradients(content))


def test_the_fingerprint_of_a_hub_model_follows_its_weights_not_its_folder(tmp_path):
    def fingerprint(name):
        return AudioEncoder({"kind": "hub", "path": str(tmp_path / name)}).fingerprint()

    write_hub_model(tmp_path / "hub", trainable=False)
    before = fingerprint("hub")
    (tmp_path / "hub").rename(tmp_path / "moved")
    assert fingerprint("moved") == before
    write_hub_model(tmp_path / "other", trainable=False, last_weight=4.0)
    assert fingerprint("other") != before


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"kind": "wavenet"}, "unknown kind 'wavenet'; the kinds are logmel-cnn, hub"),
        ({"second": 3.0}, "unknown key 'second'; did you mean 'seconds'"),
        ({"seconds": 0.0}, "seconds is 0.0; it must be at least 0.032"),
        ({"mels": 2}, "mels is 2"),
        ({"dimension": -3}, "dimension is -3"),
        ({"weights": "nowhere.h5"}, "weights file nowhere.h5 does not exist"),
        ({"train": "none"}, "train is none but there are no weights"),
        ({"path": "yamnet"}, "path and handle are for kind hub"),
        ({"kind": "hub"}, "needs either `path`"),
        ({"kind": "hub", "path": "nowhere"}, "there is no folder nowhere"),
        ({"kind": "hub", "handle": "http://127.0.0.1:9/yamnet"}, "could not be loaded"),
        ({"kind": "hub", "path": "x", "train": 2}, "trained as a whole: all or none"),
    ],
)
def test_a_wrong_setting_is_one_clear_sentence(wrong, message):
    with pytest.raises(ConfigError, match="encoder of 'clip'") as error:
        AudioEncoder(wrong, name="clip")
    assert message in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"output": 3}, "output is 3, but the model has 3 outputs"),
        ({"dimension": 9}, "dimension is 9, but the frozen model gives 3 numbers"),
        ({"train": "all"}, "has no trainable weights"),
    ],
)
def test_a_hub_model_that_does_not_fit_is_one_clear_sentence(tmp_path, wrong, message):
    path = write_hub_model(tmp_path / "hub", trainable=False)
    with pytest.raises(ConfigError, match=message):
        AudioEncoder({"kind": "hub", "path": path, **wrong})


def test_a_folder_that_is_no_model_is_one_clear_sentence(tmp_path):
    with pytest.raises(ConfigError, match="could not be loaded") as error:
        AudioEncoder({"kind": "hub", "path": str(tmp_path)})
    assert "\n" not in str(error.value)
