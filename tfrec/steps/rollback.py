"""Takes the model that is served back: the one before it becomes the latest version again."""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections.abc import Callable

import tensorflow as tf

from tfrec.data.files import write_text
from tfrec.errors import ServableError
from tfrec.export.manifest import servable_identity
from tfrec.steps.push import push, remove_old_versions, version_folder, versions

LOG_FILE = "rollbacks.jsonl"
"""In the folder of the versions: a line of JSON for each rollback. Servers take no notice of it."""


@dataclasses.dataclass(frozen=True)
class Rollback:
    """One line of the log.

    Attributes:
        time: when, in UTC.
        withdrawn: the version that was served; `withdrawn_model`: its `servable_identity`.
        restored: the version that came back, as it was numbered when it was pushed first; `restored_model` likewise.
        version: the number it has got now.
        why: what the operator said.
    """

    time: str
    withdrawn: int
    withdrawn_model: str
    restored: int
    restored_model: str
    version: int
    why: str = ""


def roll_back(
    push_directory: str,
    to: int | None = None,
    why: str = "",
    keep: int = 0,
    clock: Callable[[], time.struct_time] = time.gmtime,
) -> Rollback:
    """Push an earlier version again, under a number above all others, and note that the latest one is withdrawn.

    Servers serve the highest number, so they take it over as they take over any new version, without a gap; numbers
    never go down, and no number ever names two models. A second rollback goes further back, not to and fro.

    Args:
        to: the version to go back to; None for the one before, passing over those that were withdrawn.
        why: for the log.
        keep: how many versions are left, see `tfrec.steps.push`.

    Raises:
        ServableError: if there is no such version, or it is the model that is served.
    """
    numbers = versions(push_directory)
    if not numbers:
        raise ServableError(f"{push_directory} has no versions; there is nothing to roll back")
    log = rollbacks(push_directory)
    first_number = {entry.version: entry.restored for entry in log}
    latest = numbers[-1]
    served = servable_identity(version_folder(push_directory, latest))
    if to is None:
        gone = {served, *withdrawn_models(push_directory)}
        before = first_number.get(latest, latest)
        for to in reversed([number for number in numbers if number < before]):
            if servable_identity(version_folder(push_directory, to)) not in gone:
                break
        else:
            raise ServableError(
                f"there is no version before {latest} in {push_directory} that was not withdrawn; "
                "name the one to go back to with --to"
            )
    folder = version_folder(push_directory, to)
    restored = servable_identity(folder)
    if restored == served:
        raise ServableError(f"version {to} is the model that is served as version {latest}; name another one with --to")
    pushed = push(folder, push_directory)
    entry = Rollback(
        time=time.strftime("%Y-%m-%dT%H:%M:%SZ", clock()),
        withdrawn=latest,
        withdrawn_model=served,
        restored=first_number.get(to, to),
        restored_model=restored,
        version=int(os.path.basename(pushed)),
        why=why,
    )
    lines = [json.dumps(dataclasses.asdict(line), ensure_ascii=False) + "\n" for line in (*log, entry)]
    write_text(os.path.join(push_directory, LOG_FILE), lines)
    remove_old_versions(push_directory, keep)
    return entry


def rollbacks(push_directory: str) -> list[Rollback]:
    """The log, the oldest first; empty where nothing was rolled back."""
    path = os.path.join(push_directory, LOG_FILE)
    if not tf.io.gfile.exists(path):
        return []
    with tf.io.gfile.GFile(path) as file:
        return [Rollback(**json.loads(line)) for line in file.read().splitlines() if line]


def withdrawn_models(push_directory: str) -> set[str]:
    """The `servable_identity` of every model that was taken back and did not come back since."""
    withdrawn: set[str] = set()
    for entry in rollbacks(push_directory):
        withdrawn.add(entry.withdrawn_model)
        withdrawn.discard(entry.restored_model)
    return withdrawn
