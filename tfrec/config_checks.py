"""Checks of the values in a configuration: choices, ranges and names; one clear sentence for each mistake."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from tfrec.errors import ConfigError
from tfrec.request_inputs import is_feature
from tfrec.schema import Schema

FUSIONS = ("concatenation", "weighted", "gate", "attention", "transformer", "decision")
CHOICES = {
    "split.by": ("time", "last-out", "random", "within-user", "within-item", "new-users"),
    "model.fusion": FUSIONS,
    "model.encoder_fusion": FUSIONS,
    "model.content": ("regression", "joint"),
    "training.objective": ("masked", "next", "retrieval"),
    "training.schedule": ("constant", "cosine"),
    "training.strategy": ("one", "mirrored", "multi-worker", "tpu"),
    "training.tables": ("auto", "whole", "sharded"),
    "gates.served": ("not-worse", "better", "ignore"),
    "gates.drift": ("warn", "block", "ignore"),
    "serving.index": ("exact", "partitioned", "auto"),
    "training.mixed_precision": ("", "float32", "mixed_bfloat16", "mixed_float16"),
}
# What training.tables sharded needs; the number of devices and of rows is known in training only.
_FIT_TO_SHARD = {
    "training.strategy": ("mirrored", "tpu"),
    "model.content": ("regression",),
    "training.mixed_precision": ("", "float32", "mixed_bfloat16"),
}
_POSITIVE = [
    "model.dimension",
    "model.members",
    "model.temperature",
    "training.targets",
    "training.epochs",
    "training.learning_rate",
    "training.accumulate",
    "training.checkpoint_every",
    "evaluation.confidence",
    "serving.history",
    "serving.exclude",
    "serving.k",
    "serving.filter_values",
]
_NOT_NEGATIVE = [
    "serving.allow",
    "serving.reasons",
    "serving.keep",
    "model.factors",
    "model.history_shrinkage",
    "model.new_items",
    "training.batch_size",
    "training.candidates",
    "training.epoch_rows",
    "training.encoder_epochs",
    "training.encoder_batch_size",
    "training.patience",
    "training.warm_epochs",
    "training.weight_decay",
    "training.search_weight",
    "evaluation.bootstrap",
    "evaluation.users",
    "gates.margin",
    "gates.drift_threshold",
    "gates.minimum_coverage",
]
_FRACTIONS = [
    "split.validation",
    "split.test",
    "split.held_out_items",
    "model.modality_dropout",
    "model.id_dropout",
    "model.dropout",
    "model.history_dropout",
    "training.warmup",
]


def check_settings(sections: Mapping[str, Any], source: str) -> None:
    """Check the filled sections of a configuration by section name; `source` begins every message.

    Raises:
        ConfigError: naming the setting, what was expected and what came.
    """

    def of(name: str) -> Any:
        section, _, key = name.partition(".")
        return getattr(sections[section], key)

    if of("training.strategy") == "parameter-server":
        raise ConfigError(
            f"{source}: training.strategy is parameter-server, whose workers step apart and never see each other's "
            "items as candidates; choose multi-worker or tpu"
        )
    for name, allowed in CHOICES.items():
        if of(name) not in allowed:
            named = ", ".join(choice or '""' for choice in allowed)
            raise ConfigError(f"{source}: {name} is {of(name)!r}; expected one of {named}")
    for name in _POSITIVE:
        if not of(name) > 0:
            raise ConfigError(f"{source}: {name} is {of(name)}; it must be greater than 0")
    for name in _NOT_NEGATIVE:
        if not of(name) >= 0:
            raise ConfigError(f"{source}: {name} is {of(name)}; it must be at least 0")
    for name in _POSITIVE + _NOT_NEGATIVE:
        if not math.isfinite(of(name)):
            raise ConfigError(f"{source}: {name} is {of(name)}; it must be a finite number")
    for name in _FRACTIONS:
        if not 0 <= of(name) < 1:
            raise ConfigError(f"{source}: {name} is {of(name)}; it must be at least 0 and less than 1")
    if of("split.validation") + of("split.test") >= 1:
        raise ConfigError(f"{source}: split.validation and split.test together leave no events to train on")
    if of("evaluation.confidence") >= 1:
        value = of("evaluation.confidence")
        raise ConfigError(f"{source}: evaluation.confidence is {value}; it must be greater than 0 and less than 1")
    if not 0 < of("serving.recall") < 1:
        value = of("serving.recall")
        raise ConfigError(
            f"{source}: serving.recall is {value}; it must be greater than 0 and less than 1; to find all of the best "
            "items set serving.index to exact"
        )
    if of("serving.keep") == 1:
        raise ConfigError(
            f"{source}: serving.keep is 1, which leaves no version to roll back to; set it to 2 or more, or to 0 to "
            "keep all"
        )
    if of("training.accumulate") > 1 and of("training.strategy") != "one":
        raise ConfigError(
            f"{source}: training.accumulate is {of('training.accumulate')}, which needs training.strategy one; "
            "set it to 1 and choose a larger training.batch_size, which the devices share"
        )
    if of("training.tables") == "sharded":
        for name, fitting in _FIT_TO_SHARD.items():
            if of(name) not in fitting:
                named = " or ".join(choice or '""' for choice in fitting)
                raise ConfigError(
                    f"{source}: training.tables is sharded, which {name} {of(name)} does not allow; set it to {named}, "
                    "or training.tables to auto"
                )
    if of("model.content") == "regression" and not of("model.use_id"):
        raise ConfigError(f"{source}: model.use_id is false, which needs model.content joint; set that or use_id true")
    _check_widths("model.item_hidden", of("model.item_hidden"), source)
    _check_widths("model.query_hidden", of("model.query_hidden"), source)
    if not of("evaluation.k"):
        raise ConfigError(f"{source}: evaluation.k is empty; give at least one cut-off, such as 10")
    if min(of("evaluation.k")) <= 0:
        smallest = min(of("evaluation.k"))
        raise ConfigError(f"{source}: evaluation.k has the cut-off {smallest}; cut-offs must be greater than 0")


def check_filters(filters: Sequence[str], schema: Schema, source: str) -> None:
    """Check that requests can filter by the attributes that serving.filters names, and give features beside them.

    Raises:
        ConfigError: naming one that is no attribute of items, or a feature that has the name of another input.
    """
    attributes = sorted(feature.name for feature in (*schema.attributes(), *schema.items.filtered))
    for name in filters:
        if name not in attributes:
            there = f"there are {', '.join(attributes)}" if attributes else "items have none"
            raise ConfigError(f"{source}: serving.filters names {name!r}, which is no attribute of items; {there}")
    for feature in (*schema.users.features, *schema.events.context):
        if not is_feature(feature.name):
            raise ConfigError(
                f"{source}: schema names a feature {feature.name!r}, which requests call something else; give it "
                "another name and name its column"
            )


def check_model_name(name: str, source: str) -> None:
    """Check that a model name can be a folder and a name in TensorFlow Serving's addresses.

    Raises:
        ConfigError: if it cannot.
    """
    if "/" in name or "\\" in name or name.startswith("."):
        raise ConfigError(
            f"{source}: the model name {name!r} must be one folder name; leave out slashes and leading dots"
        )


def _check_widths(name: str, widths: Sequence[int], source: str) -> None:
    for width in widths:
        if width <= 0:
            raise ConfigError(f"{source}: {name} has the width {width}; widths must be greater than 0")
