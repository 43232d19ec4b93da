"""The reasons for a recommendation in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tfrec.serving import Reason, Recommendation

SHOWN = 3  # The items of a history that count most are named, and the rest are added up.


def reasons_in_words(item: Recommendation) -> list[str]:
    """Lines that say what the score of an item with reasons is the sum of, by user and by item."""
    why = item.why
    assert why is not None, "reasons were not asked for"
    lines = [f"{item.rank}. {item.title or item.item_id}: {why.score:+.3f}"]
    if why.history:
        lines.append(f"   because the user touched {_named(why.history)}")
    if why.features:
        lines.append(f"   because of {_named(why.features)}")
    lines.append(f"   for anybody alike {why.general:+.3f}")
    of_content = [f"{name} {amount:+.3f}" for name, amount in why.modalities.items() if name != "id" and amount]
    own = f"{why.modalities['id']:+.3f}"
    if of_content:
        lines.append(f"   of the item its {', '.join(of_content)}; the rest, without content, {own}")
    else:
        lines.append(f"   of the item what was learned from those who touched it {own}, nothing of its content")
    return lines


def _named(reasons: Sequence[Reason]) -> str:
    """The parts that count most, by title and amount, and the sum of the others."""
    most = sorted(reasons, key=lambda reason: -abs(reason.amount))
    named = [f"{reason.title or reason.name} ({reason.amount:+.3f})" for reason in most[:SHOWN]]
    rest = most[SHOWN:]
    if rest:
        named.append(f"{len(rest)} more ({sum(reason.amount for reason in rest):+.3f})")
    return ", ".join(named)
