import io
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tfrec.data.pictures import LONGEST_SIDE, normalise_picture
from tfrec.data.reasons import Refusal
from tfrec.errors import DataError


def drawn(width=40, height=30, mode="RGB"):
    """A gradient from red on the left to blue on the right."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, :, 2] = np.linspace(0, 255, width)
    pixels[:, :, 0] = 255 - pixels[:, :, 2]
    return Image.fromarray(pixels).convert(mode)


def saved(picture, kind, **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def decoded(content):
    return tf.io.decode_image(content, channels=3, expand_animations=False).numpy()


def code_of(content):
    with pytest.raises(DataError) as caught:
        normalise_picture(content)
    assert isinstance(caught.value, Refusal)
    return caught.value.code


@pytest.mark.parametrize(
    "content",
    [
        saved(drawn(), "JPEG"),
        saved(drawn(), "JPEG", progressive=True),
        saved(drawn(mode="L"), "JPEG"),
        saved(drawn(), "PNG"),
        saved(drawn(mode="L"), "PNG"),
    ],
    ids=["baseline", "progressive", "grey jpeg", "png", "grey png"],
)
def test_a_plain_picture_keeps_its_bytes(content):
    assert normalise_picture(content) is content


@pytest.mark.parametrize(
    "content",
    [
        saved(drawn(), "WEBP", lossless=True),
        saved(drawn(), "BMP"),
        saved(drawn(), "TIFF"),
        saved(drawn(mode="P"), "PNG"),
        saved(drawn(mode="P"), "GIF"),
        saved(drawn(), "GIF", save_all=True, append_images=[drawn().rotate(180)]),
        saved(drawn(), "PNG", save_all=True, append_images=[drawn().rotate(180)]),
        saved(drawn(), "WEBP", save_all=True, lossless=True, append_images=[drawn().rotate(180)]),
        saved(drawn(mode="CMYK"), "JPEG", quality=95),
    ],
    ids=["webp", "bmp", "tiff", "palette", "gif", "animated gif", "animated png", "animated webp", "cmyk"],
)
def test_other_kinds_become_pictures_that_tensorflow_decodes_alike(content):
    pixels = decoded(normalise_picture(content))
    assert pixels.shape == (30, 40, 3)
    assert np.abs(pixels.astype(int) - np.asarray(drawn())).mean() < 12


def test_sixteen_bits_are_scaled_down():
    deep = Image.fromarray(np.linspace(0, 65535, 40 * 30).astype(np.uint16).reshape(30, 40))
    pixels = decoded(normalise_picture(saved(deep, "PNG")))
    assert pixels[0, 0, 0] == 0 and pixels[-1, -1, 0] == 255
    assert 120 < np.median(pixels) < 135


def test_transparency_becomes_white():
    clear = drawn(mode="RGBA")
    clear.putalpha(0)
    assert (decoded(normalise_picture(saved(clear, "PNG"))) == 255).all()


def test_a_large_picture_is_shrunk_and_a_jpeg_stays_jpeg():
    content = normalise_picture(saved(drawn(1500, 700), "JPEG"))
    assert content[:2] == b"\xff\xd8"
    assert decoded(content).shape == (239, LONGEST_SIDE, 3)


def test_a_very_long_picture_keeps_at_least_a_pixel():
    assert decoded(normalise_picture(saved(drawn(3000, 2), "PNG"))).shape == (1, LONGEST_SIDE, 3)


def test_the_orientation_mark_of_a_camera_is_applied():
    exif = Image.Exif()
    exif[0x0112] = 6
    assert decoded(normalise_picture(saved(drawn(), "JPEG", exif=exif))).shape == (40, 30, 3)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_truncated_picture_is_refused(kind, share):
    noise = Image.fromarray(np.random.RandomState(0).randint(0, 256, (60, 60, 3), np.uint8))
    content = saved(noise, kind)
    assert code_of(content[: int(len(content) * share)]) in ("truncated_picture", "unreadable_picture")


@pytest.mark.parametrize(
    "content", [b"", b"no picture", b"<svg/>", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"GIF89a"]
)
def test_what_is_no_picture_is_refused(content):
    assert code_of(content) == "unreadable_picture"


def test_a_decompression_bomb_is_refused_by_its_header():
    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    def bomb(width, height):
        header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 10_000)) + chunk(b"IEND", b"")

    assert code_of(bomb(9_000, 8_000)) == "picture_bomb"
    assert code_of(bomb(10_000, 10_000)) == "picture_bomb"
    assert code_of(bomb(60_000, 60_000)) == "picture_bomb"


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_a_damaged_picture_is_refused_or_becomes_one_that_tensorflow_decodes(data):
    content = bytearray(
        data.draw(st.sampled_from([saved(drawn(), kind) for kind in ("JPEG", "PNG", "WEBP", "GIF", "BMP")]))
    )
    for place, value in data.draw(
        st.lists(st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255)), max_size=9)
    ):
        content[place] = value
    try:
        stored = normalise_picture(bytes(content))
    except Refusal:
        return
    assert max(decoded(stored).shape) <= LONGEST_SIDE
