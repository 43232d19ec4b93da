import importlib.metadata
import json

import pytest
import yaml

from tfrec.cli import checks
from tfrec.cli.servable_checks import servable


@pytest.fixture
def installed(monkeypatch):
    """installed(name=version, ...) pretends other versions of packages (_ for -); "" for not installed."""
    real = importlib.metadata.version

    def pretend(**versions):
        pretended = {name.replace("_", "-"): version for name, version in versions.items()}

        def version(name):
            found = pretended.get(name)
            if found == "":
                raise importlib.metadata.PackageNotFoundError(name)
            return found or real(name)

        monkeypatch.setattr(importlib.metadata, "version", version)
        return {check.name: check for check in checks.environment()}

    return pretend


def test_a_sound_environment_is_well(tfrec, shop):
    shown = tfrec("doctor", "-c", shop.config, "--servable", shop.versions, "--json")
    wrong = [check for check in shown.json["checks"] if check["state"] == "wrong"]
    assert wrong == []
    assert shown.status == 0
    names = {check["name"]: check["found"] for check in shown.json["checks"]}
    assert names["tensorflow"] == importlib.metadata.version("tensorflow")
    assert "runs on the stock serving image" in names["servable"]


def test_a_missing_package_is_told_with_the_command_that_installs_it(installed):
    check = installed(tensorflow_text="")["tensorflow-text"]
    assert check.state == "wrong"
    minor = ".".join(importlib.metadata.version("tensorflow").split(".")[:2])
    assert check.mend == f"pip install 'tensorflow-text=={minor}.*'"


def test_a_package_of_another_minor_version_is_told(installed):
    check = installed(tf_keras="2.15.1")["tf-keras"]
    assert check.state == "wrong"
    assert "2.15.1, but TensorFlow is" in check.found


def test_a_hub_that_cannot_be_imported_is_told(installed):
    assert installed(tensorflow_hub="0.15.0")["tensorflow-hub"].state == "wrong"


def test_a_version_that_is_too_old_is_told_with_what_is_needed(installed):
    check = installed(pandas="1.4.0")["pandas"]
    assert check.state == "wrong" and check.found == "1.4.0, but >=1.5 is needed"
    assert check.mend == "pip install 'pandas>=1.5'"


def test_all_packages_are_mended_by_one_command(installed):
    found = installed(pandas="1.4.0", soxr="").values()
    assert checks.one_command(found) == "pip install 'pandas>=1.5' 'soxr>=0.3'"
    assert checks.one_command(installed(soxr="", tensorflow="2.12.0").values()) == checks.REMAKE
    assert checks.one_command(installed().values()) == ""


def test_without_tfx_all_but_the_pipeline_is_well(installed):
    check = installed(tfx="")["tfx"]
    assert check.state == "optional"
    assert "tfrec pipeline run" in check.found


def test_a_configuration_with_a_wrong_path_is_told(tfrec, tmp_path, write_shop):
    world, config = write_shop(tmp_path / "shop")
    (world.folder / "users.jsonl").unlink()
    shown = tfrec("doctor", "-c", config)
    assert shown.status == 1
    assert "users.jsonl does not exist" in shown.out
    assert f"correct data.users in {config}" in shown.out


def test_every_path_of_a_configuration_is_looked_at(tmp_path, plain_world):
    (tmp_path / "taken").write_text("a file where a folder should be")
    picture = {"modality": "image", "encoder": {"kind": "small-cnn", "weights": str(tmp_path / "none.h5")}}
    document = plain_world.document(
        data={"users": "gs://shop/users.jsonl", "media": str(tmp_path / "taken")},
        gates={"audit": str(tmp_path / "audit.json")},
        serving={"push": str(tmp_path / "taken" / "shop")},
    )
    document = json.loads(json.dumps(document))
    document["schema"]["items"]["features"]["picture"] = picture
    path = tmp_path / "shop.yaml"
    path.write_text(yaml.safe_dump(document))
    found = {check.name: check for check in checks.configuration(str(path))}
    weights = found["schema.items.features.picture.encoder.weights"]
    assert weights.state == "wrong" and weights.found == f"{tmp_path}/none.h5 does not exist"
    assert found["gates.audit"].mend == f"correct gates.audit in {path}"
    assert found["data.media"].found == f"{tmp_path}/taken is no folder"
    assert found["serving.push"].found == f"{tmp_path}/taken cannot be written"
    assert found["data.users"].state == "optional" and "not looked at" in found["data.users"].found


def test_a_folder_without_a_model_is_told(tfrec, tmp_path):
    shown = tfrec("doctor", "--servable", tmp_path)
    assert shown.status == 1
    assert "holds no model" in shown.out


def test_a_model_with_an_op_that_the_image_lacks_is_told(tmp_path):
    import tensorflow as tf

    module = tf.Module()
    module.call = tf.function(
        lambda x: tf.py_function(lambda value: value, [x], tf.float32),
        input_signature=[tf.TensorSpec([None], tf.float32)],
    )
    tf.saved_model.save(module, str(tmp_path / "1"), signatures={"serving_default": _reshaped(module)})
    [check] = [check for check in servable(str(tmp_path)) if "EagerPyFunc" in check.found]
    assert check.state == "wrong"


def test_every_part_of_a_servable_has_its_line(tfrec, shop):
    shown = tfrec("doctor", "--servable", shop.versions, "--serving-version", "2.20.0", "--json")
    found = {check["name"]: check for check in shown.json["checks"]}
    parts = ("graph version", "ops", "functions", "attributes of ops", "signatures", "warm-up requests", "manifest")
    assert {found[part]["state"] for part in parts} <= {"right", "optional"}
    assert "answers" in found["loading"]["found"]
    assert "tensorflow/serving:2.20.0" in found["servable"]["found"]


def test_a_warmup_request_that_fails_is_told(tmp_path):
    """It fits its signature, and yet the model cannot answer it."""
    import tensorflow as tf

    from tfrec.export.warmup import write_warmup

    spec = tf.TensorSpec([None], tf.float32, name="x")

    @tf.function(input_signature=[spec])
    def serve(x):
        with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(x > 0), ["not positive"])]):
            return {"y": tf.identity(x)}

    folder = str(tmp_path / "1")
    tf.saved_model.save(tf.Module(), folder, signatures={"serving_default": serve})
    write_warmup(folder, "any", {"serving_default": {"x": spec}})
    [check] = [check for check in servable(str(tmp_path)) if check.state == "wrong"]
    assert check.name == "loading"
    assert "a warm-up request fails: INVALID_ARGUMENT" in check.found


def test_an_unknown_image_is_one_sentence(tfrec, tmp_path):
    shown = tfrec("doctor", "--servable", tmp_path, "--serving-version", "1.15")
    assert shown.status == 2
    assert "tensorflow/serving:1.15 links is not known" in shown.err


def _reshaped(module):
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def serve(x):
        return {"y": tf.ensure_shape(module.call(x), [None])}

    return serve
