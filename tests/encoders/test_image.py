import io
import pathlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import tfrec  # noqa: F401
from tfrec.encoders.augmentation import augmented_pictures
from tfrec.encoders.image import ImageEncoder
from tfrec.errors import ConfigError

import tensorflow as tf  # isort: skip

ORANGE = (240, 140, 20)


def picture_bytes(width: int, height: int, colour=ORANGE, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(file, kind)
    return file.getvalue()


def shape_picture(colour, circle: bool, random: np.random.Generator) -> np.ndarray:
    """uint8 [48, 48, 3]: a filled circle or square of one colour somewhere on a dark ground."""
    y, x = np.mgrid[:48, :48]
    middle, radius = random.uniform(16, 32, 2), random.uniform(8, 14)
    inside = (
        np.hypot(y - middle[0], x - middle[1]) < radius
        if circle
        else (np.abs(y - middle[0]) < radius * 0.88) & (np.abs(x - middle[1]) < radius * 0.88)
    )
    picture = random.integers(0, 60, (48, 48, 3))
    picture[inside] = np.clip(np.array(colour) + random.integers(-20, 20, 3), 0, 255)
    return picture.astype(np.uint8)


def test_jpeg_and_png_of_any_shape_become_square_pictures_padded_with_black():
    prepared = ImageEncoder({"size": 32}).prepare(
        tf.constant([picture_bytes(64, 32), picture_bytes(100, 300, kind="JPEG")])
    )
    assert prepared.dtype == tf.uint8 and prepared.shape == (2, 32, 32, 3)
    wide, tall = prepared.numpy()
    assert (wide[:8] == 0).all() and (wide[24:] == 0).all() and (wide[8:24] == ORANGE).all()
    assert (tall[:, :10] == 0).all() and (tall[:, 22:] == 0).all()
    assert np.abs(tall[:, 12:20].astype(int) - ORANGE).max() < 8


def test_shrinking_averages_the_pixels_like_pillow():
    random = np.random.default_rng(0)
    original = Image.fromarray(random.integers(0, 256, (96, 96, 3), dtype=np.uint8))
    file = io.BytesIO()
    original.save(file, "PNG")
    prepared = ImageEncoder({"size": 24}).prepare(tf.constant([file.getvalue()]))[0]
    reference = np.asarray(original.resize((24, 24), Image.Resampling.BILINEAR))
    assert np.abs(prepared.numpy().astype(int) - reference).max() <= 1


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 300), st.integers(1, 300), st.sampled_from(["PNG", "JPEG", "GIF"]))
def test_any_proportions_fill_the_longer_side(width, height, kind):
    prepared = ImageEncoder({"size": 16}).prepare(tf.constant([picture_bytes(width, height, (255, 255, 255), kind)]))
    seen = prepared.numpy()[0].max(axis=-1) > 100
    shown = np.array([seen.any(axis=1).sum(), seen.any(axis=0).sum()])
    expected = np.array([height, width]) * 16 / max(width, height)
    assert shown.max() == 16 and shown.min() >= 1 and seen.sum() == shown.prod()
    assert (np.abs(shown - np.maximum(expected, 1)) <= 0.51).all()


def test_absent_pictures_are_zeros_and_an_empty_batch_stays_empty():
    encoder = ImageEncoder({})
    prepared = encoder.prepare(tf.constant([b"", picture_bytes(10, 10), b""]))
    assert not prepared.numpy()[[0, 2]].any() and prepared.numpy()[1].any()
    assert encoder.prepare(tf.zeros([0], tf.string)).shape == (0, 48, 48, 3)


def test_undecodable_bytes_are_an_error_not_a_black_picture():
    with pytest.raises(tf.errors.InvalidArgumentError):
        ImageEncoder({}).prepare(tf.constant([b"no picture"]))


