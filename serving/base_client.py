"""What both clients are made of: settings, the questions of one model, and a channel."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from tfrec.serving.channel import LARGEST_MESSAGE, TLS, Settings
from tfrec.serving.questions import Questions
from tfrec.serving.results import read_titles

AnyClient = TypeVar("AnyClient", bound="BaseClient")


class BaseClient:
    """See `tfrec.serving.Client`, which says what the arguments are."""

    _connect: Callable[[Settings], Any]

    def __init__(
        self,
        address: str | Sequence[str] = "localhost:8500",
        model_name: str = "default",
        timeout: float = 5.0,
        titles: str | os.PathLike[str] | Mapping[str, str] | None = None,
        version: int | None = None,
        attempts: int = 4,
        tls: TLS | bool | None = None,
        label: str = "",
        largest_message: int = LARGEST_MESSAGE,
    ) -> None:
        self._questions = Questions(model_name, read_titles(titles), version, label)
        self._channel = self._connect(Settings.of(address, timeout, attempts, tls, largest_message))

    def labelled(self: AnyClient, label: str) -> AnyClient:
        """A client of the version with another label, over the same connection, which is closed with this one's."""
        other = object.__new__(type(self))
        other._questions = Questions(self._questions.model_name, self._questions.titles, None, label)
        other._channel = self._channel
        return other
