"""A client of any server with TensorFlow Serving's gRPC API that serves a model exported by tfrec."""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator
from typing import Any, Concatenate, ParamSpec, TypeVar

from tfrec.serving.base_client import BaseClient
from tfrec.serving.channel import CallError, Channel
from tfrec.serving.questions import Questions

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")


def _answered(
    question: Callable[Concatenate[Questions, Arguments], Generator[Any, Any, Answer]],
) -> Callable[Concatenate[Client, Arguments], Answer]:
    """A method that asks and waits."""

    @functools.wraps(question)
    def method(client: Client, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Answer:
        return client._ask(question(client._questions, *args, **kwargs))

    return method


class Client(BaseClient):
    """Asks a model server for recommendations, their reasons, search results, similar items and embeddings.

    It learns the shapes of the signatures from the server once (and again when another version answers), pads and
    trims to them, and is safe to share between threads. `tfrec.serving.AsyncClient` is the same for asyncio.

    Example:
        with Client("localhost:8500", model_name="films", titles="items.jsonl") as client:
            for item in client.recommend(user_id="u1", history=["m3", "m7"], k=10):
                print(item.rank, item.title, item.score)

    Args:
        address: host:port of the gRPC API, or unix:/path. Several, as a list or with commas between them, are asked in
            turn; one that does not answer is left out while another does. All addresses of a name in DNS (dns:///name)
            are asked in turn too.
        model_name: the name the model is served under.
        timeout: seconds a call may take, its retries included.
        titles: titles by item id, or the path of the model's assets.extra/items.jsonl.
        version: the version to ask; None for the latest.
        attempts: how often a call is tried while no server is available, at each of the addresses.
        tls: paths of certificates, or True for the system's authorities; None for plain text.
        label: the label of the version to ask, such as stable or canary, instead of its number.
        largest_message: the largest request and response, bytes.

    Raises:
        ServerError: (by every method) in one sentence: the server is down, too slow, or refuses the request.
    """

    _connect = Channel

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()

    recommend = _answered(Questions.recommend)
    recommend_many = _answered(Questions.recommend_many)
    explain = _answered(Questions.explain)
    search = _answered(Questions.search)
    search_many = _answered(Questions.search_many)
    similar = _answered(Questions.similar)
    similar_many = _answered(Questions.similar_many)
    embed = _answered(Questions.embed)
    status = _answered(Questions.status)
    metadata = _answered(Questions.metadata)
    predict = _answered(Questions.predict)

    def _ask(self, question: Generator[Any, Any, Answer]) -> Answer:
        try:
            call = next(question)
            while True:
                try:
                    response = self._channel.call(*call)
                except CallError as error:
                    call = question.throw(error)
                else:
                    call = question.send(response)
        except StopIteration as end:
            return end.value
