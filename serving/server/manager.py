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
from collections.abc import Iterator

from tfrec.errors import ServableError
from tfrec.serving.server.errors import StatusError
from tfrec.serving.server.options import Options
from tfrec.serving.server.servable import Servable, load_servable
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
    servable: Servable | None = None
    error: StatusError | None = None
    in_use: int = 0
    attempts: int = 0
    next_attempt: float = 0.0


class ModelManager:
    """Serves the versions of the model that `options` names."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self._versions: dict[int, Version] = {}
        self._changed = threading.Condition()
        self._stopping = False
        self._look_error = ""
        self._starting = True
        self._thread = threading.Thread(target=self._run, name=f"versions of {options.model_name}", daemon=True)

    def start(self) -> None:
        """Start serving and return once every version wanted at first is loaded.

        Raises:
            ServableError: there is none, or one could not be loaded.
        """
        self._look()
        if not self._versions and not self.options.wait_for_model:
            raise ServableError(
                f"there is no version of model {self.options.model_name!r} to serve: expected a numbered folder with "
                f"a SavedModel, such as {self.options.base_path.rstrip('/')}/1; give the folder that holds the versions"
                f"{self._look_error and f' ({self._look_error})'}"
            )
        self._thread.start()
        with self._changed:
            self._changed.wait_for(lambda: self._stopping or self._settled())
            self._starting = False
            failed = [version for version in self._versions.values() if version.wanted and version.error]
        if failed:
            self.stop()
            reasons = ", ".join(
                f"{{name: {self.options.model_name} version: {version.number}}} due to error: "
                f"{version.error.code}: {version.error.message}"  # type: ignore[union-attr]
                for version in failed
            )
            raise ServableError(
                f"Failed to start server: {len(failed)} servable(s) did not become available: {{{reasons}}}"
            )

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
    def handle(self, number: int | None) -> Iterator[tuple[int, Servable]]:
        """The available version `number`, or the latest for None, kept loaded while the context lasts.

        Raises:
            StatusError: NOT_FOUND, that version is not available.
        """
        with self._changed:
            available = [version for version in self._versions.values() if version.state == AVAILABLE]
            if number is not None:
                available = [version for version in available if version.number == number]
            if not available:
                raise not_found(self.options.model_name, number)
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
        wanted = [version for version in self._versions.values() if version.wanted]
        return bool(wanted) and all(version.state in (AVAILABLE, END) for version in wanted)

    def _run(self) -> None:
        wait = self.options.poll_wait
        next_look = time.monotonic() + wait if wait > 0 else float("inf")
        while not self._stopping:
            if time.monotonic() >= next_look:
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
        try:
            found = found_versions(self.options.base_path)
        except OSError as error:
            self._look_error = str(error)
            log.error(
                "Could not find base path %s for servable %s with error %s",
                self.options.base_path, self.options.model_name, error,
            )  # fmt: skip
            return
        if not found:
            log.warning(
                "No versions of servable %s found under base path %s. "
                "Did you forget to name your leaf directory as a number (eg. '/1/')?",
                self.options.model_name, self.options.base_path,
            )  # fmt: skip
        paths = wanted_versions(found, self.options.policy)
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
        name = self.options.model_name
        servable = None
        try:
            servable = load_servable(version.path)
            if self.options.warmup:
                warm_up(servable, version.path, self.options.warmup_iterations)
        except Exception as error:
            if servable is not None:
                servable.close()
            self._failed(version, error if isinstance(error, StatusError) else StatusError("UNKNOWN", repr(error)))
            return
        with self._changed:
            version.servable, version.error, version.state = servable, None, AVAILABLE
        log.info("version %d of model %s is available", version.number, name)

    def _failed(self, version: Version, error: StatusError) -> None:
        retries = self.options.load_retries
        if self._starting and not self.options.wait_for_model:
            retries = 0
        with self._changed:
            version.attempts += 1
            version.error = error
            version.next_attempt = time.monotonic() + self.options.load_retry_interval
            if version.attempts > retries:
                version.state = END
        log.error(
            "version %d of model %s failed to load (attempt %d of %d): %s",
            version.number, self.options.model_name, version.attempts, retries + 1, error.message,
        )  # fmt: skip

    def _close(self, version: Version) -> None:
        assert version.servable is not None
        version.servable.close()
        with self._changed:
            version.servable, version.state = None, END
        log.info("version %d of model %s is unloaded", version.number, self.options.model_name)


def not_found(name: str, number: int | None) -> StatusError:
    """The error for a model or version that is not available."""
    wanted = f"Latest({name})" if number is None else f"Specific({name}, {number})"
    return StatusError("NOT_FOUND", f"Servable not found for request: {wanted}")
