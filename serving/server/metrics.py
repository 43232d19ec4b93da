"""Counters and histograms under TensorFlow Serving's names, as the text that Prometheus reads.

A metric is named by a path such as /tensorflow/serving/request_count, which Prometheus is given with colons. The text
is written here because prometheus_client adds endings of its own (_total, _created) that dashboards made for
TensorFlow Serving do not ask for.
"""

from __future__ import annotations

import bisect
import contextlib
import re
import threading
import time
from collections.abc import Iterator, Sequence

from google.protobuf import text_format

from tfrec.errors import ServerError
from tfrec.serving import wire
from tfrec.serving.server.errors import StatusError

DEFAULT_PATH = "/monitoring/prometheus/metrics"
LATENCY_BOUNDS = tuple(10 * 1.8**power for power in range(33))  # microseconds
COUNT_BOUNDS = tuple(float(2**power) for power in range(12))
PREFIX = "/tensorflow/serving/"

MonitoringConfig = wire.message_classes(
    """
PrometheusConfig: enable=1 bool, path=2 string
MonitoringConfig: prometheus_config=1 PrometheusConfig
"""
)["MonitoringConfig"]


def metrics_path(monitoring_config_file: str) -> str:
    """The path that metrics are served at, "" for none.

    Raises:
        ServerError: the file cannot be read or parsed.
    """
    if not monitoring_config_file:
        return ""
    try:
        with open(monitoring_config_file, encoding="utf-8") as file:
            config = text_format.Parse(file.read(), MonitoringConfig()).prometheus_config
    except (OSError, UnicodeDecodeError, text_format.ParseError) as error:
        raise ServerError(f"cannot read the monitoring config file {monitoring_config_file}: {error}") from error
    return (config.path or DEFAULT_PATH) if config.enable else ""


class Counter:
    """A number for each combination of label values, that only grows."""

    kind = "counter"

    def __init__(self, path: str, labels: Sequence[str]) -> None:
        self.path = path
        self._labels = labels
        self._values: dict[tuple[str, ...], float] = {}
        self._lock = threading.Lock()

    def add(self, *labels: str, amount: float = 1) -> None:
        with self._lock:
            self._values[labels] = self._values.get(labels, 0) + amount

    def total(self) -> int:
        """The sum over all label values."""
        with self._lock:
            return int(sum(self._values.values()))

    def lines(self) -> Iterator[str]:
        with self._lock:
            values = dict(self._values)
        for labels, value in values.items():
            yield f"{prometheus_name(self.path)}{_braces(self._labels, labels)} {_number(value)}"


class Histogram:
    """How many values fell below each of `bounds`, their sum and their count, for each combination of labels."""

    kind = "histogram"

    def __init__(self, path: str, labels: Sequence[str], bounds: Sequence[float]) -> None:
        self.path = path
        self._labels = labels
        self._bounds = bounds
        self._cells: dict[tuple[str, ...], tuple[list[int], float]] = {}
        self._lock = threading.Lock()

    def observe(self, value: float, *labels: str) -> None:
        with self._lock:
            counts, total = self._cells.get(labels) or ([0] * (len(self._bounds) + 1), 0.0)
            counts[bisect.bisect_right(self._bounds, value)] += 1
            self._cells[labels] = (counts, total + value)

    def total(self) -> int:
        """How many values were observed."""
        with self._lock:
            return sum(sum(counts) for counts, _ in self._cells.values())

    def lines(self) -> Iterator[str]:
        with self._lock:
            cells = {labels: (list(counts), total) for labels, (counts, total) in self._cells.items()}
        name = prometheus_name(self.path)
        for labels, (counts, total) in cells.items():
            below = 0
            for bound, count in zip([*map(_number, self._bounds), "+Inf"], counts):
                below += count
                yield f"{name}_bucket{_braces([*self._labels, 'le'], [*labels, bound])} {below}"
            yield f"{name}_sum{_braces(self._labels, labels)} {_number(total)}"
            yield f"{name}_count{_braces(self._labels, labels)} {below}"


class Metrics:
    """What the server counts."""

    def __init__(self) -> None:
        self.request_count = Counter(f"{PREFIX}request_count", ["model_name", "status"])
        self.request_latency = Histogram(
            f"{PREFIX}request_latency", ["model_name", "API", "entrypoint"], LATENCY_BOUNDS
        )
        self.runtime_latency = Histogram(f"{PREFIX}runtime_latency", ["model_name", "API", "runtime"], LATENCY_BOUNDS)
        self.example_counts = Histogram(f"{PREFIX}request_example_counts", ["model"], COUNT_BOUNDS)
        self.example_count_total = Counter(f"{PREFIX}request_example_count_total", ["model"])
        self.warmup_latency = Histogram(f"{PREFIX}model_warmup_latency", ["model_path", "status"], LATENCY_BOUNDS)
        self._all: tuple[Counter | Histogram, ...] = (
            self.request_count,
            self.request_latency,
            self.runtime_latency,
            self.example_counts,
            self.example_count_total,
            self.warmup_latency,
        )

    @contextlib.contextmanager
    def request(self, model_name: str, api: str, entrypoint: str) -> Iterator[None]:
        """Count a request and, if it succeeds, how long it took."""
        start = time.perf_counter()
        try:
            yield
        except StatusError as error:
            self.request_count.add(model_name, error.code)
            raise
        self.request_count.add(model_name, "OK")
        self.request_latency.observe((time.perf_counter() - start) * 1e6, model_name, api, entrypoint)

    @contextlib.contextmanager
    def runtime(self, model_name: str, api: str) -> Iterator[None]:
        """Time a run of TensorFlow, if it succeeds."""
        start = time.perf_counter()
        yield
        self.runtime_latency.observe((time.perf_counter() - start) * 1e6, model_name, api, "TF1")

    def examples(self, model_name: str, count: int) -> None:
        """Count the examples of a Classify, Regress or MultiInference request."""
        self.example_counts.observe(count, model_name)
        self.example_count_total.add(model_name, amount=count)

    def totals(self) -> dict[str, int]:
        """The sum of each metric over its labels, by path."""
        return {metric.path: metric.total() for metric in self._all}

    def text(self) -> str:
        """All metrics in Prometheus' text format."""
        lines: list[str] = []
        for metric in self._all:
            lines += [f"# TYPE {prometheus_name(metric.path)} {metric.kind}", *metric.lines()]
        return "\n".join(lines) + "\n"


def prometheus_name(path: str) -> str:
    """A metric's path as Prometheus allows it: / becomes :, and what is no letter or digit _."""
    name = re.sub(r"[^a-zA-Z0-9_:]", "_", path.replace("/", ":"))
    return f"_{name}" if name[:1].isdigit() else name


def _braces(names: Sequence[str], values: Sequence[str]) -> str:
    escaped = (value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") for value in values)
    return "{" + ",".join(f'{name}="{value}"' for name, value in zip(names, escaped)) + "}"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else f"{value:.6g}"
