"""Runs a compiled pipeline as Kubeflow Pipelines v2 does, without a cluster.

The driver's part: resolve the inputs of each task once the tasks it depends on are done, and write its ExecutorInput.
The launcher's part: put it into the container's arguments, run the command, merge the ExecutorOutput into the outputs.
What a metadata store keeps of an artifact comes back to the next task: its uri, its custom properties, its type's name.
"""

import concurrent.futures
import dataclasses
import json
import os
import subprocess
import sys

import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2


@dataclasses.dataclass
class Task:
    """A task that has run: its outputs by key as RuntimeArtifacts in JSON, its ExecutorInput, and its log."""

    outputs: dict
    executor_input: dict
    log: str


class TaskFailed(Exception):
    """A container ended with another status than 0; the message is the end of its log."""


class Cluster:
    """Runs the pipeline in the file `path` with artifacts below `folder`; `log` tells when tasks begin and end."""

    def __init__(self, path, folder, workers=2):
        with open(path, encoding="utf-8") as file:
            spec, *self.platform = yaml.safe_load_all(file)
        # Unknown fields are errors here, as they are for the API server.
        message = json_format.ParseDict(spec, pipeline_spec_pb2.PipelineSpec())
        self.spec = json_format.MessageToDict(message)
        self.executors = spec["deploymentSpec"]["executors"]
        self.folder, self.workers = str(folder), workers
        self.log = []

    def run(self, **arguments):
        """Run all tasks and return them by name."""
        definitions = self.spec["root"].get("inputDefinitions", {}).get("parameters", {})
        assert set(arguments) <= set(definitions)
        parameters = {name: arguments.get(name, told.get("defaultValue")) for name, told in definitions.items()}
        tasks = self.spec["root"]["dag"]["tasks"]
        done, running = {}, {}
        with concurrent.futures.ThreadPoolExecutor(self.workers) as pool:
            while len(done) < len(tasks):
                for name, task in tasks.items():
                    if name not in done and name not in running.values() and _depends_on(task) <= set(done):
                        future = pool.submit(self._launched, name, task, parameters, dict(done))
                        running[future] = name
                assert running, f"nothing can run any more; done: {list(done)}"
                for future in concurrent.futures.wait(running, return_when="FIRST_COMPLETED").done:
                    done[running.pop(future)] = future.result()
        return done

    def _launched(self, name, task, parameters, done):
        component = self.spec["components"][task["componentRef"]["name"]]
        executor_input = self._executor_input(name, task, component, parameters, done)
        container = self.executors[component["executorLabel"]]["container"]
        python, *command = [*container["command"], *container["args"]]
        assert python == "python"
        placeholder = json.dumps(executor_input)
        command = [part.replace("{{$}}", placeholder) for part in command]
        folder = os.path.join(self.folder, "pods", name)
        os.makedirs(folder)
        self.log.append(("begins", name))
        process = subprocess.run(
            [sys.executable, *command], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.log.append(("ends", name))
        if process.returncode:
            raise TaskFailed(f"{name}: {process.stdout[-4000:]}")
        return Task(_merged(executor_input["outputs"]), executor_input, process.stdout)

    def _executor_input(self, name, task, component, parameters, done):
        inputs = task.get("inputs", {})
        values = {}
        for key, source in inputs.get("parameters", {}).items():
            if "componentInputParameter" in source:
                values[key] = parameters[source["componentInputParameter"]]
            else:
                values[key] = source["runtimeValue"]["constant"]
        assert values.keys() == component["inputDefinitions"].get("parameters", {}).keys()
        artifacts = {}
        for key, source in inputs.get("artifacts", {}).items():
            produced = source["taskOutputArtifact"]
            artifact = done[produced["producerTask"]].outputs[produced["outputArtifactKey"]]
            title = yaml.safe_load(artifact["type"]["instanceSchema"])["title"]
            artifacts[key] = {"artifacts": [{**artifact, "name": str(len(done)), "type": {"schemaTitle": title}}]}
        outputs = {
            key: {
                "artifacts": [
                    {
                        "uri": os.path.join(self.folder, self.spec["pipelineInfo"]["name"], "run-1", name, key),
                        "type": declared["artifactType"],
                        "metadata": declared.get("metadata", {}),
                    }
                ]
            }
            for key, declared in component["outputDefinitions"]["artifacts"].items()
        }
        output_file = os.path.join(self.folder, "kfp_outputs", name, "output_metadata.json")
        return {
            "inputs": {"parameterValues": values, "artifacts": artifacts},
            "outputs": {"artifacts": outputs, "outputFile": output_file},
        }


def _depends_on(task):
    produced = [
        source["taskOutputArtifact"]["producerTask"] for source in task.get("inputs", {}).get("artifacts", {}).values()
    ]
    return {*task.get("dependentTasks", []), *produced}


def _merged(outputs):
    """The outputs of an ExecutorInput with what the ExecutorOutput says of them."""
    with open(outputs["outputFile"], encoding="utf-8") as file:
        message = json_format.Parse(file.read(), pipeline_spec_pb2.ExecutorOutput())
    said = json_format.MessageToDict(message).get("artifacts", {})
    merged = {}
    for key, listed in outputs["artifacts"].items():
        [artifact] = listed["artifacts"]
        [update] = said[key]["artifacts"]
        metadata = {**artifact["metadata"], **update.get("metadata", {})}
        merged[key] = {**artifact, "uri": update.get("uri", artifact["uri"]), "metadata": metadata}
    return merged
