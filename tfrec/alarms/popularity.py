"""Below MostPop: everybody would be served better by the most popular items."""

from __future__ import annotations

from tfrec.alarms.alarm import BELOW_MOST_POP, Alarm


def below_most_pop(metric: str, value: float, popular: float, users: int, part: str) -> Alarm | None:
    """The alarm that a model's metric lies below that of the most popular items, asked the very same.

    Args:
        metric: its name, as `ndcg@10`.
        value, popular: the model's and MostPop's.
        users: how many users were asked.
        part: `validation` or `test`.
    """
    if not value < popular:
        return None
    return Alarm(
        BELOW_MOST_POP,
        f"{metric} is {value:.4f} over {users:,} users of the {part} part, below the {popular:.4f} of the most popular "
        "items",
        "a model that learned what users like is above it",
        "train for more training.epochs, try another training.learning_rate, and see whether there are enough events",
        {"model": value, "most_pop": popular, "users": float(users)},
    )
