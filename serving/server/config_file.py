"""Reads the model config file again and again, and serves what it says."""

from __future__ import annotations

import logging
import threading

from tfrec.errors import ServerError
from tfrec.serving.server.errors import StatusError
from tfrec.serving.server.model_config import ModelConfig, configs_from_file
from tfrec.serving.server.registry import Registry

log = logging.getLogger(__name__)


class ConfigFile:
    """Looks at the file `path` every `wait` seconds; one that cannot be served is logged, and changes nothing."""

    def __init__(self, path: str, wait: float, registry: Registry) -> None:
        self._path = path
        self._wait = wait
        self._registry = registry
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="model config file", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        served: list[ModelConfig] | None = None
        told = ""
        while not self._stopping.wait(self._wait):
            try:
                configs = configs_from_file(self._path)
                if configs != served:
                    self._registry.reload(configs, lambda: not self._stopping.is_set())
                    served = configs
                told = ""
            except (ServerError, StatusError) as error:
                if str(error) != told:  # and not at every poll
                    told = str(error)
                    log.error("the model config file %s is not served: %s", self._path, error)