def test_one_vector_in_eager_mode_in_a_dataset_and_in_an_exported_signature(tmp_path):
    encoder = ImageEncoder({"dimension": 8}, name="poster")
    raw = [picture_bytes(30, 50), b"", picture_bytes(60, 20, (10, 200, 90), "JPEG")]
    eager = encoder(encoder.prepare(tf.constant(raw)))
    assert eager.dtype == tf.float32 and eager.shape == (3, 8)
    dataset = tf.data.Dataset.from_tensor_slices(raw).batch(2).map(encoder.prepare)
    assert dataset.element_spec.shape.as_list() == [None, 48, 48, 3]
    np.testing.assert_allclose(np.concatenate([encoder(batch) for batch in dataset]), eager, atol=1e-5)

    module = tf.Module()
    module.encoder = encoder
    module.embed = tf.function(
        lambda image: {"embedding": encoder(encoder.prepare(image))},
        input_signature=[tf.TensorSpec([None], tf.string, name="image")],
    )
    tf.saved_model.save(module, str(tmp_path), signatures={"embed": module.embed})
    served = tf.saved_model.load(str(tmp_path)).signatures["embed"]
    np.testing.assert_allclose(served(image=tf.constant(raw))["embedding"], eager, atol=1e-5)


def test_absent_pictures_in_a_batch_do_not_change_the_vectors_of_the_others():
    encoder = ImageEncoder({"augment": False})
    picture = tf.fill([1, 48, 48, 3], tf.constant(200, tf.uint8))
    alone = encoder(picture, training=True)
    among_absent = encoder(tf.concat([picture, tf.zeros([31, 48, 48, 3], tf.uint8)], axis=0), training=True)
    np.testing.assert_allclose(among_absent[:1], alone, atol=1e-5)


def test_augmentation_changes_pictures_only_in_training_and_can_be_switched_off():
    picture = tf.constant(shape_picture(ORANGE, True, np.random.default_rng(1)))[None]
    encoder, plain = ImageEncoder({}), ImageEncoder({"augment": False})
    np.testing.assert_array_equal(encoder(picture), encoder(picture))
    assert np.abs(encoder(picture, training=True) - encoder(picture)).max() > 1e-3
    np.testing.assert_array_equal(plain(picture, training=True), plain(picture))


def test_augmentation_is_decided_by_its_seed_and_keeps_what_a_picture_shows():
    pictures = tf.constant(np.stack([shape_picture(ORANGE, True, np.random.default_rng(i)) for i in range(8)]))
    pictures = tf.cast(pictures, tf.float32)
    changed = augmented_pictures(pictures, tf.constant([3, 4]))
    np.testing.assert_array_equal(changed, augmented_pictures(pictures, tf.constant([3, 4])))
    assert np.abs(changed - augmented_pictures(pictures, tf.constant([3, 5]))).max() > 10
    red, green, blue = np.moveaxis(changed.numpy(), -1, 0)
    orange = (red > 1.3 * green) & (green > 1.5 * blue)
    assert (orange.sum(axis=(1, 2)) > 100).all()


def test_half_of_the_pictures_are_mirrored():
    ramp = tf.tile(tf.linspace(0.0, 255.0, 48)[None, None, :, None], [400, 48, 1, 3])
    changed = augmented_pictures(ramp, tf.constant([1, 2])).numpy()
    rises = changed[:, 24, -1, 0] > changed[:, 24, 0, 0]
    assert 0.4 < rises.mean() < 0.6
    middle = changed[:, :, :, 0].mean(axis=1)
    assert (np.abs(np.diff(middle, axis=1)) < 10).all(), "a crop stretches evenly, without a jump"


def test_a_train_step_compiles_under_xla():
    encoder = ImageEncoder({"size": 32})
    pictures = tf.cast(tf.random.uniform([4, 32, 32, 3], maxval=256, dtype=tf.int32, seed=1), tf.uint8)

    @tf.function(jit_compile=True)
    def gradients(content):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(encoder(content, training=True) ** 2)
        return tape.gradient(loss, encoder.trainable_variables)

    assert all(np.isfinite(gradient).all() for gradient in gradients(pictures))


