"""The client for asyncio: the questions of `tfrec.serving.Client`, asked without blocking the event loop."""

# mypy finds no package under two names, so to it what is imported from tfrec.serving has any type.
# mypy: disable-error-code="var-annotated"

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Coroutine, Generator, Mapping, Sequence
from typing import Any, Concatenate, ParamSpec, TypeVar

from tfrec.serving.async_channel import AsyncChannel
from tfrec.serving.channel import LARGEST_MESSAGE, TLS, CallError, Settings
from tfrec.serving.questions import Questions
from tfrec.serving.results import read_titles

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")


def _awaited(
    question: Callable[Concatenate[Questions, Arguments], Generator[Any, Any, Answer]],
) -> Callable[Concatenate[AsyncClient, Arguments], Coroutine[Any, Any, Answer]]:
    """A method that asks and is to be awaited."""

    @functools.wraps(question)
    async def method(client: AsyncClient, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Answer:
        return await client._ask(question(client._questions, *args, **kwargs))

    return method


class AsyncClient:
    """As `tfrec.serving.Client`, with methods to be awaited; made and used within one event loop.

    Example:
        async with AsyncClient(["films-0:8500", "films-1:8500"], model_name="films") as client:
            answers = await asyncio.gather(*(client.recommend(user) for user in users))

    Args and raised errors: as of `Client`.
    """

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
        self._channel = AsyncChannel(Settings.of(address, timeout, attempts, tls, largest_message))

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection."""
        await self._channel.close()

    def labelled(self, label: str) -> AsyncClient:
        """A client of the version with another label, over the same connection, which is closed with this one's."""
        other = object.__new__(type(self))
        other._questions = Questions(self._questions.model_name, self._questions.titles, None, label)
        other._channel = self._channel
        return other

    recommend = _awaited(Questions.recommend)
    recommend_many = _awaited(Questions.recommend_many)
    explain = _awaited(Questions.explain)
    search = _awaited(Questions.search)
    search_many = _awaited(Questions.search_many)
    similar = _awaited(Questions.similar)
    similar_many = _awaited(Questions.similar_many)
    embed = _awaited(Questions.embed)
    status = _awaited(Questions.status)
    metadata = _awaited(Questions.metadata)
    predict = _awaited(Questions.predict)

    async def _ask(self, question: Generator[Any, Any, Answer]) -> Answer:
        try:
            call = next(question)
            while True:
                try:
                    response = await self._channel.call(*call)
                except CallError as error:
                    call = question.throw(error)
                else:
                    call = question.send(response)
        except StopIteration as end:
            return end.value
