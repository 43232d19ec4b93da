"""The section `tuning` of a configuration: which settings are searched, over which values, and by what."""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tfrec.config_checks import check_settings
from tfrec.errors import ConfigError
from tfrec.settings import fill

if TYPE_CHECKING:
    from tfrec.config import Config

METRICS = ("ndcg@10", "recall@10")
ALGORITHMS = ("bayesian", "random", "grid")
SCALES = ("linear", "log")
SEARCHED = ("model", "training")
"""The sections whose settings can be searched."""

# Another schema, another machine or another notion of chance makes no better model; it makes another comparison.
_NOT_SEARCHED = (
    "model.without",
    "training.seed",
    "training.strategy",
    "training.checkpoint_every",
    "training.log_wandb",
)


@dataclasses.dataclass(frozen=True)
class Hyperparameter:
    """A setting that is searched: over `choices`, or where there are none from `low` to `high`.

    Attributes:
        name: section and key, such as model.dropout.
        choices: the values to try.
        low, high: the bounds, both within.
        step: 0 for all values between the bounds; with the scale `log` a factor.
        scale: linear, or log, which tries as many values between 0.001 and 0.01 as between 0.01 and 0.1.
        whole: whether only whole numbers are tried.
    """

    name: str
    choices: tuple[Any, ...] = ()
    low: float = 0.0
    high: float = 0.0
    step: float = 0.0
    scale: str = "linear"
    whole: bool = False

    def has(self, value: Any) -> bool:
        """Whether a value is one that may be tried; between two steps there is none."""
        if self.choices:
            return value in self.choices
        if isinstance(value, bool) or not self.low <= value <= self.high:
            return False
        if not self.step:
            return True
        log = self.scale == "log"
        steps = math.log(value / self.low, self.step) if log else (value - self.low) / self.step
        return math.isclose(steps, round(steps), abs_tol=1e-9)


@dataclasses.dataclass(frozen=True)
class Tuning:
    """What `tfrec tune` searches and how.

    Attributes:
        metric: of the validation part, what is to be largest.
        algorithm: `bayesian` (a Gaussian process over what was tried), `random` or `grid`.
        trials: how many settings are tried at most.
        seed: of the search; that of the trainings is training.seed.
        space: what is searched.
    """

    metric: str = "ndcg@10"
    algorithm: str = "bayesian"
    trials: int = 20
    seed: int = 42
    space: tuple[Hyperparameter, ...] = ()


@dataclasses.dataclass(frozen=True)
class _Range:
    low: float
    high: float
    step: float = 0.0
    scale: str = "linear"


def parse_tuning(mapping: Any, sections: Mapping[str, Any], source: str) -> Tuning:
    """Check the section `tuning` against the filled `sections` of the configuration `source`.

    Raises:
        ConfigError: naming the key, what was expected and what came.
    """
    where = f"{source}: tuning"
    given = dict(mapping) if isinstance(mapping, Mapping) else mapping
    space = (given.pop("space", None) if isinstance(given, dict) else None) or {}
    settings = fill(Tuning, given, where)
    for key, allowed in (("metric", METRICS), ("algorithm", ALGORITHMS)):
        if getattr(settings, key) not in allowed:
            raise ConfigError(f"{where}.{key} is {getattr(settings, key)!r}; expected one of {', '.join(allowed)}")
    if settings.trials < 1:
        raise ConfigError(f"{where}.trials is {settings.trials}; it must be at least 1")
    if settings.seed < 0:
        raise ConfigError(f"{where}.seed is {settings.seed}; it must be at least 0")
    if not isinstance(space, Mapping):
        raise ConfigError(
            f"{where}.space must be a mapping from settings to their values, such as model.dropout: [0.3, 0.5], "
            f"got {space!r}"
        )
    found = tuple(_hyperparameter(str(name), values, sections, f"{where}.space") for name, values in space.items())
    if not found and sections["pipeline"].tune:
        raise ConfigError(f"{source}: pipeline.tune is true, but {where}.space names no settings to search")
    return dataclasses.replace(settings, space=found)


def with_values(config: Config, values: Mapping[str, Any]) -> Config:
    """The configuration with other settings, by section and key such as model.dropout.

    Raises:
        ConfigError: if they do not fit, alone or together.
    """
    where = config.source or config.name
    sections = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
    return dataclasses.replace(config, **_changed(sections, values, where))


