"""Where the commands put things below `data.output`, and how the latest model is found."""

from __future__ import annotations

import dataclasses
import json
import os
from typing import Any

from tfrec.config import Config
from tfrec.data.files import is_remote
from tfrec.errors import ServableError

EXTRA = "assets.extra"


@dataclasses.dataclass(frozen=True)
class Workspace:
    """The folders of one configuration; `output` is its data.output."""

    output: str

    @classmethod
    def of(cls, config: Config) -> Workspace:
        return cls(config.data.output)

    @property
    def data(self) -> str:
        """What ingestion writes: media, quarantine.jsonl, report.json."""
        return os.path.join(self.output, "data")

    def data_of(self, worker: int) -> str:
        """What ingestion writes on one of several machines that train together; the chief's is `data`."""
        return os.path.join(self.data, f"worker-{worker}") if worker else self.data

    @property
    def training(self) -> str:
        """The state of the training."""
        return os.path.join(self.output, "training")

    @property
    def tuning(self) -> str:
        """The searches for settings, and the results of the last one."""
        return os.path.join(self.output, "tuning")

    @property
    def models(self) -> str:
        """The models that `tfrec train` exported, numbered."""
        return os.path.join(self.output, "models")

    def evaluation(self, model: str) -> str:
        """The report on the model in the folder `model`."""
        return os.path.join(self.output, "evaluation", os.path.basename(model.rstrip("/")))

    def latest_model(self) -> str:
        """The folder of the model exported last, "" if there is none."""
        numbers = numbered(self.models)
        return os.path.join(self.models, str(numbers[-1])) if numbers else ""

    def next_model(self) -> str:
        """The folder for the model to export next."""
        return os.path.join(self.models, str(max(numbered(self.models), default=0) + 1))


def numbered(directory: str) -> list[int]:
    """The numbers among the names in `directory`, ascending; none where it is no folder."""
    if is_remote(directory):
        from tfrec.steps.push import versions

        return versions(directory)
    if not os.path.isdir(directory):
        return []
    return sorted(int(name) for name in os.listdir(directory) if name.isascii() and name.isdigit())


def servable_folder(directory: str) -> str:
    """The folder of one version: `directory` itself if a SavedModel is in it, else the latest version below it.

    Raises:
        ServableError: if there is neither.
    """
    if _exists(os.path.join(directory, "saved_model.pb")):
        return directory.rstrip("/")
    for number in reversed(numbered(directory)):
        folder = os.path.join(directory, str(number))
        if _exists(os.path.join(folder, "saved_model.pb")):
            return folder
    raise ServableError(
        f"{directory} holds no model; give a folder with saved_model.pb in it, or the one above its numbered versions"
    )


def model_name(servable: str) -> str:
    """The name that a local servable's manifest gives it, "" if it cannot be told."""
    path = os.path.join(servable, EXTRA, "tfrec_manifest.json")
    if not os.path.isfile(path):
        return ""
    try:
        with open(path, encoding="utf-8") as file:
            return str(json.load(file).get("name", ""))
    except (OSError, ValueError) as error:
        raise ServableError(f"the manifest {path} cannot be read: {error}") from error


def titles_file(servable: str) -> str:
    """The path of a servable's list of items."""
    return os.path.join(servable, EXTRA, "items.jsonl")


def _exists(path: str) -> Any:
    if is_remote(path):
        import tensorflow as tf

        return tf.io.gfile.exists(path)
    return os.path.exists(path)
