"""Predict on a loaded servable: which tensors to feed and fetch, with the checks and texts of TensorFlow Serving."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from tfrec.serving.server.errors import StatusError, invalid
from tfrec.serving.server.servable import Runnable
from tfrec.serving.tensors import array_from_proto

DEFAULT_SIGNATURE = "serving_default"
PREDICT, CLASSIFY, REGRESS = (f"tensorflow/serving/{method}" for method in ("predict", "classify", "regress"))
Value = TypeVar("Value")


def predict(
    servable: Runnable,
    signature_name: str,
    inputs: Mapping[str, Value],
    output_filter: Sequence[str] = (),
    timeout: float | None = None,
    array_from_value: Callable[[Value], np.ndarray] = array_from_proto,
    checked: bool = False,
) -> dict[str, np.ndarray]:
    """Outputs by alias of one signature.

    Args:
        signature_name: "" for serving_default.
        inputs: values by alias, turned into arrays by `array_from_value`, which raises ValueError on malformed ones.
        output_filter: aliases of the outputs to compute; all if empty.
        timeout: seconds.
        checked: whether the signature's method must be one that Predict knows.

    Raises:
        StatusError: the request does not fit the signature, or TensorFlow fails to run it.
    """
    signature = signature_of(servable, signature_name)
    if checked and signature.method_name not in (PREDICT, CLASSIFY, REGRESS):
        raise StatusError(
            "INTERNAL",
            f"Expected prediction signature method_name to be one of {{{PREDICT}, {CLASSIFY}, {REGRESS}}}. "
            f"Was: {signature.method_name}",
        )
    feeds = _feeds(signature, inputs, array_from_value)
    aliases = _output_aliases(signature, output_filter)
    values = servable.run(feeds, [signature.outputs[alias].name for alias in aliases], timeout)
    return dict(zip(aliases, values))


def signature_of(servable: Runnable, name: str) -> Any:
    """The SignatureDef `name`, or serving_default for "".

    Raises:
        StatusError: FAILED_PRECONDITION, there is none.
    """
    name = name or DEFAULT_SIGNATURE
    if name not in servable.signatures:
        raise StatusError("FAILED_PRECONDITION", f'Serving signature key "{name}" not found.')
    return servable.signatures[name]


def _feeds(
    signature: Any, inputs: Mapping[str, Value], array_from_value: Callable[[Value], np.ndarray]
) -> dict[str, np.ndarray]:
    _check_number(set(inputs), set(signature.inputs), bool(signature.defaults))
    feeds = {}
    for alias in sorted(signature.inputs):
        name = signature.inputs[alias].name
        if alias not in inputs and alias not in signature.defaults:
            raise invalid(
                f"Signature input alias: {alias}(feed name: {name}) not found in request and no default value "
                f"provided. Inputs expected to be in the request {{{_joined(inputs)}}}, or default input alias set: "
                f"{_joined(signature.defaults)}"
            )
        try:
            if alias in inputs:
                feeds[name] = array_from_value(inputs[alias])
            else:
                feeds[name] = array_from_proto(signature.defaults[alias])
        except (ValueError, MemoryError) as error:
            raise invalid(f"tensor parsing error: {alias}") from error
    return feeds


def _check_number(sent: set[str], known: set[str], has_defaults: bool) -> None:
    if len(sent) == len(known) or (len(sent) < len(known) and has_defaults):
        return
    raise invalid(
        f"input size does not match signature: {len(sent)}!={len(known)} len({{{_joined(sent)}}}) != "
        f"len({{{_joined(known)}}}). Sent extra: {{{_joined(sent - known)}}}. "
        f"Missing but required: {{{_joined(known - sent)}}}."
    )


def _output_aliases(signature: Any, output_filter: Sequence[str]) -> list[str]:
    if not output_filter:
        return sorted(signature.outputs)
    chosen: list[str] = []
    for alias in output_filter:
        if alias not in signature.outputs:
            raise invalid(
                f"output tensor alias not found in signature: {alias} Outputs expected to be in the set "
                f"{{{_joined(signature.outputs)}}}."
            )
        if alias in chosen:
            raise invalid(f"duplicate output tensor alias: {alias}")
        chosen.append(alias)
    return chosen


def _joined(names: Iterable[str]) -> str:
    return ",".join(sorted(names))
