"""The model that is served, put to the same test as the one that may take its place."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy import sparse

from tfrec.config import Config
from tfrec.data.tables import Dataset
from tfrec.errors import ServableError
from tfrec.evaluation.recommenders import EmbeddingRecommender
from tfrec.evaluation.tasks import Task
from tfrec.export.loaded import LoadedServable
from tfrec.export.manifest import read_manifest, servable_identity
from tfrec.steps.push import latest_folder, version_folder, versions
from tfrec.steps.rollback import rollbacks, withdrawn_models
from tfrec.training.interactions import interactions

STABLE_SPLITS = ("time", "last-out")
"""Splits whose test part, as events come in, never takes in what an earlier model was trained on."""


@dataclasses.dataclass(frozen=True)
class Served:
    """The model that is served.

    Attributes:
        version: its number.
        identity: its `servable_identity`.
        model: the servable, loaded.
    """

    version: int
    identity: str
    model: LoadedServable

    @property
    def name(self) -> str:
        """What it is called in reports."""
        return f"served version {self.version}"

    def recommender(self, config: Config, dataset: Dataset, task: Task) -> ServedRecommender:
        """It as a recommender to the task's users, each asked with all that the task lets it know.

        Histories are up to date, as if requests brought them: models are compared, not the ages of what they store.
        """
        positions = pd.Index(self.model.ids, dtype=object).get_indexer(dataset.catalogue.ids)
        history = interactions(task.known, len(dataset.users)).latest(task.users, config.serving.history)
        history = np.where(history >= 0, positions[history], -1).astype(np.int32)
        queries = np.zeros((len(dataset.users), self.model.vectors.shape[1]), np.float32)
        queries[task.users] = self.model.queries(history, dataset.users, task.users.astype(np.int64))
        return ServedRecommender(self.name, queries, self.model.vectors[np.maximum(positions, 0)], positions >= 0)


class ServedRecommender(EmbeddingRecommender):
    """Recommends as the model that is served does: an item that it does not hold is in nobody's list.

    Args:
        name, queries, items: as of `EmbeddingRecommender`.
        holds: bool [N], the items it holds.
    """

    def __init__(self, name: str, queries: np.ndarray, items: np.ndarray, holds: np.ndarray) -> None:
        super().__init__(name, queries, items)
        self.holds = holds

    def recommend(
        self,
        users: np.ndarray,
        k: int,
        exclude: sparse.csr_matrix | None = None,
        candidates: np.ndarray | None = None,
        truth: sparse.csr_matrix | None = None,
    ) -> np.ndarray:
        held = np.flatnonzero(self.holds) if candidates is None else candidates[self.holds[candidates]]
        if not len(held):
            return np.full((len(users), k), -1, np.int32)
        return super().recommend(users, k, exclude, held, truth)


def served_model(push_directory: str, model: str, say: Callable[[str], None]) -> Served | None:
    """The model that is served from `push_directory`; None where there is none, or it is the one in the folder `model`.

    One that cannot be loaded is told and compared with nothing: it must not keep out a model that works.
    """
    latest = latest_folder(push_directory) if push_directory else ""
    if not latest:
        return None
    try:
        identity = servable_identity(latest)
        if identity == servable_identity(model):
            return None
        return Served(int(os.path.basename(latest)), identity, LoadedServable(latest))
    except ServableError as error:
        say(f"the model is compared with no served one: {error}")
        return None


def served_trainings(push_directory: str) -> list[str]:
    """The fingerprint of the training that each served version came from, the latest last; "" where none is told."""
    found = []
    for version in versions(push_directory):
        try:
            found.append(str(read_manifest(version_folder(push_directory, version))["hashes"]["data"]))
        except (ServableError, KeyError):
            found.append("")
    return found


def check_withdrawn(push_directory: str, model: str) -> list[str]:
    """Return why the model in the folder `model` is not blessed by what was rolled back."""
    identity = servable_identity(model)
    if not push_directory or identity not in withdrawn_models(push_directory):
        return []
    last = next(entry for entry in reversed(rollbacks(push_directory)) if entry.withdrawn_model == identity)
    why = f" ({last.why})" if last.why else ""
    return [
        f"The model was withdrawn as version {last.withdrawn} by a rollback on {last.time}{why}; train another one, or "
        f"bring it back with `tfrec rollback --to {last.withdrawn}`."
    ]
