"""Draws the covers: a palette and a motif, everything else (sizes, angles, places, grain) left to chance."""

from __future__ import annotations

import colorsys
import io

import numpy as np
from PIL import Image, ImageDraw

SIDE = 80
_SCALE = 2  # drawn larger and shrunk, which smooths the edges

# Hues in degrees that the ink is drawn from, with ranges of saturation and lightness; two paper lightnesses.
_PALETTES: dict[str, tuple[tuple[int, ...], tuple[float, float], tuple[float, float], float]] = {
    "ember": ((2, 18, 32, 44), (0.75, 0.95), (0.45, 0.62), 0.16),
    "arctic": ((190, 202, 214, 226), (0.45, 0.75), (0.45, 0.75), 0.90),
    "lime": ((76, 92, 118, 140), (0.50, 0.80), (0.30, 0.55), 0.84),
    "candy": ((305, 325, 345, 170), (0.65, 0.95), (0.60, 0.75), 0.92),
    "ink": ((0, 30, 210, 240), (0.0, 0.06), (0.10, 0.60), 0.88),
    "dusk": ((250, 265, 285, 38), (0.45, 0.75), (0.40, 0.65), 0.14),
}


def draw_cover(palette: str, motif: str, rng: np.random.Generator) -> Image.Image:
    """An RGB picture of SIDE x SIDE pixels."""
    hues, saturation, lightness, paper = _PALETTES[palette]
    inks = [
        _colour(hue + rng.uniform(-6, 6), rng.uniform(*saturation), rng.uniform(*lightness))
        for hue in rng.permutation(hues)
    ]
    side = SIDE * _SCALE
    tint = np.array(_colour(hues[0], saturation[0] * 0.5, np.clip(paper + rng.uniform(-0.05, 0.05), 0.05, 0.95)))
    slope = np.linspace(0.9, 1.08, side)[:, None, None]
    canvas = Image.fromarray(np.clip(np.broadcast_to(tint * slope, (side, side, 3)), 0, 255).astype(np.uint8))
    _MOTIFS[motif](ImageDraw.Draw(canvas), side, inks, rng)
    small = np.asarray(canvas.resize((SIDE, SIDE), Image.Resampling.LANCZOS), dtype=np.float32)
    grain = rng.normal(scale=5.0, size=(SIDE, SIDE, 1))
    return Image.fromarray(np.clip(small * rng.uniform(0.92, 1.06) + grain, 0, 255).astype(np.uint8))


def encoded_picture(picture: Image.Image, kind: str) -> bytes:
    """The picture as a file of one kind: png, jpg or webp."""
    buffer = io.BytesIO()
    if kind == "png":
        picture.save(buffer, "PNG")
    elif kind == "jpg":
        picture.save(buffer, "JPEG", quality=90)
    else:
        picture.save(buffer, "WEBP", quality=90)
    return buffer.getvalue()


def _colour(hue: float, saturation: float, lightness: float) -> tuple[int, int, int]:
    red, green, blue = colorsys.hls_to_rgb((hue % 360) / 360, float(lightness), float(saturation))
    return round(red * 255), round(green * 255), round(blue * 255)


def _rings(draw: ImageDraw.ImageDraw, side: int, inks: list, rng: np.random.Generator) -> None:
    x, y = rng.uniform(0.3, 0.7, size=2) * side
    count = int(rng.integers(4, 7))
    for ring in range(count, 0, -1):
        radius = ring / count * rng.uniform(0.42, 0.5) * side
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), outline=inks[ring % 4], width=side // 18)


def _stripes(draw: ImageDraw.ImageDraw, side: int, inks: list, rng: np.random.Generator) -> None:
    angle = rng.uniform(0.15, 0.85) * np.pi / 2 * rng.choice([-1, 1])
    along, across = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    gap = side / rng.uniform(5, 8)
    for number in range(-8, 9):
        middle = side / 2 + across * number * gap
        start, end = middle - along * side, middle + along * side
        draw.line((*start, *end), fill=inks[number % 4], width=round(gap * 0.5))


def _peaks(draw: ImageDraw.ImageDraw, side: int, inks: list, rng: np.random.Generator) -> None:
    for number in range(int(rng.integers(4, 7))):
        x, width = rng.uniform(0.05, 0.95) * side, rng.uniform(0.2, 0.38) * side
        top = rng.uniform(0.15, 0.55) * side
        draw.polygon((x - width, side, x, top, x + width, side), fill=inks[number % 4])


def _tiles(draw: ImageDraw.ImageDraw, side: int, inks: list, rng: np.random.Generator) -> None:
    cells = int(rng.integers(4, 7))
    step, shift = side / cells, rng.integers(2)
    for row in range(cells):
        for column in range(cells):
            if (row + column + shift) % 2:
                box = (column * step, row * step, (column + 1) * step - 2, (row + 1) * step - 2)
                draw.rectangle(box, fill=inks[int(rng.integers(4))])


def _waves(draw: ImageDraw.ImageDraw, side: int, inks: list, rng: np.random.Generator) -> None:
    x = np.linspace(0, side, 60)
    lines = int(rng.integers(5, 8))
    period, height, phase = side / rng.uniform(1.5, 3), side * rng.uniform(0.04, 0.07), rng.uniform(0, 6.28)
    for number in range(lines):
        y = (number + 0.5) / lines * side + height * np.sin(2 * np.pi * x / period + phase)
        draw.line(list(zip(x.tolist(), y.tolist())), fill=inks[number % 4], width=side // 16, joint="curve")


def _confetti(draw: ImageDraw.ImageDraw, side: int, inks: list, rng: np.random.Generator) -> None:
    for number in range(int(rng.integers(35, 55))):
        x, y = rng.uniform(0, side, size=2)
        radius = rng.uniform(0.015, 0.04) * side
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=inks[number % 4])


_MOTIFS = {
    "rings": _rings,
    "stripes": _stripes,
    "peaks": _peaks,
    "tiles": _tiles,
    "waves": _waves,
    "confetti": _confetti,
}
