"""TFX's Pusher with versions that grow by one and appear whole, as TensorFlow Serving needs them."""

from __future__ import annotations

import json
import os

from tfx.components import Pusher
from tfx.components.pusher import executor
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.dsl.io import fileio
from tfx.proto import pusher_pb2
from tfx.types import artifact_utils
from tfx.utils import json_utils, proto_utils

from tfrec.export.manifest import servable_identity
from tfrec.steps.push import latest_folder, push, remove_old_versions

DESTINATION = "pushed_destination"


class Executor(executor.Executor):
    """Pushes a blessed model with `tfrec.steps.push`; TFX's own copies file by file into the final folder.

    A model that is the latest version already is not copied once more. The artifact gets a file that names the version
    in place of TFX's second copy of the model.
    """

    def Do(self, input_dict, output_dict, exec_properties) -> None:
        pushed_model = artifact_utils.get_single_instance(output_dict["pushed_model"])
        if not self.CheckBlessing(input_dict):
            self._MarkNotPushed(pushed_model)
            return
        destination = pusher_pb2.PushDestination()
        proto_utils.json_to_proto(exec_properties["push_destination"], destination)
        keep = json_utils.loads(exec_properties["custom_config"])["keep"]
        version = _pushed(self.GetModelPath(input_dict), destination.filesystem.base_directory, keep)
        self._MarkPushed(pushed_model, pushed_destination=version, pushed_version=os.path.basename(version))
        with fileio.open(os.path.join(pushed_model.uri, "pushed.json"), "w") as file:
            file.write(json.dumps({"destination": version}))


def _pushed(model: str, directory: str, keep: int) -> str:
    """The folder of the version that the model has now; see `tfrec.steps.push`."""
    latest = latest_folder(directory)
    if not latest or servable_identity(latest) != servable_identity(model):
        return push(model, directory, keep)
    remove_old_versions(directory, keep)
    return latest


class ServablePusher(Pusher):
    """The Pusher with this executor; takes the same arguments."""

    EXECUTOR_SPEC = ExecutorClassSpec(Executor)
