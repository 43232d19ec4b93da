"""How a text encoder is trained: checks of its settings, and the language model beside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tfrec.encoders.bert.language_head import LanguageHead
from tfrec.encoders.bert.language_model import MaskedLanguageModel
from tfrec.encoders.text_hub import TextModels
from tfrec.errors import ConfigError

ADAPTERS = "adapters"
# Of layers as Devlin et al. 2018 fine-tune BERT (2e-5 to 5e-5), and of adapters, which start from nothing.
LEARNING_RATES = {False: 3e-5, True: 3e-4}


def check_training(settings: Any, where: str) -> None:
    """Check the settings of `TextSettings` that training has to do with.

    Raises:
        ConfigError: if one is out of range, or asks to train an encoder that is kept as it is.
    """
    if settings.adapter_rank < 1:
        raise ConfigError(f"{where}.adapter_rank is {settings.adapter_rank}; it must be at least 1")
    if not settings.adapter_alpha > 0:
        raise ConfigError(f"{where}.adapter_alpha is {settings.adapter_alpha}; it must be above 0")
    for key in ("learning_rate", "language_weight"):
        if not getattr(settings, key) >= 0:
            raise ConfigError(f"{where}.{key} is {getattr(settings, key)}; it must be at least 0")
    if settings.language_weight and settings.train == "none":
        raise ConfigError(
            f"{where}: language_weight is {settings.language_weight}, but train is none; "
            "train all, adapters or some of the top layers, or leave language_weight out"
        )


def language_model(models: TextModels, encode: Callable, where: str) -> MaskedLanguageModel:
    """The masked-language model of an imported BERT; its head is the checkpoint's own where it has one.

    Raises:
        ConfigError: if the encoder is no imported BERT, or its vocabulary has no [MASK].
    """
    network = models.network("language_weight", where)
    description = models.description
    if description["mask"] is None:
        raise ConfigError(f"{where}: language_weight needs a vocabulary with [MASK], which this one lacks; set it to 0")
    words = next(v for v in models.encoder.variables if v.name.startswith("embeddings/word_embeddings"))
    head = LanguageHead(network, words, dict(models.encoder.language_head))
    return MaskedLanguageModel(encode, head, description["special"], description["mask"], description["vocabulary"])
