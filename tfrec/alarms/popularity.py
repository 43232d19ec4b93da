"""Below MostPop: everybody would be served better by the most popular items."""

from __future__ import annotations

from tfrec.alarms.alarm import BELOW_MOST_POP, Alarm

LEVEL = 0.05  # A p of at least this is what chance alone makes of a model that is as good.


def below_most_pop(
    metric: str, value: float, popular: float, p_value: float | None, users: int, part: str
) -> Alarm | None:
    """The alarm that a model's metric lies below that of the most popular items, by more than chance.

    Args:
        metric: its name, as `ndcg@10`.
        value, popular: the model's and MostPop's, asked the very same.
        p_value: of a two-sided t-test of their difference paired by user; None or NaN where none could be made, as
            with fewer than two users, and then there is no alarm.
        users: how many users were asked.
        part: `validation` or `test`.
    """
    if not value < popular or p_value is None or not p_value < LEVEL:
        return None
    chance = "p < 0.001" if p_value < 0.001 else f"p {p_value:.3f}"
    return Alarm(
        BELOW_MOST_POP,
        f"{metric} is {value:.4f} over {users:,} users of the {part} part, below the {popular:.4f} of the most popular "
        f"items by more than chance ({chance})",
        "a model that learned what users like is above it",
        "train for more training.epochs, try another training.learning_rate, and see whether there are enough events",
        {"model": value, "most_pop": popular, "p_value": p_value, "users": float(users)},
    )
