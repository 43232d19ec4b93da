"""The models of a server: from a request's model spec to a loaded version, and from one configuration to the next."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from tensorflow_serving.apis import model_pb2

from tfrec.errors import ServableError
from tfrec.serving.server.batching import Limits, batching_from_file
from tfrec.serving.server.errors import StatusError, invalid
from tfrec.serving.server.manager import AVAILABLE, ModelManager, Version, not_found
from tfrec.serving.server.metrics import Metrics
from tfrec.serving.server.model_config import ModelConfig, check_platforms
from tfrec.serving.server.options import Options
from tfrec.serving.server.servable import Runnable


class Registry:
    """Models by name; safe to use from several threads."""

    def __init__(self, options: Options, metrics: Metrics) -> None:
        self._options = options
        self._metrics = metrics
        self._limits = Limits(batching_from_file(options.batching_parameters_file)) if options.batching else None
        self._managers: dict[str, ModelManager] = {}
        self._changing = threading.Lock()

    def start(self, configs: Sequence[ModelConfig]) -> None:
        """Serve `configs`, and return once each model has a version to serve and its others were tried.

        Raises:
            ServableError: a model has no version, none of them can be loaded, or a label names one that is not there.
        """
        try:
            self._apply(configs, retries=self._options.load_retries if self._options.wait_for_model else 0)
        except StatusError as error:
            self.stop(0)
            raise ServableError(f"Failed to start server. Error: {error.code}: {error.message}") from error
        for name, manager in self._managers.items():
            if not manager.versions() and not self._options.wait_for_model:
                self.stop(0)
                base = manager.config.base_path.rstrip("/") if manager.config else ""
                raise ServableError(
                    f"there is no version of model {name!r} to serve: expected a numbered folder with a SavedModel, "
                    f"such as {base}/1; give the folder that holds the versions"
                    f"{manager.base_path_error and f' ({manager.base_path_error})'}"
                )
        failed = self._failed(self._managers, lambda: True)
        if failed:
            self.stop()
            raise ServableError(
                f"Failed to start server. Error: UNKNOWN: {len(failed)} servable(s) did not become available: "
                f"{{{''.join(failed)}}}"
            )
        for manager in self._managers.values():
            manager.retries = self._options.load_retries

    def reload(self, configs: Sequence[ModelConfig], waiting: Callable[[], bool] = lambda: True) -> None:
        """Serve `configs` and nothing else, and return once the models that are new have a version to serve.

        Nobody waits for other versions of a model that was served before, as in TensorFlow Serving.

        Args:
            waiting: asked now and then whether the caller still waits.

        Raises:
            StatusError: the configuration is refused, and the one before stays; or UNKNOWN, no version of a new model
                can be loaded.
        """
        failed = self._failed(self._apply(configs, self._options.load_retries), waiting)
        if failed:
            raise StatusError("UNKNOWN", f"{len(failed)} model(s) did not become available: {{{''.join(failed)}}}")

    def stop(self, grace: float = 10.0) -> None:
        """Close all versions once no request uses them, but at most `grace` seconds later for each model."""
        for manager in self._managers.values():
            manager.stop(grace)

    @contextlib.contextmanager
    def handle(self, spec: model_pb2.ModelSpec) -> Iterator[tuple[int, Runnable]]:
        """The version that `spec` names, kept loaded while the context lasts.

        Raises:
            StatusError: it is not available.
        """
        if not spec.name:
            raise invalid("ModelSpec has no name specified.")
        manager = self._managers.get(spec.name)
        choice = spec.WhichOneof("version_choice")
        number = spec.version.value if choice == "version" else None
        if choice == "version_label":
            config = manager.config if manager else None
            if config is None or spec.version_label not in config.labels:
                raise invalid(f"Unrecognized servable version label: {spec.version_label}")
            number = config.labels[spec.version_label]
        if manager is None:
            raise not_found(spec.name, number)
        with manager.handle(number) as (version, servable):
            yield version, servable

    def versions(self, name: str) -> list[Version]:
        """All versions of a model that were ever seen, newest first; none of an unknown model."""
        manager = self._managers.get(name)
        return manager.versions() if manager else []

    def _apply(self, configs: Sequence[ModelConfig], retries: int) -> list[str]:
        """Serve `configs` and nothing else; the names of models that are new, or of which no version was ever seen."""
        with self._changing:
            current = {name: manager.config for name, manager in self._managers.items() if manager.config}
            check_platforms(configs, current)
            seen = {name for name in current if self._managers[name].versions()}
            for config in configs:
                before = current.get(config.name)
                self._check_labels(config, {} if before is None else before.labels)
            wanted = {config.name for config in configs}
            for config in configs:
                manager = self._managers.get(config.name) or ModelManager(
                    config, self._options, self._metrics, self._limits, retries
                )
                manager.configure(config)
                self._managers = {**self._managers, config.name: manager}  # readers take no lock
            for name in set(current) - wanted:
                self._managers[name].configure(None)
            return [config.name for config in configs if config.name not in seen]

    def _check_labels(self, config: ModelConfig, before: Mapping[str, int]) -> None:
        states = {version.number: version.state for version in self.versions(config.name)}
        for label, number in config.labels.items():
            moves = before.get(label, number) != number
            if states.get(number) != AVAILABLE and (moves or not self._options.labels_for_unavailable):
                raise StatusError(
                    "FAILED_PRECONDITION",
                    f"Request to assign label to version {number} of model {config.name}, which is not currently "
                    "available for inference",
                )

    def _failed(self, names: Iterable[str], waiting: Callable[[], bool]) -> list[str]:
        """What failed of each model that has none to serve once it has settled, as TensorFlow Serving tells it."""
        failed = []
        for name in names:
            version = self._managers[name].settle(waiting)
            if version is not None and version.error is not None:
                error = f"{version.error.code}: {version.error.message}"
                failed.append(f"{{{{name: {name} version: {version.number}}} due to error: {error}}}, ")
        return failed