def test_the_small_cnn_stays_below_two_million_multiply_adds():
    layers = ImageEncoder({}).network.layers
    convolutions = [layer for layer in layers if isinstance(layer, tf.keras.layers.Conv2D)]
    work = sum(np.prod(layer.output_shape[1:3]) * np.prod(layer.kernel.shape) for layer in convolutions)
    assert len(convolutions) == 3 and work < 2e6


def test_colours_and_shapes_are_learned_in_seconds():
    random = np.random.default_rng(0)
    labels = random.integers(0, 4, 1024)
    colours = [ORANGE, (40, 90, 230)]
    pictures = np.stack([shape_picture(colours[label // 2], bool(label % 2), random) for label in labels])
    tf.keras.utils.set_random_seed(0)
    encoder, head = ImageEncoder({}), tf.keras.layers.Dense(4)
    head.build([None, encoder.dimension])
    optimizer = tf.keras.optimizers.Adam(1e-3)
    weights = encoder.trainable_variables + head.trainable_variables

    @tf.function
    def step(content, target):
        with tf.GradientTape() as tape:
            logits = head(encoder(content, training=True))
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(target, logits))
        optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights))

    for _ in range(15):
        for start in range(0, 768, 64):
            step(tf.constant(pictures[start : start + 64]), tf.constant(labels[start : start + 64]))
    guesses = np.argmax(head(encoder(tf.constant(pictures[768:]))), axis=1)
    assert (guesses == labels[768:]).mean() > 0.9


def test_weights_saved_from_one_encoder_freeze_another_and_decide_its_fingerprint(tmp_path):
    trained = ImageEncoder({"dimension": 8})
    path = str(tmp_path / "small.weights.h5")
    trained.network.save_weights(path)
    frozen = ImageEncoder({"dimension": 8, "weights": path})
    picture = tf.fill([1, 48, 48, 3], tf.constant(90, tf.uint8))
    np.testing.assert_allclose(frozen(picture), trained(picture), atol=1e-6)
    assert frozen.frozen and not frozen.trainable_variables and not trained.frozen
    assert frozen.fingerprint() == ImageEncoder({"dimension": 8, "weights": path}, name="other").fingerprint()
    frozen.network.layers[-1].bias.assign_add(tf.ones([8]))
    assert frozen.fingerprint() != trained.fingerprint()


@pytest.mark.parametrize("train", ["none", "all"])
def test_a_checkpoint_has_the_weights_of_an_encoder_that_is_trained_and_an_export_those_of_any(tmp_path, train):
    path = str(tmp_path / "small.weights.h5")
    ImageEncoder({"size": 16}).network.save_weights(path)
    encoder = ImageEncoder({"size": 16, "weights": path, "train": train})

    def kernels(prefix):
        return sum(len(shape) == 4 for _, shape in tf.train.list_variables(prefix))

    checkpoint = tf.train.Checkpoint(tower=tf.train.Checkpoint(encoder=encoder)).write(str(tmp_path / "state"))
    assert (kernels(checkpoint) > 0) == (train == "all")
    module = tf.Module()
    module.encoder = encoder
    module.embed = tf.function(
        lambda raw: encoder(encoder.prepare(raw)), input_signature=[tf.TensorSpec([None], tf.string)]
    )
    tf.saved_model.save(module, str(tmp_path / "exported"))
    assert kernels(str(tmp_path / "exported/variables/variables")) > 0


def test_only_the_top_layers_are_trained_when_a_number_is_given():
    encoder = ImageEncoder({"train": 1})
    assert [tuple(weight.shape) for weight in encoder.trainable_variables] == [(256, 64), (64,)]
    assert not encoder.frozen and len(encoder.non_trainable_variables) == 8


def test_a_keras_application_takes_weights_from_a_file_and_keeps_its_width_when_frozen(tmp_path):
    network = tf.keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=(32, 32, 3), pooling="avg")
    path = str(tmp_path / "mobilenet.h5")
    network.save_weights(path)
    encoder = ImageEncoder({"kind": "MobileNetV2", "size": 32, "weights": path})
    assert encoder.frozen and encoder.dimension == 1280
    picture = tf.cast(tf.random.uniform([2, 32, 32, 3], maxval=256, dtype=tf.int32, seed=1), tf.uint8)
    scaled = tf.keras.applications.mobilenet_v2.preprocess_input(tf.cast(picture, tf.float32))
    np.testing.assert_allclose(encoder(picture, training=True), network(scaled), atol=1e-5)

    top = ImageEncoder({"kind": "MobileNetV2", "size": 32, "weights": path, "train": 2, "dimension": 16})
    assert top(picture).shape == (2, 16) and len(top.trainable_variables) == 5


