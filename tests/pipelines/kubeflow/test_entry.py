"""What the entry point of a container makes of an ExecutorInput."""

from tfrec.pipelines.kubeflow.entry import local_uri, prepare

EXAMPLES = {"instanceSchema": "title: tfx.Examples\ntype: object\n"}
MEDIA = {"instanceSchema": "title: tfrec.CatalogueMedia\ntype: object\n"}


def listed(**artifact):
    return {"artifacts": [artifact]}


def test_inputs_get_the_types_that_the_component_declares():
    invocation = {
        "inputs": {"artifacts": {"examples": listed(uri="gs://b/1"), "media": listed(uri="gs://b/2", type={})}},
        "outputs": {"artifacts": {}},
    }
    declared = {"artifacts": {"examples": {"artifactType": EXAMPLES}, "media": {"artifactType": MEDIA}}}
    assert prepare(invocation, declared) == {}
    artifacts = invocation["inputs"]["artifacts"]
    assert artifacts["examples"]["artifacts"][0]["type"] == EXAMPLES
    expected = {"schemaTitle": "tfrec.pipelines.artifacts.CatalogueMedia"}
    assert artifacts["media"]["artifacts"][0]["type"] == expected


def test_the_folders_of_outputs_are_made(tmp_path):
    uri = str(tmp_path / "run" / "media")
    invocation = {"inputs": {}, "outputs": {"artifacts": {"media": listed(uri=uri, type=MEDIA)}}}
    assert prepare(invocation, {}) == {uri: uri}
    assert (tmp_path / "run" / "media").is_dir()


def test_objects_that_tensorflow_does_not_read_are_the_launcher_s_copies():
    assert local_uri("minio://mlpipeline/v2/x") == "/minio/mlpipeline/v2/x"
    assert local_uri("s3://bucket/x") == "/s3/bucket/x"
    assert local_uri("gs://bucket/x") == "gs://bucket/x"
