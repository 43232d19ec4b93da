"""Pictures of many formats -> small JPEG or PNG that TensorFlow decodes."""

from __future__ import annotations

import io
import warnings

from PIL import Image, ImageOps, UnidentifiedImageError

from tfrec.data.reasons import Refusal

LONGEST_SIDE = 512
"""Pixels; a larger picture is shrunk, since no encoder here looks at more."""
MOST_PIXELS = 64 * 10**6
MOST_BYTES = 64 * 2**20

_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
_ORIENTATION = 0x0112
_JPEG_QUALITY = 92


def normalise_picture(content: bytes) -> bytes:
    """The bytes themselves if they are a plain 8-bit JPEG or PNG of at most 512 pixels a side, else re-encoded.

    Anything larger is shrunk; WebP, GIF, BMP, TIFF, CMYK, palettes, 16 bits and transparency (on white) become RGB; of
    an animation the first frame counts; a camera's orientation mark is applied. JPEG stays JPEG, the rest becomes PNG.

    Raises:
        Refusal: a DataError with the code unreadable_picture, truncated_picture or picture_bomb. The size is judged by
            the header, before anything is decoded.
    """
    if len(content) > MOST_BYTES:
        raise Refusal("picture_bomb", f"{len(content):,} bytes, at most {MOST_BYTES:,} are read")
    try:
        with warnings.catch_warnings():
            # The size is checked below; Pillow's own warning comes at another limit.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            picture = Image.open(io.BytesIO(content), formats=_FORMATS)
    except Image.DecompressionBombError as error:
        raise Refusal("picture_bomb", str(error)) from error
    except UnidentifiedImageError as error:
        raise Refusal("unreadable_picture", "expected JPEG, PNG, WebP, GIF, BMP or TIFF") from error
    except Exception as error:  # Pillow's format readers raise errors of many types on broken headers
        raise Refusal("unreadable_picture", str(error)) from error
    with picture:
        width, height = picture.size
        if width * height > MOST_PIXELS:
            raise Refusal("picture_bomb", f"{width} x {height} pixels, at most {MOST_PIXELS:,} are decoded")
        if width * height == 0:
            raise Refusal("unreadable_picture", f"{width} x {height} pixels")
        if _is_plain(picture, content) and _tensorflow_decodes(content):
            return content
        try:
            return _reencoded(picture)
        except MemoryError:
            raise
        except Exception as error:  # as above: SyntaxError, OSError, ValueError, struct.error and others
            raise Refusal("truncated_picture", str(error)) from error


def _is_plain(picture: Image.Image, content: bytes) -> bool:
    if max(picture.size) > LONGEST_SIDE or getattr(picture, "is_animated", False):
        return False
    if picture.format == "JPEG":
        return picture.mode in ("RGB", "L") and picture.getexif().get(_ORIENTATION, 1) == 1
    if picture.format == "PNG":
        bits_per_channel = content[24]
        return picture.mode in ("RGB", "L") and bits_per_channel == 8 and "transparency" not in picture.info
    return False


def _tensorflow_decodes(content: bytes) -> bool:
    import tensorflow as tf

    try:
        tf.io.decode_image(content, channels=3, expand_animations=False)
    except tf.errors.InvalidArgumentError:
        return False
    return True


def _reencoded(picture: Image.Image) -> bytes:
    is_jpeg = picture.format in ("JPEG", "MPO")
    if is_jpeg:
        picture.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))
    picture.load()
    picture = _rgb(ImageOps.exif_transpose(picture))
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    if is_jpeg:
        picture.save(file, "JPEG", quality=_JPEG_QUALITY)
    else:
        picture.save(file, "PNG")
    return file.getvalue()


def _rgb(picture: Image.Image) -> Image.Image:
    """8-bit RGB; transparent parts become white, 16 and 32 bits are scaled down rather than clipped."""
    if picture.mode.startswith(("I", "F")):
        picture = _eight_bits(picture)
    if picture.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture)
    return picture.convert("RGB")


def _eight_bits(picture: Image.Image) -> Image.Image:
    import numpy as np

    values = np.asarray(picture).astype(np.float64)
    if picture.mode.startswith("I"):
        values = values / 257
    else:
        low, high = float(np.nanmin(values)), float(np.nanmax(values))
        values = (values - low) / max(high - low, 1e-12) * 255
    return Image.fromarray(np.clip(np.nan_to_num(values), 0, 255).round().astype(np.uint8), "L")