@pytest.mark.slow
def test_a_new_keras_application_trains_under_xla():
    encoder = ImageEncoder({"kind": "MobileNet", "size": 32, "dimension": 8})

    @tf.function(jit_compile=True)
    def gradients(content):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(encoder(content, training=True) ** 2)
        return tape.gradient(loss, encoder.trainable_variables)

    assert all(np.isfinite(gradient).all() for gradient in gradients(tf.ones([2, 32, 32, 3], tf.uint8)))


def test_the_vectors_are_float32_under_mixed_precision():
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        encoder = ImageEncoder({})
        vectors = encoder(tf.ones([2, 48, 48, 3], tf.uint8), training=True)
    finally:
        tf.keras.mixed_precision.set_global_policy("float32")
    assert vectors.dtype == tf.float32 and encoder.trainable_variables[0].dtype == tf.float32


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"kind": "MobileNetV9"}, "unknown kind 'MobileNetV9'; the kinds are small-cnn, ConvNeXtBase"),
        ({"sise": 48}, "unknown key 'sise'; did you mean 'size'"),
        ({"weights": "nowhere.h5"}, "weights file nowhere.h5 does not exist"),
        ({"weights": "imagenet"}, "small-cnn has no imagenet weights"),
        ({"train": "none"}, "train is none but there are no weights"),
        ({"train": "some"}, "must be none, all or how many"),
        ({"train": 0}, "must be none, all or how many"),
        ({"size": -1}, "size is -1"),
        ({"kind": "MobileNetV2", "size": 8}, "MobileNetV2 takes no pictures of size 8"),
    ],
)
def test_a_wrong_setting_is_one_clear_sentence(wrong, message):
    with pytest.raises(ConfigError, match="encoder of 'poster'") as error:
        ImageEncoder(wrong, name="poster")
    assert message in str(error.value) and "\n" not in str(error.value)


def test_weights_of_another_network_are_refused(tmp_path):
    path = tmp_path / "other.h5"
    ImageEncoder({"dimension": 8}).network.save_weights(str(path))
    with pytest.raises(ConfigError, match="does not hold the weights of this network"):
        ImageEncoder({"dimension": 16, "weights": str(path)})
    path.write_bytes(b"not weights")
    with pytest.raises(ConfigError, match="does not hold the weights of this network"):
        ImageEncoder({"weights": str(path)})


def test_a_failed_download_is_one_clear_sentence(tmp_path, monkeypatch):
    module = __import__(tf.keras.applications.MobileNetV2.__module__, fromlist=["_"])
    monkeypatch.setattr(module, "BASE_WEIGHT_PATH", "http://127.0.0.1:9/")
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(
        ConfigError, match=r"could not be downloaded .*give `weights` the path of a local file"
    ) as error:
        ImageEncoder({"kind": "MobileNetV2", "size": 32, "weights": "imagenet"})
    assert "\n" not in str(error.value)
    assert not list(pathlib.Path(tmp_path).rglob("*.h5"))
