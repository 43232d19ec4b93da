"""The server as a process of its own: one ready line, signals, exit status."""

from __future__ import annotations

import queue
import signal
import sys
from collections.abc import Callable

from tfrec.errors import TfrecError
from tfrec.serving.server.options import Options
from tfrec.serving.server.ports import refuse_taken_ports


def serve_until_stopped(options: Options) -> int:
    """Serve, print one line once ready, and return 0 after SIGTERM or SIGINT, or 2 after printing what is wrong.

    Must run in the main thread, which is where signals arrive.
    """
    _on_stop_signals(lambda *_: sys.exit(0))  # while the model loads there is nothing to finish
    # A SimpleQueue, because a handler may interrupt this thread anywhere: Event.set would wait for the lock of a wait.
    stops: queue.SimpleQueue[None] = queue.SimpleQueue()
    try:
        refuse_taken_ports(options)
        # TensorFlow, which takes seconds.
        from tfrec.serving.server.memory import keep_what_is_there
        from tfrec.serving.server.running import start

        keep_what_is_there()
        server = start(options)
        _on_stop_signals(lambda *_: stops.put(None))
    except TfrecError as error:
        print(error, file=sys.stderr)
        return 2
    rest = f" and REST at {server.rest_url}" if server.rest_url else ""
    names = ", ".join(map(repr, server.models))
    print(
        f"serving model{'s' * (len(server.models) > 1)} {names}: gRPC at {server.grpc_address}{rest}; stop with Ctrl-C",
        flush=True,
    )
    stops.get()
    server.stop()
    return 0


def _on_stop_signals(handler: Callable[..., object]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handler)
