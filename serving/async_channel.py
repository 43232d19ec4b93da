"""The channels of `tfrec.serving.channel` for asyncio."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from typing import Any

import grpc
import grpc.aio

from tfrec.serving.channel import CallError, Settings, tries


class AsyncChannel:
    """As `tfrec.serving.channel.Channel`; connects within the event loop of the first call."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._turn = itertools.count(random.randrange(len(settings.addresses)))
        self._channels: list[grpc.aio.Channel] = []
        # Files that cannot be read are told when a client is made, not at its first call.
        self._credentials = None if settings.tls is None else settings.tls.credentials()

    async def close(self) -> None:
        for channel in self._channels:
            await channel.close()

    async def call(self, method: str, request: Any, response_type: Any) -> Any:
        """As `Channel.call`."""
        if not self._channels:
            self._channels = [self._connected(address) for address in self.settings.addresses]
        deadline = time.monotonic() + self.settings.timeout
        last: CallError | None = None
        for number, pause in tries(next(self._turn), self._ready(), self.settings.attempts):
            if last is not None and time.monotonic() + pause >= deadline:
                break
            await asyncio.sleep(pause)
            try:
                remaining = max(deadline - time.monotonic(), 0.001)
                call = self._channels[number].unary_unary(
                    method,
                    request_serializer=lambda request: request.SerializeToString(),
                    response_deserializer=response_type.FromString,
                )
                return await call(request, timeout=remaining)
            except grpc.RpcError as error:
                last = self.settings.failed(error, number)
                if last.code != "UNAVAILABLE":
                    raise last from error
        assert last is not None, "there is at least one address and one attempt"
        raise last

    def _connected(self, address: str) -> grpc.aio.Channel:
        if self._credentials is None:
            return grpc.aio.insecure_channel(address, self.settings.options())
        return grpc.aio.secure_channel(address, self._credentials, self.settings.options())

    def _ready(self) -> list[bool]:
        if len(self._channels) == 1:
            return [True]
        return [c.get_state(try_to_connect=True) is grpc.ChannelConnectivity.READY for c in self._channels]
