"""Runs requests that queue up while another runs together in one, with TensorFlow Serving's parameters and texts.

A request that finds nothing running runs at once and alone. When it is done, it hands the queue on to the first request
that came meanwhile, which takes all that wait with it. So a lone client pays nothing, no thread of the batcher's own is
needed, and batches grow with the load. Requests are put together when they feed and fetch the same tensors.
"""

from __future__ import annotations

import collections
import dataclasses
import os
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from google.protobuf import text_format

from tfrec.errors import ServerError
from tfrec.serving import wire
from tfrec.serving.server.errors import StatusError, invalid
from tfrec.serving.server.servable import Runnable

BatchingParameters = wire.message_classes(
    """
Int64Value: value=1 int64
StringValue: value=1 string
BatchingParameters: max_batch_size=1 Int64Value, batch_timeout_micros=2 Int64Value, \
max_enqueued_batches=3 Int64Value, num_batch_threads=4 Int64Value, thread_pool_name=5 StringValue, \
allowed_batch_sizes=6 *int64, pad_variable_length_inputs=7 bool
"""
)["BatchingParameters"]


@dataclasses.dataclass(frozen=True)
class Batching:
    """How to batch: a batch has at most `largest` rows, and `most_waiting` batches may wait for each signature.

    Attributes:
        timeout: seconds that a batch waits to fill up before it runs.
        at_once: how many batches run at once, of all signatures together; 0 means one for each processor.
        sizes: the numbers of rows that batches are filled up to, growing, the last being `largest`; any if empty.
        pad: whether rows of different shapes are padded to the largest.
    """

    largest: int = 1000
    timeout: float = 0.0
    most_waiting: int = 10
    at_once: int = 0
    sizes: tuple[int, ...] = ()
    pad: bool = False


def batching_from_file(path: str) -> Batching:
    """The settings of a text-format BatchingParameters; those of tensorflow_model_server for "".

    Raises:
        ServerError: the file cannot be read or parsed, or asks for what cannot be.
    """
    if not path:
        return Batching()
    try:
        with open(path, encoding="utf-8") as file:
            given = text_format.Parse(file.read(), BatchingParameters())
    except (OSError, UnicodeDecodeError, text_format.ParseError) as error:
        raise ServerError(f"cannot read the batching parameters file {path}: {error}") from error
    sizes = tuple(given.allowed_batch_sizes)
    largest = given.max_batch_size.value if given.HasField("max_batch_size") else Batching.largest
    waiting = given.max_enqueued_batches.value if given.HasField("max_enqueued_batches") else Batching.most_waiting
    if largest < 1 or waiting < 1 or given.num_batch_threads.value < 0 or given.batch_timeout_micros.value < 0:
        raise ServerError(f"numbers in the batching parameters file {path} must be positive")
    if list(sizes) != sorted(set(sizes)):
        raise ServerError(f"allowed_batch_sizes entries must be monotonically increasing; correct {path}")
    if sizes and sizes[-1] != largest:
        raise ServerError(
            f"Last entry in allowed_batch_sizes must match max_batch_size; last entry was {sizes[-1]}; "
            f"expected {largest}; correct {path}"
        )
    timeout = given.batch_timeout_micros.value / 1e6
    return Batching(largest, timeout, waiting, given.num_batch_threads.value, sizes, given.pad_variable_length_inputs)


class Limits:
    """What all batchers of a server share: their settings, and the permits for batches that run at once."""

    def __init__(self, batching: Batching) -> None:
        self.batching = batching
        self.permits = threading.BoundedSemaphore(batching.at_once or os.cpu_count() or 1)


class Task:
    """One request in a queue; `taken` and `outcome` are guarded by the queue's lock, and `changed` waits with it."""

    def __init__(self, feeds: Mapping[str, np.ndarray], size: int, deadline: float, lock: threading.Lock) -> None:
        self.feeds = feeds
        self.size = size
        self.deadline = deadline
        self.changed = threading.Condition(lock)
        self.taken = False
        self.outcome: list[np.ndarray] | StatusError | None = None


class BatchedServable:
    """A servable whose runs are batched; runs that feed nothing are not, as there is nothing to put together."""

    def __init__(self, servable: Runnable, limits: Limits) -> None:
        self.signatures = servable.signatures
        self._servable = servable
        self._limits = limits
        self._queues: dict[Any, Queue] = {}
        self._lock = threading.Lock()

    def run(
        self, feeds: Mapping[str, np.ndarray], fetches: Sequence[str], timeout: float | None = None
    ) -> list[np.ndarray]:
        """As `Servable.run`; besides, a request that is too large, or finds the queue full, is refused."""
        if not feeds or not fetches:
            return self._servable.run(feeds, fetches, timeout)
        key = (tuple(sorted((name, array.dtype.str) for name, array in feeds.items())), tuple(fetches))
        with self._lock:
            queue = self._queues.get(key)
            if queue is None:
                queue = self._queues[key] = Queue(self._servable, fetches, self._limits)
        return queue.run(feeds, timeout)

    def close(self) -> None:
        self._servable.close()


