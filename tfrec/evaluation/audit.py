"""What an audit of modalities tells: of each, whether recommendations are better or worse with it than without."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from tfrec.evaluation.protocols import Protocol
from tfrec.evaluation.seeds import Comparison, Contrast
from tfrec.evaluation.wording import label, number, p_value

ALL, IDS = "all", "ids only"
METRIC = "ndcg"
LEVEL = 0.05
HELPS, SAME, HURTS = "helps", "makes no difference", "hurts"


@dataclasses.dataclass(frozen=True)
class Trial:
    """What was measured on one kind of items.

    Attributes:
        items: `warm items` or `cold items`.
        protocol, k: how it was measured, and the cut-off.
        kept: the modalities that each variant reads, by its name; that of all modalities is called `all`.
        against_all: the variant of all modalities beside every other one.
        against_ids: the variant of ids only beside every other one; None where ids mean nothing.
        seconds: what a training of a variant took, by seed; a variant that was not trained has none.
    """

    items: str
    protocol: Protocol
    k: int
    kept: Mapping[str, tuple[str, ...]]
    against_all: Comparison
    against_ids: Comparison | None
    seconds: Mapping[str, tuple[float, ...]]

    @property
    def metric(self) -> str:
        """What verdicts are given by, such as `ndcg@10`."""
        return f"{METRIC}@{self.k}"

    def without(self, modality: str) -> str | None:
        """The variant of all modalities but this one; None where nothing would be left."""
        rest = tuple(name for name in self.kept[ALL] if name != modality)
        return next((variant for variant, kept in self.kept.items() if kept == rest), None)


@dataclasses.dataclass(frozen=True)
class Effect:
    """What a modality adds on one kind of items; the difference is with it minus without, paired by user."""

    items: str
    metric: str
    with_it: float | None
    without_it: float | None
    difference: float | None
    p_value: float | None
    seeds_ahead: int
    seeds: int
    verdict: str

    @property
    def clause(self) -> str:
        """The effect in words, with its numbers."""
        if self.difference is None:
            return f"{self.verdict} on {self.items}, where no user could be compared"
        return (
            f"{self.verdict} on {self.items} ({label(self.metric)} {number(self.metric, self.with_it)} with it, "
            f"{number(self.metric, self.without_it)} without: {self.difference:+.4f}, p {p_value(self.p_value)}, "
            f"ahead in {self.seeds_ahead} of {self.seeds} {'seed' if self.seeds == 1 else 'seeds'})"
        )


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What is to be said of a modality.

    Attributes:
        effects: on each kind of items on which something is left to recommend by without it.
        training_seconds: what it adds to a training, mean over seeds and kinds of items; None if that was not measured.
        encoding_seconds: what a frozen encoder takes once for the whole catalogue; None for others.
    """

    modality: str
    effects: tuple[Effect, ...]
    training_seconds: float | None
    encoding_seconds: float | None

    @property
    def harmful(self) -> bool:
        """Whether it is to be switched off: it hurts on one kind of items and helps on none."""
        found = [effect.verdict for effect in self.effects]
        return HURTS in found and HELPS not in found

    @property
    def sentence(self) -> str:
        """One sentence for people."""
        told = " and ".join(effect.clause for effect in self.effects)
        costs = []
        if self.training_seconds is not None:
            costs.append(f"{self.training_seconds:+.1f} s a training")
        if self.encoding_seconds is not None:
            costs.append(f"{self.encoding_seconds:.1f} s to encode the catalogue once")
        start = f"{self.modality} {told or 'is all there is: nothing is left to compare with without it'}"
        return f"{start}; it costs {' and '.join(costs)}." if costs else f"{start}."


def variants(modalities: Sequence[str], with_ids: bool) -> dict[str, tuple[str, ...]]:
    """What is compared, by name: all modalities, ids only, each modality alone, all but each.

    Of two names for the same modalities only the first is kept: with two modalities, leaving out one is the other
    alone.

    Args:
        modalities: the names of all.
        with_ids: whether ids alone can recommend.
    """
    found = {ALL: tuple(modalities), **({IDS: ()} if with_ids else {})}
    alone = {f"{name} alone": (name,) for name in modalities}
    left_out = {f"without {name}": tuple(other for other in modalities if other != name) for name in modalities}
    for variant, kept in {**alone, **left_out}.items():
        if kept and kept not in found.values():
            found[variant] = kept
    return found


def verdicts(trials: Sequence[Trial], encoding: Mapping[str, float] | None = None) -> tuple[Verdict, ...]:
    """Judge every modality.

    It helps where the metric is higher with it than without, and hurts where it is lower, in every seed and with a p
    below `LEVEL` divided by the number of comparisons (Bonferroni); else it makes no difference.

    Args:
        trials: what was measured, on warm and on cold items.
        encoding: seconds that encoding the catalogue took, by modality.
    """
    modalities = trials[0].kept[ALL]
    level = level_of(trials)
    return tuple(
        Verdict(
            name,
            tuple(_effect(trial, without, level) for trial in trials if (without := trial.without(name))),
            _training_seconds(trials, name),
            (encoding or {}).get(name),
        )
        for name in modalities
    )


def level_of(trials: Sequence[Trial]) -> float:
    """The p that a single comparison must be below."""
    count = sum(trial.without(name) is not None for trial in trials for name in trial.kept[ALL])
    return LEVEL / max(1, count)


def rule(trials: Sequence[Trial]) -> str:
    """How verdicts are given, in words."""
    alone = len(trials[0].against_all.seeds) == 1
    return (
        f"A modality helps where {label(trials[0].metric)} is higher with it than without, and hurts where it is "
        f"lower: in every seed, and with p below {level_of(trials):.4f} of a t-test paired by user ({LEVEL} divided by "
        "the number of comparisons); else it makes no difference that could be measured. One that hurts on one kind "
        "of items and helps on none is harmful, and is to be switched off."
        + (" One seed cannot tell a modality from the luck of a training." if alone else "")
    )


def _effect(trial: Trial, without: str, level: float) -> Effect:
    metric, comparison = trial.metric, trial.against_all
    contrast = comparison.contrasts[without][metric]
    return Effect(
        trial.items,
        metric,
        comparison.metrics[ALL][metric].mean,
        comparison.metrics[without][metric].mean,
        contrast.difference,
        contrast.p_value,
        contrast.seeds_ahead,
        len(comparison.seeds),
        _word(contrast, len(comparison.seeds), level),
    )


def _word(contrast: Contrast, seeds: int, level: float) -> str:
    if contrast.difference is None or contrast.p_value is None or contrast.p_value >= level:
        return SAME
    if contrast.difference > 0 and contrast.seeds_ahead == seeds:
        return HELPS
    return HURTS if contrast.difference < 0 and contrast.seeds_ahead == 0 else SAME


def _training_seconds(trials: Sequence[Trial], modality: str) -> float | None:
    apart = []
    for trial in trials:
        without = trial.without(modality)
        if without is not None and without in trial.seconds:
            apart += [mine - other for mine, other in zip(trial.seconds[ALL], trial.seconds[without])]
    return sum(apart) / len(apart) if apart else None
