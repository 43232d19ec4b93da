"""What a container runs: one component, called by the launcher of Kubeflow Pipelines or by Vertex AI.

TFX's own entry point expects what only Vertex AI gives. This one settles three things and then calls it:

- The launcher of open-source Kubeflow Pipelines gives an input artifact no type, or only its name. The types that the
  component declares are put in their place.
- TensorFlow reads neither minio:// nor s3://. The launcher keeps a local copy of such artifacts, downloads inputs into
  it and uploads outputs from it; the component gets the copy.
- Nothing makes the folders of the outputs.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import yaml
from tfx.dsl.io import fileio
from tfx.orchestration.kubeflow.v2.container import kubeflow_v2_run_executor
from tfx.utils import name_utils

from tfrec.errors import TfrecError
from tfrec.pipelines import artifacts

LOG = logging.getLogger(__name__)
_COPIES = {"minio://": "/minio/", "s3://": "/s3/"}
"""Where the launcher keeps the copies of objects, by scheme; it is the launcher that says so."""


def main(arguments: list[str]) -> int:
    """Run the executor that the arguments of the compiled pipeline name; returns the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--executor_class_path", required=True)
    parser.add_argument("--json_serialized_invocation_args", required=True)
    parser.add_argument("--json_serialized_inputs_spec_args", required=True)
    given, beam_arguments = parser.parse_known_args(arguments)
    invocation = json.loads(given.json_serialized_invocation_args)
    remote = prepare(invocation, json.loads(given.json_serialized_inputs_spec_args))
    given.json_serialized_invocation_args = json.dumps(invocation)
    try:
        kubeflow_v2_run_executor.main((given, beam_arguments))
    except TfrecError as error:
        LOG.exception("the component failed")
        print(error, file=sys.stderr)
        return 1
    _name_remote(invocation["outputs"]["outputFile"], remote)
    return 0


def prepare(invocation: dict[str, Any], inputs: dict[str, Any]) -> dict[str, str]:
    """Change an ExecutorInput as told above, given the ComponentInputsSpec, both as JSON.

    Returns:
        The remote uri of each output by that of its local copy.
    """
    for key, declared in inputs.get("artifacts", {}).items():
        for artifact in invocation["inputs"].get("artifacts", {}).get(key, {}).get("artifacts", []):
            artifact["type"] = declared["artifactType"]
    for artifact in (*_artifacts(invocation, "inputs"), *_artifacts(invocation, "outputs")):
        artifact["type"] = _importable(artifact["type"])
    for artifact in _artifacts(invocation, "inputs"):
        artifact["uri"] = local_uri(artifact["uri"])
    remote = {}
    for artifact in _artifacts(invocation, "outputs"):
        local = local_uri(artifact["uri"])
        remote[local] = artifact["uri"]
        artifact["uri"] = local
        fileio.makedirs(local)
    return remote


def local_uri(uri: str) -> str:
    """The launcher's local copy of an artifact whose scheme TensorFlow does not read; any other uri as it is."""
    for scheme, folder in _COPIES.items():
        if uri.startswith(scheme):
            return folder + uri.removeprefix(scheme)
    return uri


def _artifacts(invocation: dict[str, Any], side: str) -> Iterator[dict[str, Any]]:
    for listed in invocation.get(side, {}).get("artifacts", {}).values():
        yield from listed.get("artifacts", [])


def _importable(kind: dict[str, str]) -> dict[str, str]:
    """TFX imports a type that is not its own by the title of the schema, so the title must be the path of the class."""
    title = kind.get("schemaTitle") or yaml.safe_load(kind["instanceSchema"])["title"]
    namespace, _, name = title.partition(".")
    if namespace != "tfrec":
        return kind
    return {"schemaTitle": name_utils.get_full_name(getattr(artifacts, name))}


def _name_remote(output_file: str, remote: dict[str, str]) -> None:
    """Give the outputs in the ExecutorOutput their remote uris back."""
    with fileio.open(output_file, "r") as file:
        output = json.loads(file.read())
    for listed in output.get("artifacts", {}).values():
        for artifact in listed["artifacts"]:
            artifact["uri"] = remote.get(artifact["uri"], artifact["uri"])
    with fileio.open(output_file, "w") as file:
        file.write(json.dumps(output))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