class Queue:
    """Requests that feed and fetch the same tensors, in batches of which one runs at a time."""

    def __init__(self, servable: Runnable, fetches: Sequence[str], limits: Limits) -> None:
        self._servable = servable
        self._fetches = fetches
        self._limits = limits
        self._batches: collections.deque[list[Task]] = collections.deque()
        self._running = False
        self._lock = threading.Lock()
        self._filling = threading.Condition(self._lock)

    def run(self, feeds: Mapping[str, np.ndarray], timeout: float | None) -> list[np.ndarray]:
        """The request's own rows of each fetched tensor."""
        size = _size(feeds)
        if size > self._limits.batching.largest:
            raise invalid(f"Task size {size} is larger than maximum input batch size {self._limits.batching.largest}")
        task = Task(feeds, size, float("inf") if timeout is None else time.monotonic() + timeout, self._lock)
        with self._lock:
            self._enqueue(task)
            while task.outcome is None and (task.taken or self._running or self._batches[0][0] is not task):
                # threading refuses times beyond its own limit, and nobody waits that long
                if task.taken or task.deadline > time.monotonic() + threading.TIMEOUT_MAX:
                    task.changed.wait()
                elif not task.changed.wait(max(0.0, task.deadline - time.monotonic())) and not task.taken:
                    self._give_up(task)
            if task.outcome is None:
                self._running = True
        if task.outcome is None:
            self._run_first_batch()
        if isinstance(task.outcome, StatusError):
            raise StatusError(task.outcome.code, task.outcome.message)
        assert task.outcome is not None
        return task.outcome

    def _enqueue(self, task: Task) -> None:
        limit = self._limits.batching
        last = self._batches[-1] if self._batches else None
        if last is not None and sum(waiting.size for waiting in last) + task.size <= limit.largest:
            last.append(task)
        elif len(self._batches) < limit.most_waiting:
            self._batches.append([task])
        else:
            raise StatusError(
                "UNAVAILABLE",
                "The batch scheduling queue to which this task was submitted is full; "
                f"currently {len(self._batches)} batches enqueued and max_enqueued_batches is {limit.most_waiting}",
            )
        self._filling.notify()

    def _give_up(self, task: Task) -> None:
        for batch in self._batches:
            if task in batch:
                batch.remove(task)
                if not batch:
                    self._batches.remove(batch)
                break
        self._wake_next()
        raise StatusError("RESOURCE_EXHAUSTED", "Run() timeout exceeded while waiting in batching queue")

    def _run_first_batch(self) -> None:
        limit = self._limits.batching
        with self._limits.permits:
            with self._lock:
                if limit.timeout:
                    full = time.monotonic() + limit.timeout
                    while self._rows(0) < limit.largest and len(self._batches) == 1 and time.monotonic() < full:
                        self._filling.wait(full - time.monotonic())
                tasks = self._batches.popleft()
                for task in tasks:
                    task.taken = True
            outcomes: Sequence[list[np.ndarray] | StatusError]
            try:
                outcomes = self._outcomes(tasks)
            except StatusError as error:
                outcomes = [error] * len(tasks)
            except Exception as error:
                outcomes = [StatusError("INTERNAL", f"{type(error).__name__}: {error}")] * len(tasks)
        with self._lock:
            for task, outcome in zip(tasks, outcomes):
                task.outcome = outcome
                task.changed.notify()
            self._running = False
            self._wake_next()

    def _wake_next(self) -> None:
        """Tell the request at the head of the queue that it may run it."""
        if self._batches:
            self._batches[0][0].changed.notify()

    def _rows(self, position: int) -> int:
        return sum(task.size for task in self._batches[position])

    def _outcomes(self, tasks: list[Task]) -> list[list[np.ndarray]]:
        latest = max(task.deadline for task in tasks)
        timeout = None if latest == float("inf") else max(0.001, latest - time.monotonic())
        total = sum(task.size for task in tasks)
        sizes = self._limits.batching.sizes
        wanted = next((size for size in sizes if size >= total), total)
        pad = self._limits.batching.pad
        feeds = {name: _merged(name, [task.feeds[name] for task in tasks], pad, wanted) for name in tasks[0].feeds}
        values = self._servable.run(feeds, self._fetches, timeout)
        for value in values:
            if not value.ndim:
                raise StatusError("FAILED_PRECONDITION", "Batched output tensor has 0 dimensions")
            if len(value) != wanted:
                raise StatusError(
                    "FAILED_PRECONDITION",
                    "Batched output tensor's 0th dimension does not equal the sum of the 0th dimension sizes of the "
                    "input tensors",
                )
        ends = np.cumsum([task.size for task in tasks])
        return [[value[end - task.size : end] for value in values] for task, end in zip(tasks, ends)]


def _size(feeds: Mapping[str, np.ndarray]) -> int:
    if any(not array.ndim for array in feeds.values()):
        raise invalid("Batching session Run() input tensors must have at least one dimension.")
    sizes = {len(array) for array in feeds.values()}
    if len(sizes) > 1:
        raise invalid("Batching session Run() input tensors must have equal 0th-dimension size.")
    return sizes.pop()


def _merged(name: str, arrays: list[np.ndarray], pad: bool, size: int) -> np.ndarray:
    """The rows of all arrays, and after them the first row until there are `size`."""
    shapes = {array.shape[1:] for array in arrays}
    if len(shapes) > 1:
        if not pad or len({array.ndim for array in arrays}) > 1:
            raise StatusError(
                "FAILED_PRECONDITION",
                f"Tensors with name '{name}' from different tasks have different shapes and padding is turned off. "
                "Set pad_variable_length_inputs to true, or ensure that all tensors with the same name have equal "
                "dimensions starting with the first dim.",
            )
        largest = np.max([array.shape[1:] for array in arrays], axis=0)
        arrays = [_padded(array, largest) for array in arrays]
    rows = sum(map(len, arrays))
    if rows and rows < size:
        first = next(array for array in arrays if len(array))
        arrays = [*arrays, np.repeat(first[:1], size - rows, axis=0)]
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def _padded(array: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """`array` with every row padded to `shape` by its first value, as TensorFlow Serving does."""
    if not array.size:
        filler = b"" if array.dtype == object else array.dtype.type(0)
    else:
        filler = array.flat[0]
    padded = np.full((len(array), *shape), filler, dtype=array.dtype)
    padded[tuple(slice(0, length) for length in array.shape)] = array
    return padded
