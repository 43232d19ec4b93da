"""Epochs of training with the vectors of frozen encoders, and of the same model on ids alone."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from typing import Any

from tfrec.encoders.audio import AudioEncoder
from tfrec.encoders.image import ImageEncoder
from tfrec.speed.measured import Stopwatch
from tfrec.speed.sampled import CONTENT, Sampled
from tfrec.training.trainer import train

IDS, FROZEN = "ids alone", "with content"
JOINT = {"content": "joint", "fusion": "gate", "use_search": False}
# Free text is another task, which ids alone cannot be taught.
CASES: dict[str, dict[str, Mapping[str, Any]]] = {
    "regression (the default)": {"model": {"use_search": False}},
    "joint, gate": {"model": JOINT},
    "joint, gate, a row is an event, 8,192 a step": {
        "model": JOINT,
        "training": {"objective": "retrieval", "batch_size": 8192},
    },
}


def epochs_of(
    sample: Sampled, settings: Mapping[str, Mapping[str, Any]], way: str, cache: str, epochs: int
) -> Stopwatch:
    """Train as `tfrec train` does and return a part for each epoch, the first with tracing.

    Args:
        settings: one of `CASES`.
        way: `IDS` or `FROZEN`.
        cache: folder of the encoders' weights and vectors, filled by the first training.
    """
    training = {"epochs": epochs, "checkpoint_every": epochs, **settings.get("training", {})}
    features = CONTENT if way == FROZEN else ()
    config = sample.config(features, _weights(cache), model=settings["model"], training=training)
    watch = Stopwatch()
    with tempfile.TemporaryDirectory() as folder:
        train(
            config,
            sample.dataset,
            folder,
            cache=os.path.join(cache, "vectors"),
            say=lambda line: watch.lap() if line.startswith("epoch") else None,
        )
    return watch


def _weights(cache: str) -> dict[str, dict[str, str]]:
    """Encoder settings that freeze both CNNs, with random weights: the time does not depend on what they learned."""
    paths = {name: os.path.join(cache, f"{name}.h5") for name in ("picture", "sound")}
    if not os.path.exists(paths["sound"]):
        os.makedirs(cache, exist_ok=True)
        ImageEncoder({"size": 48}).network.save_weights(paths["picture"])
        AudioEncoder({"seconds": 1.25}).network.save_weights(paths["sound"])
    return {name: {"weights": path} for name, path in paths.items()}
