"""The channels of `tfrec.serving.channel` for asyncio."""

from __future__ import annotations

import asyncio
import itertools
import random
from typing import Any

import grpc
import grpc.aio

from tfrec.serving.channel import Settings, Trial


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
        trial = Trial(self.settings, next(self._turn), self._ready())
        for number, pause in trial:
            await asyncio.sleep(pause)
            try:
                call = self._channels[number].unary_unary(
                    method,
                    request_serializer=lambda request: request.SerializeToString(),
                    response_deserializer=response_type.FromString,
                )
                return await call(request, timeout=trial.remaining())
            except grpc.RpcError as error:
                trial.failed(error, number)
        raise trial.error()

    def _connected(self, address: str) -> grpc.aio.Channel:
        if self._credentials is None:
            return grpc.aio.insecure_channel(address, self.settings.options())
        return grpc.aio.secure_channel(address, self._credentials, self.settings.options())

    def _ready(self) -> list[bool]:
        if len(self._channels) == 1:
            return [True]
        return [c.get_state(try_to_connect=True) is grpc.ChannelConnectivity.READY for c in self._channels]
