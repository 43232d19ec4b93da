"""The encoder of a feature, chosen by its modality and settings."""

from __future__ import annotations

import re

from tfrec.encoders.base import Encoder
from tfrec.errors import ConfigError
from tfrec.schema import CONTENT, Feature


def build_encoder(feature: Feature) -> Encoder:
    """Build the encoder of a text, image or audio feature from `feature.encoder`.

    Each encoder is imported only when it is needed, because a text encoder brings tensorflow_text with it.

    Raises:
        ConfigError: if the feature is an attribute, or its encoder has an unknown kind or setting or lacks its weights.
    """
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", feature.name)
    name = name if name[0].isalnum() else f"encoder{name}"
    if feature.modality == "text":
        from tfrec.encoders.text import TextEncoder

        return TextEncoder(feature.encoder, name=name)
    if feature.modality == "image":
        from tfrec.encoders.image import ImageEncoder

        return ImageEncoder(feature.encoder, name=name)
    if feature.modality == "audio":
        from tfrec.encoders.audio import AudioEncoder

        return AudioEncoder(feature.encoder, name=name)
    raise ConfigError(
        f"feature {feature.name!r} is of modality {feature.modality}, which needs no encoder; "
        f"those that do are {', '.join(CONTENT)}"
    )
