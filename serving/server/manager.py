"""The versions of one model: found, loaded, swapped without a gap, and unloaded once no request uses them.

One thread looks for versions and moves them from state to state; requests only count themselves in and out. A version
that is to go stays until a wanted one is available, as in TensorFlow Serving's availability-preserving policy.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import threading
import time
from collections.abc import Callable, Iterator

from tfrec.serving.server.batching import BatchedServable, Limits
from tfrec.serving.server.errors import StatusError
from tfrec.serving.server.memory import give_back
from tfrec.serving.server.metrics import Metrics
from tfrec.serving.server.model_config import ModelConfig
from tfrec.serving.server.options import Options
from tfrec.serving.server.servable import Runnable, load_servable, session_config
from tfrec.serving.server.versions import found_versions, wanted_versions
from tfrec.serving.server.warmup import warm_up

START, LOADING, AVAILABLE, UNLOADING, END = 10, 20, 30, 40, 50
log = logging.getLogger(__name__)


@dataclasses.dataclass
class Version:
    """One version: `in_use` counts the requests that hold it, `next_attempt` is the clock's time of the next load."""

    number: int
    path: str
    state: int = START
    wanted: bool = True
    servable: Runnable | None = None
    error: StatusError | None = None
    in_use: int = 0
    attempts: int = 0
    next_attempt: float = 0.0


