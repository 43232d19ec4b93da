"""One request for recommendations, and the values it gives to the inputs of a signature."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfrec.errors import ServerError
from tfrec.request_inputs import (
    ALLOW,
    DIVERSITY,
    EXCLUDE,
    FILTER,
    HISTORY,
    LARGEST,
    QUERY,
    SMALLEST,
    USER_ID,
    is_feature,
)
from tfrec.serving.signatures import Signature


@dataclasses.dataclass(frozen=True)
class Query:
    """One request for recommendations.

    Attributes:
        user_id: "" for a user unknown to the model.
        history: item ids the user touched, most recent last; of a longer one the most recent are sent.
        exclude: item ids that must not be recommended; more than the model takes in may shorten the answer.
        features: user features by name; absent ones may be left out.
        context: features known at request time by name.
        text: free text to search by; only for `Client.search`.
        filters: what items must be like, by attribute: one value or a list, of which an item must have one; a number
            for numbers equal to it; or (smallest, largest) for those between, None for no bound. The model must have
            been exported with `serving.filters`.
        allow: the only item ids that may be recommended, None for all (`serving.allow`).
        diversity: 0 to 1, how much it counts that items are unlike those ranked before them (`serving.diversity`).
    """

    user_id: str = ""
    history: Sequence[str] = ()
    exclude: Sequence[str] = ()
    features: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    context: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    text: str = ""
    filters: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    allow: Sequence[str] | None = None
    diversity: float = 0.0


def row_from_query(query: Query, signature: Signature) -> dict[str, Any]:
    """The values of `query` by input name, with history and exclusions cut to what the signature holds.

    Raises:
        ServerError: a feature is no input of the signature, ids are given where a list of ids is expected, or the model
            cannot filter as it is asked to.
    """
    for name in ("history", "exclude", "allow"):
        if isinstance(getattr(query, name), (str, bytes)):
            raise ServerError(f"{name} must be a list of item ids, got {getattr(query, name)!r}")
    given = {**query.features, **query.context}
    for name in sorted(given):
        if not is_feature(name):
            raise ServerError(f"{name!r} is no feature; give it as the argument of that name")
    row = {**given, **_filters(query.filters, signature)}
    if query.user_id:
        row[USER_ID] = query.user_id
    if query.history:
        row[HISTORY] = list(query.history)
        if HISTORY in signature.inputs:
            row[HISTORY] = row[HISTORY][-signature.width(signature.inputs, HISTORY) :]
    if query.exclude and EXCLUDE in signature.inputs:  # what does not fit is left out by the client
        row[EXCLUDE] = list(query.exclude)[: signature.width(signature.inputs, EXCLUDE)]
    if query.allow is not None:
        row[ALLOW] = _allowed(query.allow, signature)
    if query.diversity:
        row[DIVERSITY] = _diversity(query.diversity, signature)
    if query.text:
        row[QUERY] = query.text
    return row


def _allowed(allow: Sequence[str], signature: Signature) -> list[str]:
    _require(ALLOW, signature, "takes no list of allowed items; export it with serving.allow")
    width = signature.width(signature.inputs, ALLOW)
    allowed = list(dict.fromkeys(allow))
    if not allowed:
        raise ServerError("the list of allowed items is empty, so there is nothing to ask for; give None for all items")
    if len(allowed) > width:
        raise ServerError(f"{len(allowed)} items are allowed, but this model takes {width}; see serving.allow")
    return allowed


def _diversity(diversity: float, signature: Signature) -> float:
    _require(DIVERSITY, signature, "knows no diversity; export it with serving.diversity")
    if not 0 <= diversity <= 1:
        raise ServerError(f"diversity must be between 0 and 1, got {diversity}")
    return diversity


def _filters(filters: Mapping[str, Any], signature: Signature) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for name, wanted in filters.items():
        single, ends = FILTER + name, (FILTER + name + SMALLEST, FILTER + name + LARGEST)
        if single in signature.inputs:
            row[single] = _values(name, wanted, signature.width(signature.inputs, single))
        elif ends[0] in signature.inputs:
            row.update(zip(ends, _bounds(name, wanted)))
        else:
            there = ", ".join(filters_of(signature))
            known = f"it filters by {there}" if there else "it was exported without filters"
            raise ServerError(f"this model cannot filter by {name!r}; {known}, see serving.filters")
    return row


def filters_of(signature: Signature) -> list[str]:
    """The attributes that requests may filter by."""
    ends = tuple(name[: -len(SMALLEST)] for name in signature.inputs if name.endswith(SMALLEST))
    single = (name for name, spec in signature.inputs.items() if spec.shape is not None and len(spec.shape) == 2)
    return sorted(name[len(FILTER) :] for name in (*ends, *single) if name.startswith(FILTER))


def _values(name: str, wanted: Any, width: int) -> list[str]:
    values = [wanted] if isinstance(wanted, str) else list(wanted)
    if not values or "" in values:
        raise ServerError(f"the filter by {name!r} needs values, got {wanted!r}; leave it out to filter nothing")
    if len(values) > width:
        raise ServerError(f"{len(values)} values of {name!r} are given, but this model takes {width} to filter by")
    return values


def _bounds(name: str, wanted: Any) -> tuple[float | None, float | None]:
    smallest, largest = wanted if isinstance(wanted, (tuple, list)) and len(wanted) == 2 else (wanted, wanted)
    for bound in (smallest, largest):
        if bound is not None and not isinstance(bound, (int, float, np.number)):
            raise ServerError(f"the filter by {name!r} takes a number or (smallest, largest), got {wanted!r}")
    if smallest is None and largest is None:
        raise ServerError(f"the filter by {name!r} needs a bound, got {wanted!r}; leave it out to filter nothing")
    return smallest, largest


def _require(name: str, signature: Signature, otherwise: str) -> None:
    if name not in signature.inputs:
        raise ServerError(f"this model {otherwise}")
