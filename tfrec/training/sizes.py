"""How a training changes with the size of its data: one rule, for what the configuration leaves to it.

Up to `LARGE` users and known items a step is over 64 users and up to 4,096 items, and the optimizer changes every row
of every table in every step. Beyond, that is out of reach: a table of a million rows is three gigabytes with its
moments, to be read and written in each step, and there are many steps. There a step takes four times as many users,
twice as many items, and changes only the rows of its own items (see `tfrec.training.optimizer`); the least-squares
factors are solved for in fewer rounds (`tfrec.evaluation.baselines.als`). docs/scaling.md has what this costs.
"""

from __future__ import annotations

LARGE = 50_000

BATCH, BATCH_OF_LARGE = 64, 256
# Above these many items a step looks at a sample of the catalogue: content that is encoded in the step costs more.
ITEMS_ENCODED_BEFORE, ITEMS_ENCODED_BEFORE_OF_LARGE = 4096, 8192
ITEMS_ENCODED_IN_STEP = 1024


def rows_per_step(users: int) -> int:
    """How many users' rows a step has where `training.batch_size` is 0, for `users` in training."""
    return BATCH if users <= LARGE else BATCH_OF_LARGE


def items_per_step(known: int, in_step: bool) -> int:
    """How many items a step has where `training.candidates` is 0.

    Args:
        known: how many items are in training.
        in_step: whether content is encoded in the step.
    """
    if in_step:
        return ITEMS_ENCODED_IN_STEP
    return ITEMS_ENCODED_BEFORE if known <= LARGE else ITEMS_ENCODED_BEFORE_OF_LARGE


def changes_rows_alone(rows: int) -> bool:
    """Whether a table with so many rows has only those changed that a step uses."""
    return rows > LARGE