class ModelManager:
    """Serves the versions of the model that `config` names.

    Attributes:
        config: the model, or None once it is no longer to be served.
        base_path_error: why the versions could not be looked up the last time, or "".
        retries: how often a load that failed is tried again.
    """

    def __init__(
        self, config: ModelConfig, options: Options, metrics: Metrics, limits: Limits | None, retries: int
    ) -> None:
        self.config: ModelConfig | None = config
        self.base_path_error = ""
        self.retries = retries
        self._name = config.name
        self._options = options
        self._metrics = metrics
        self._limits = limits
        self._versions: dict[int, Version] = {}
        self._changed = threading.Condition()
        self._looking = threading.Lock()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=f"versions of {config.name}", daemon=True)

    def configure(self, config: ModelConfig | None) -> None:
        """Serve what `config` says from now on; the versions are looked up at once and loaded in the background."""
        with self._looking:
            self.config = config
            self._look()
        if not self._thread.is_alive():
            self._thread.start()
        with self._changed:
            self._changed.notify_all()

    def settle(self, waiting: Callable[[], bool] = lambda: True) -> Version | None:
        """Wait until there is a version to serve and each wanted one was tried, or until all of them are given up.

        Returns:
            A version that failed, where there is none to serve.

        Args:
            waiting: asked now and then whether anybody still waits.
        """
        with self._changed:
            while not (self._stopping or self._settled()) and waiting():
                self._changed.wait(0.1)
            wanted = [version for version in self._versions.values() if version.wanted]
            if any(version.state == AVAILABLE for version in wanted):
                return None
            return next((version for version in wanted if version.error), None)

    def stop(self, grace: float = 10.0) -> None:
        """Stop looking, and close all versions once no request uses them, but at most `grace` seconds later."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join()
        with self._changed:
            versions = list(self._versions.values())
            self._changed.wait_for(lambda: not any(version.in_use for version in versions), grace)
            idle = [version for version in versions if version.servable and not version.in_use]
        for version in idle:
            self._close(version)

    @contextlib.contextmanager
    def handle(self, number: int | None) -> Iterator[tuple[int, Runnable]]:
        """The available version `number`, or the latest for None, kept loaded while the context lasts.

        Raises:
            StatusError: NOT_FOUND, that version is not available.
        """
        with self._changed:
            available = [version for version in self._versions.values() if version.state == AVAILABLE]
            if number is not None:
                available = [version for version in available if version.number == number]
            if not available:
                raise not_found(self._name, number)
            version = max(available, key=lambda candidate: candidate.number)
            version.in_use += 1
            assert version.servable is not None
        try:
            yield version.number, version.servable
        finally:
            with self._changed:
                version.in_use -= 1
                self._changed.notify_all()

    def versions(self) -> list[Version]:
        """Copies of all versions ever seen, newest first."""
        with self._changed:
            return sorted(map(dataclasses.replace, self._versions.values()), key=lambda version: -version.number)

    def _settled(self) -> bool:
        if self.config is None:
            return True
        wanted = [version for version in self._versions.values() if version.wanted]
        if any(version.state == AVAILABLE for version in wanted):
            return all(version.state in (AVAILABLE, END) or version.error for version in wanted)
        return bool(wanted) and all(version.state == END for version in wanted)

    def _run(self) -> None:
        wait = self._options.poll_wait
        next_look = time.monotonic() + wait if wait > 0 else float("inf")
        while not self._stopping:
            if time.monotonic() >= next_look:
                with self._looking:
                    self._look()
                next_look = time.monotonic() + wait
            if self._step():
                continue
            with self._changed:
                self._changed.notify_all()
                pause = min(next_look, self._next_attempt()) - time.monotonic()
                if pause > 0 and not self._stopping and not self._idle_unloading():
                    self._changed.wait(None if pause == float("inf") else pause)

    def _next_attempt(self) -> float:
        attempts = [version.next_attempt for version in self._versions.values() if version.state == LOADING]
        return min(attempts, default=float("inf"))

    def _look(self) -> None:
        """Mark the versions found now as wanted, and the others as not."""
        config = self.config
        try:
            found = found_versions(config.base_path) if config else {}
            self.base_path_error = ""
        except OSError as error:
            assert config is not None
            self.base_path_error = str(error)
            log.error("Could not find base path %s for servable %s with error %s", config.base_path, config.name, error)
            return
        if config and not found:
            log.warning(
                "No versions of servable %s found under base path %s. "
                "Did you forget to name your leaf directory as a number (eg. '/1/')?",
                config.name, config.base_path,
            )  # fmt: skip
        paths = wanted_versions(found, config.policy) if config else {}
        with self._changed:
            for number, version in self._versions.items():
                version.wanted = version.wanted and number in paths
            for number, path in paths.items():
                known = self._versions.get(number)
                if known is None or (known.state == END and not known.wanted):
                    self._versions[number] = Version(number, path)
                elif known.state != UNLOADING:
                    known.wanted = True

    def _step(self) -> bool:
        """Take the next action there is, if any: end, unload or load one version."""
        with self._changed:
            version = self._idle_unloading()
            unload = version is not None
            if version is None:
                self._drop_unwanted()
                version = self._idle_unloading() or self._to_load()
                unload = version is not None and version.state == UNLOADING
                if version is not None and not unload:
                    version.state = LOADING
        if version is None:
            return False
        if unload:
            self._close(version)
        else:
            self._load(version)
        if version.servable is None:
            give_back()
        return True

    def _idle_unloading(self) -> Version | None:
        for version in self._versions.values():
            if version.state == UNLOADING and not version.in_use:
                return version
        return None

    def _drop_unwanted(self) -> None:
        wanted = [version for version in self._versions.values() if version.wanted]
        replaced = not wanted or any(version.state == AVAILABLE for version in wanted)
        for version in self._versions.values():
            if version.wanted:
                continue
            if version.state in (START, LOADING):
                version.state = END
            elif version.state == AVAILABLE and replaced:
                version.state = UNLOADING

    def _to_load(self) -> Version | None:
        now = time.monotonic()
        ready = [
            version
            for version in self._versions.values()
            if version.state == START or (version.state == LOADING and version.next_attempt <= now)
        ]
        return max(ready, key=lambda version: version.number, default=None)

    def _load(self, version: Version) -> None:
        options = self._options
        servable: Runnable | None = None
        try:
            threads = session_config(
                options.session_parallelism, options.intra_op_parallelism, options.inter_op_parallelism
            )
            servable = load_servable(version.path, options.tags, threads)
            if self._limits is not None:
                servable = BatchedServable(servable, self._limits)
            if options.warmup:
                warm_up(servable, version.path, options.warmup_iterations, self._metrics)
        except Exception as error:
            if servable is not None:
                servable.close()
            self._failed(version, error if isinstance(error, StatusError) else StatusError("UNKNOWN", repr(error)))
            return
        with self._changed:
            version.servable, version.error, version.state = servable, None, AVAILABLE
        log.info("version %d of model %s is available", version.number, self._name)

    def _failed(self, version: Version, error: StatusError) -> None:
        with self._changed:
            version.attempts += 1
            # The exception itself would keep the frames it went through, and with them the graph that failed.
            version.error = StatusError(error.code, error.message)
            version.next_attempt = time.monotonic() + self._options.load_retry_interval
            if version.attempts > self.retries:
                version.state = END
        log.error(
            "version %d of model %s failed to load (attempt %d of %d): %s",
            version.number, self._name, version.attempts, self.retries + 1, error.message,
        )  # fmt: skip

    def _close(self, version: Version) -> None:
        assert version.servable is not None
        version.servable.close()
        with self._changed:
            version.servable, version.state = None, END
        log.info("version %d of model %s is unloaded", version.number, self._name)


def not_found(name: str, number: int | None) -> StatusError:
    """The error for a model or version that is not available."""
    wanted = f"Latest({name})" if number is None else f"Specific({name}, {number})"
    return StatusError("NOT_FOUND", f"Servable not found for request: {wanted}")
