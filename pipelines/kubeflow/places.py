"""Whether a pod can reach every path of a configuration."""

from __future__ import annotations

import os

from tfrec.config import Config
from tfrec.config_paths import paths
from tfrec.data.files import is_remote
from tfrec.errors import ConfigError


def check_places(config: Config) -> None:
    """Check that every path is in an object store or on a volume of `kubeflow.volumes`.

    Raises:
        ConfigError: naming the first setting of which that is not so.
    """
    folders = [os.path.normpath(folder) for folder in config.kubeflow.volumes.values()]
    for setting, path in paths(config):
        below = any(os.path.commonpath([folder, os.path.normpath(path)]) == folder for folder in folders)
        if not (is_remote(path) or below):
            raise ConfigError(
                f"{config.source}: {setting} is {path}, which is nowhere for a pod; give a path such as "
                "gs://bucket/folder, or one below a folder of kubeflow.volumes"
            )
