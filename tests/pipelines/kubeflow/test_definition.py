"""The compiled pipeline: kfp and Vertex AI load it, and it holds what the configuration asks for."""

import dataclasses

import kfp.components
import pytest
import yaml

from tfrec.errors import ConfigError
from tfrec.pipelines.fingerprints import take_fingerprints, unread_fingerprints
from tfrec.pipelines.kubeflow.definition import definition, write_definition

RESOURCES = {
    "all": {"cpu": 2, "memory": 8},
    "Trainer": {
        "cpu": 8,
        "memory": 32,
        "accelerator": "nvidia.com/gpu",
        "nodes": {"cloud.google.com/gke-accelerator": "nvidia-l4"},
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
    },
}


def compiled(config):
    return definition(config, unread_fingerprints("now"))


def test_kfp_loads_the_file(settings, tmp_path):
    config = settings(root="gs://bucket/root")
    fingerprints = take_fingerprints(config)
    parameters = write_definition(config, fingerprints, str(tmp_path / "pipeline.yaml"))
    loaded = kfp.components.load_component_from_file(str(tmp_path / "pipeline.yaml"))
    inputs = loaded.component_spec.inputs
    assert {name: given.default for name, given in inputs.items()} == parameters
    assert parameters["items_path"] == config.data.items
    assert parameters["events_fingerprint"] == fingerprints.events
    assert len(loaded.pipeline_spec.root.dag.tasks) == 11


def test_vertex_ai_loads_the_file_of_a_configuration_without_kubernetes(settings, shop, tmp_path):
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import aiplatform

    bucket = {
        "items": "gs://b/i.jsonl",
        "events": "gs://b/e.jsonl",
        "users": "",
        "media": "gs://b",
        "output": "gs://b/o",
    }
    features = {"category": "category"}
    resources = {"Trainer": {"cpu": 4, "memory": 16, "accelerator": "NVIDIA_L4"}}
    document = shop.document(data=bucket, kubeflow={"image": "tfrec:1", "root": "gs://b/r", "resources": resources})
    document["schema"]["items"]["features"] = features
    from tfrec.config import parse_config

    config = parse_config(document, str(tmp_path / "shop.yaml"))
    path = str(tmp_path / "pipeline.yaml")
    write_definition(config, unread_fingerprints("now"), path)
    job = aiplatform.PipelineJob(
        display_name="shop",
        template_path=path,
        parameter_values={"items_path": "gs://b/new.jsonl"},
        project="project",
        location="europe-west4",
        credentials=AnonymousCredentials(),
    )
    runtime = job._gca_resource.runtime_config
    assert runtime.gcs_output_directory == "gs://b/r"
    assert runtime.parameter_values["items_path"] == "gs://b/new.jsonl"


def test_resources_nodes_volumes_and_caching_are_those_of_the_configuration(settings):
    config = settings(resources=RESOURCES, cache=False, retries=2, secrets={"wandb": "/secrets/wandb"})
    (spec, platform), _ = compiled(config)
    executors = spec["deploymentSpec"]["executors"]
    trainer, others = executors["Trainer_executor"]["container"], executors["Pusher_executor"]["container"]
    assert trainer["image"] == "registry.example/tfrec:1"
    assert (trainer["resources"]["cpuLimit"], trainer["resources"]["memoryLimit"]) == (8, 32)
    assert trainer["resources"]["accelerator"] == {"type": "nvidia.com/gpu", "count": "1"}
    assert others["resources"]["cpuLimit"] == 2 and "accelerator" not in others["resources"]
    tasks = spec["root"]["dag"]["tasks"].values()
    assert all(task["cachingOptions"] == {"enableCache": False} for task in tasks)
    assert all(task["retryPolicy"] == {"maxRetryCount": 2} for task in tasks)
    pods = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert pods["Trainer_executor"]["nodeSelector"] == {"labels": RESOURCES["Trainer"]["nodes"]}
    assert pods["Trainer_executor"]["tolerations"] == RESOURCES["Trainer"]["tolerations"]
    assert "nodeSelector" not in pods["Pusher_executor"]
    for pod in pods.values():
        assert [mount["constant"] for mount in pod["pvcMount"]] == ["shop", "encoders"]
        assert pod["secretAsVolume"] == [{"secretName": "wandb", "mountPath": "/secrets/wandb"}]


def test_nothing_open_source_kubeflow_cannot_run_is_in_it(settings):
    (spec, _), _ = compiled(settings())
    assert spec["schemaVersion"] == "2.1.0"
    for executor in spec["deploymentSpec"]["executors"].values():
        assert executor.keys() == {"container"}
        assert "lifecycle" not in executor["container"]


def test_beam_options_reach_the_components_that_run_on_beam(shop, settings):
    beam = ["--runner=FlinkRunner", "--flink_master=flink:8081"]
    config = settings()
    document = shop.document(pipeline={"beam": beam})
    import dataclasses

    from tfrec.config import parse_config

    config = dataclasses.replace(config, pipeline=parse_config(document, config.source).pipeline)
    (spec, _), _ = compiled(config)
    for name in ("EventIngest", "StatisticsGen", "Transform", "ContentEncoder"):
        assert spec["deploymentSpec"]["executors"][f"{name}_executor"]["container"]["args"][-2:] == beam


@pytest.mark.parametrize(
    ("kubeflow", "sentence"),
    [
        ({"image": ""}, r"kubeflow\.image is missing"),
        ({"volumes": {}}, r"data\.items is .* nowhere for a pod"),
        ({"resources": {"Trainr": {"cpu": 1}}}, "kubeflow.resources names 'Trainr'"),
        ({"resources": {"Trainer": {"cpus": 1}}}, "did you mean 'cpu'"),
        ({"volumes": {"data": "data"}}, "expected an absolute folder"),
        ({"resources": {"Trainer": {"nodes": {"gpu": True}}}}, "quote numbers and true"),
        ({"retries": -1}, r"kubeflow\.retries is -1"),
    ],
)
def test_a_setting_that_does_not_fit_is_one_sentence(settings, kubeflow, sentence):
    with pytest.raises(ConfigError, match=sentence):
        compiled(settings(**kubeflow))


def test_a_training_of_several_machines_is_refused(settings):
    config = settings()
    several = dataclasses.replace(config, training=dataclasses.replace(config.training, strategy="multi-worker"))
    with pytest.raises(ConfigError, match="multi-worker, but the pipeline's Trainer is one process; choose one"):
        compiled(several)


def test_the_command_line_writes_the_file(shop, settings, tmp_path, capsys):
    from tfrec.cli.main import main

    path = shop.folder / "shop.yaml"
    kubeflow = {"image": "tfrec:1", "volumes": dict(settings().kubeflow.volumes)}
    path.write_text(yaml.safe_dump(yaml.safe_load(yaml.safe_dump(shop.document(kubeflow=kubeflow)))))
    out = tmp_path / "pipeline.yaml"
    assert main(["pipeline", "compile", "-c", str(path), "--runner", "kubeflow", "--out", str(out)]) == 0
    assert "items_path" in capsys.readouterr().out
    spec, _ = yaml.safe_load_all(out.read_text())
    assert spec["pipelineInfo"]["name"] == "shop"
    assert main(["pipeline", "run", "-c", str(path), "--runner", "kubeflow"]) == 2
