"""The client for asyncio: the questions of `tfrec.serving.Client`, asked without blocking the event loop."""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Concatenate, ParamSpec, TypeVar

from tfrec.serving.async_channel import AsyncChannel
from tfrec.serving.base_client import BaseClient
from tfrec.serving.channel import CallError
from tfrec.serving.questions import Questions

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


class AsyncClient(BaseClient):
    """As `tfrec.serving.Client`, with methods to be awaited; made and used within one event loop.

    Example:
        async with AsyncClient(["films-0:8500", "films-1:8500"], model_name="films") as client:
            answers = await asyncio.gather(*(client.recommend(user) for user in users))

    Args and raised errors: as of `Client`.
    """

    _connect = AsyncChannel

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection."""
        await self._channel.close()

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
