"""Sends requests at fixed rates, or as fast as they are answered, and tells how long the answers took.

At a fixed rate a request has a time it is meant to be sent at, and its latency counts from then: a server that stalls
does not make the load wait with it, and what waits while it stalls is measured as slow.
"""

from __future__ import annotations

import collections
import dataclasses
import itertools
import threading
import time
from collections.abc import Callable, Sequence

import numpy as np

PERCENTILES = (50.0, 90.0, 99.0, 99.9)
PATIENCE = 2.0  # A load that its server cannot follow is given up after so many times its length.
NOT_SENT = "NOT_SENT"

Call = Callable[[bytes], str]  # Sends one request over a connection of its own; "" or the name of the error.


@dataclasses.dataclass(frozen=True)
class Load:
    """What one load gave.

    Attributes:
        rate: requests per second that were meant to be sent; None for as many as are answered.
        seconds: from the first request to the last answer.
        latencies: seconds of each request that was answered well, float64 [N].
        errors: how many others there were, by name; NOT_SENT are those for which there was no time.
    """

    rate: float | None
    seconds: float
    latencies: np.ndarray
    errors: dict[str, int]

    @property
    def answered_per_second(self) -> float:
        """Good answers per second."""
        return len(self.latencies) / self.seconds if self.seconds else 0.0

    def milliseconds(self) -> dict[str, float]:
        """Latency by percentile; nothing where nothing was answered."""
        if not len(self.latencies):
            return {}
        values = np.percentile(self.latencies, PERCENTILES) * 1000
        return {f"p{percentile:g}": float(value) for percentile, value in zip(PERCENTILES, values)}


def open_loop(calls: Sequence[Call], requests: Sequence[bytes], rate: float, seconds: float, most: int) -> Load:
    """Send `rate` requests per second for `seconds`, at most `most`, over as many connections as there are `calls`.

    Raises:
        ValueError: a number is not positive, or there is no request or connection.
    """
    _check(calls, requests, rate, seconds, most)
    count = max(1, min(most, round(rate * seconds)))
    start = time.perf_counter() + 0.05
    end = start + PATIENCE * seconds
    return _run(calls, requests, count, lambda number: start + number / rate, end, rate)


def closed_loop(calls: Sequence[Call], requests: Sequence[bytes], seconds: float, most: int) -> Load:
    """Every connection sends its next request as soon as the one before is answered, for `seconds`, at most `most`.

    Raises:
        ValueError: a number is not positive, or there is no request or connection.
    """
    _check(calls, requests, 1.0, seconds, most)
    return _run(calls, requests, most, None, time.perf_counter() + seconds, None)


def _run(
    calls: Sequence[Call],
    requests: Sequence[bytes],
    count: int,
    meant: Callable[[int], float] | None,
    end: float,
    rate: float | None,
) -> Load:
    numbers = itertools.count()  # Its next() is atomic.
    latencies: list[list[float]] = [[] for _ in calls]
    errors: list[collections.Counter[str]] = [collections.Counter() for _ in calls]

    def work(call: Call, taken: list[float], failed: collections.Counter[str]) -> None:
        while (number := next(numbers)) < count:
            begun = time.perf_counter()
            if meant is not None:
                wait = meant(number) - begun
                if wait > 0:
                    time.sleep(wait)
                begun = meant(number)
            if time.perf_counter() >= end:
                if meant is None:
                    return
                failed[NOT_SENT] += 1
                continue
            error = call(requests[number % len(requests)])
            if error:
                failed[error] += 1
            else:
                taken.append(time.perf_counter() - begun)

    threads = [threading.Thread(target=work, args=parts, daemon=True) for parts in zip(calls, latencies, errors)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    merged = sum(errors, collections.Counter())
    return Load(rate, time.perf_counter() - started, np.array(list(itertools.chain(*latencies))), dict(merged))


def _check(calls: Sequence[Call], requests: Sequence[bytes], rate: float, seconds: float, most: int) -> None:
    if not (calls and requests and rate > 0 and seconds > 0 and most > 0):
        raise ValueError("a load needs connections, requests, and a positive rate, time and number of requests")
