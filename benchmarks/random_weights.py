"""A CNN that is never trained: what its random filters give is computed once, and is what training has to beat."""

from __future__ import annotations

import dataclasses

from tfrec.encoders.build import build_encoder
from tfrec.schema import Feature


def frozen_at_random(feature: Feature, path: str, seed: int) -> Feature:
    """The image or audio feature with its encoder frozen as it begins; its weights are written to the .h5 file `path`.

    Raises:
        ConfigError: if a setting of the encoder is wrong.
    """
    import tensorflow as tf

    kept = {key: value for key, value in feature.encoder.items() if key not in ("train", "weights")}
    tf.keras.utils.set_random_seed(seed)
    build_encoder(dataclasses.replace(feature, encoder=kept)).network.save_weights(path)
    return dataclasses.replace(feature, encoder={**kept, "train": "none", "weights": path})