def value_of(config: Config, name: str) -> Any:
    """The value that a configuration has for a setting."""
    section, _, key = name.partition(".")
    return getattr(getattr(config, section), key)


def _hyperparameter(name: str, values: Any, sections: Mapping[str, Any], where: str) -> Hyperparameter:
    section, _, key = name.partition(".")
    names = [f"{part}.{field.name}" for part in SEARCHED for field in dataclasses.fields(sections[part])]
    allowed = [known for known in names if known not in _NOT_SEARCHED]
    if name in _NOT_SEARCHED:
        raise ConfigError(f"{where} names {name}, which makes no better model; leave it out")
    if name not in allowed:
        close = difflib.get_close_matches(name, allowed, n=1)
        hint = f"did you mean {close[0]}?" if close else "name one such as model.dropout or training.learning_rate"
        raise ConfigError(f"{where} names {name!r}, which is no setting of model or training; {hint}")
    place = f"{where}.{name}"
    if isinstance(values, Mapping):
        found = _range(name, values, getattr(sections[section], key), place)
        tried = (found.low, found.high)
    elif isinstance(values, (list, tuple)):
        tried = tuple(_converted(value, sections, name, where) for value in values)
        if len(set(tried)) < 2 or len(set(tried)) < len(tried):
            raise ConfigError(f"{place} must have at least two values, all different, got {list(values)!r}")
        found = Hyperparameter(name, choices=tried)
    else:
        raise ConfigError(
            f"{place} must be a list of values, or bounds such as {{low: 0.1, high: 0.5}}, got {values!r}"
        )
    for value in tried:
        _changed(sections, {name: value}, where)
    return found


def _range(name: str, values: Mapping[str, Any], own: Any, place: str) -> Hyperparameter:
    """The range from `low` to `high` of a setting whose value in the configuration is `own`."""
    if isinstance(own, bool) or not isinstance(own, (int, float)):
        raise ConfigError(f"{place} has bounds, but the setting is no number; list its values instead")
    bounds = fill(_Range, values, place)
    whole = isinstance(own, int)
    if bounds.scale not in SCALES:
        raise ConfigError(f"{place}.scale is {bounds.scale!r}; expected one of {', '.join(SCALES)}")
    if not all(math.isfinite(value) for value in (bounds.low, bounds.high, bounds.step)):
        raise ConfigError(f"{place} must have finite bounds and a finite step")
    if not bounds.low < bounds.high:
        raise ConfigError(f"{place}.low is {bounds.low:g}, which must be less than high, {bounds.high:g}")
    if bounds.scale == "log" and not bounds.low > 0:
        raise ConfigError(f"{place}.low is {bounds.low:g}; with the scale log it must be greater than 0")
    if bounds.scale == "log" and bounds.step and not bounds.step > 1:
        raise ConfigError(f"{place}.step is {bounds.step:g}; with the scale log it is a factor, greater than 1")
    if bounds.step < 0:
        raise ConfigError(f"{place}.step is {bounds.step:g}; it must be at least 0, which is for any value between")
    if whole:
        for key in ("low", "high", "step"):
            if getattr(bounds, key) != int(getattr(bounds, key)):
                raise ConfigError(f"{place}.{key} is {getattr(bounds, key):g}; the setting is a whole number")
        return Hyperparameter(name, (), int(bounds.low), int(bounds.high), int(bounds.step), bounds.scale, whole)
    return Hyperparameter(name, (), bounds.low, bounds.high, bounds.step, bounds.scale)


def _converted(value: Any, sections: Mapping[str, Any], name: str, where: str) -> Any:
    """A value in the type of its setting."""
    section, _, key = name.partition(".")
    return getattr(_changed(sections, {name: value}, where)[section], key)


def _changed(sections: Mapping[str, Any], values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The searched sections with other values, checked with all others."""
    changed = {}
    for part in SEARCHED:
        own = {name.partition(".")[2]: value for name, value in values.items() if name.startswith(f"{part}.")}
        changed[part] = fill(type(sections[part]), {**vars(sections[part]), **own}, f"{where}: {part}")
    check_settings({**sections, **changed}, where)
    return changed
