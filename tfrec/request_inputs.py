"""Names of the inputs of a request that are no features; shared by the export, the client and the command line."""

from __future__ import annotations

USER_ID = "user_id"
HISTORY = "history"
EXCLUDE = "exclude"
ALLOW = "allow"
DIVERSITY = "diversity"
QUERY = "query"
ITEM_IDS = "item_ids"
FILTER = "filter_"
SMALLEST, LARGEST = "_min", "_max"
RESERVED = (USER_ID, HISTORY, EXCLUDE, ALLOW, DIVERSITY, QUERY, ITEM_IDS)


def is_feature(name: str) -> bool:
    """Whether an input is a user feature or context, rather than one that every request has or one that filters."""
    return name not in RESERVED and not name.startswith(FILTER)
