"""Parts that can be run without a cluster: the server's command line, the health check, the copying of versions."""

import dataclasses
import json
import os
import re
import shutil
import stat
import subprocess
import urllib.request

import pytest

from tfrec.serving.deploy import DeploymentSettings, write_deployment
from tfrec.serving.server.flags import options_from_flags
from tfrec.serving.server.running import start

# Stands for rclone on a folder: lists with sizes, lists folders, copies.
RCLONE = """#!/bin/sh
store=$FAKE_STORE
case "$*" in
    "lsf --recursive"*) cd "$store/${6#store:}" && find . -type f -printf '%P;%s\\n';;
    "lsf --dirs-only"*) cd "$store/${3#store:}" && find . -mindepth 1 -maxdepth 1 -type d -printf '%P/\\n';;
    copy*) mkdir -p "$3" && cp -r "$store/${2#store:}/." "$3";;
    *) echo "unexpected: $*" >&2; exit 9;;
esac
"""


@pytest.fixture
def copy(files_of, tmp_path):
    """copy(**env) runs the script for one round; the store is tmp_path/store, the copies are in tmp_path/models."""
    script = tmp_path / "copy-versions.sh"
    script.write_text(files_of("s3").text["kubernetes/copy-versions.sh"])
    program = tmp_path / "bin" / "rclone"
    program.parent.mkdir()
    program.write_text(RCLONE)
    program.chmod(program.stat().st_mode | stat.S_IEXEC)
    (tmp_path / "models").mkdir()
    for version in ("9", "10", "11", "notes"):
        _write(tmp_path / "store" / "films" / version)

    def run(**env):
        settings = {
            "PATH": f"{program.parent}:{os.environ['PATH']}",
            "FAKE_STORE": str(tmp_path / "store"),
            "SOURCE": "store:films",
            "MODELS": str(tmp_path / "models"),
            "KEEP": "2",
            "SETTLE": "0",
            "ROUNDS": "1",
        }
        done = subprocess.run(
            ["sh", str(script)], env={**settings, **env}, capture_output=True, text=True, timeout=30, check=False
        )
        assert done.returncode == 0, done.stderr
        return sorted(os.listdir(tmp_path / "models")), done.stderr

    return run


def _write(folder, model=b"model"):
    (folder / "variables").mkdir(parents=True)
    (folder / "variables" / "variables.index").write_bytes(b"index")
    if model:
        (folder / "saved_model.pb").write_bytes(model)


def test_the_newest_versions_are_copied_whole(copy, tmp_path):
    assert copy()[0] == ["10", "11"]
    assert (tmp_path / "models/11/saved_model.pb").read_bytes() == b"model"
    assert (tmp_path / "models/11/variables/variables.index").read_bytes() == b"index"


def test_a_new_version_takes_the_place_of_the_oldest(copy, tmp_path):
    copy()
    _write(tmp_path / "store/films/12")
    assert copy()[0] == ["11", "12"]


def test_versions_that_labels_name_are_copied_and_kept_however_old(copy, files_of, tmp_path):
    config = tmp_path / "models.config"
    with_labels = dataclasses.replace(files_of("s3").settings, stable=9, canary=11)
    config.write_text(files_of(with_labels).text["config/models.config"])
    assert copy(CONFIG=str(config))[0] == ["10", "11", "9"]
    for version in ("12", "13"):
        _write(tmp_path / "store/films" / version)
    shutil.rmtree(tmp_path / "store/films/9")  # also where it is no longer to be had
    assert copy(CONFIG=str(config))[0] == ["11", "12", "13", "9"]
    config.write_text(files_of("gs").text["config/models.config"].replace("num_versions: 1", "num_versions: 9"))
    assert copy(CONFIG=str(config))[0] == ["12", "13"]


def test_the_copying_container_reads_the_list_of_models_that_the_server_reads(files_of):
    pod = files_of("s3")["kubernetes/deployment.yaml"]["spec"]["template"]["spec"]
    [copying], [server] = pod["initContainers"], pod["containers"]
    [config] = [variable["value"] for variable in copying["env"] if variable["name"] == "CONFIG"]
    assert f"--model_config_file={config}" in server["args"]
    mounted = [{m["name"]: m["mountPath"] for m in container["volumeMounts"]} for container in (copying, server)]
    assert mounted[0]["models-config"] == mounted[1]["models-config"] == config.rpartition("/")[0]
    assert mounted[0]["models"] == mounted[1]["models"]


def test_a_version_that_is_still_written_waits_and_the_old_ones_stay(copy, tmp_path):
    copy()
    _write(tmp_path / "store/films/12", model=b"")
    found, errors = copy()
    assert "11" in found and "12" not in found
    assert "version 12 is not complete yet" in errors
    (tmp_path / "store/films/12/saved_model.pb").write_bytes(b"model")
    assert copy()[0] == ["11", "12"]


def test_a_store_that_cannot_be_read_or_is_empty_removes_nothing(copy, tmp_path):
    copy()
    found, errors = copy(SOURCE="store:nothing")
    assert found == ["10", "11"] and "trying again" in errors
    (tmp_path / "store/empty").mkdir()
    found, errors = copy(SOURCE="store:empty")
    assert found == ["10", "11"] and "there is no version" in errors


def test_the_health_check_of_compose_tells_a_loaded_model_from_none(files_of, half_plus):
    """The server listens on another port, and serves its model under another name."""
    check = files_of("volume")["compose.yaml"]["services"]["serving"]["healthcheck"]["test"]
    port = half_plus.rest_url.rpartition(":")[2]

    def status(name):
        command = [part.replace("8501", port).replace("films", name) for part in check[1:]]
        return subprocess.run(command, capture_output=True, timeout=30, check=False).returncode

    assert check[0] == "CMD"
    assert status("default") == 0
    assert status("other") != 0


def test_the_command_line_and_config_files_serve_the_model_with_the_metrics_that_are_watched(base_paths, tmp_path):
    settings = DeploymentSettings("default", str(base_paths["half_plus"]), stable=123)
    write_deployment(settings, tmp_path)
    models = tmp_path / "config" / "models.config"
    models.write_text(models.read_text().replace(settings.base_path, settings.models))
    moved = {"/config/models/": f"{tmp_path}/config/", "/config/server/": f"{tmp_path}/config/"}
    flags = [re.sub("|".join(moved), lambda found: moved[found.group()], flag) for flag in settings.flags()]
    options = options_from_flags([*flags, "--port=0", "--rest_api_port=8501"])
    with start(dataclasses.replace(options, rest_api_port=0)) as server:
        url = f"{server.rest_url}/v1/models/default/labels/stable:predict"
        with urllib.request.urlopen(url, b'{"instances": [2.0, 4.0]}', timeout=20) as answer:
            assert json.load(answer) == {"predictions": [3.0, 4.0]}
        with urllib.request.urlopen(f"{server.rest_url}/monitoring/prometheus/metrics", timeout=20) as answer:
            exported = answer.read().decode()
    watched = (tmp_path / "monitoring/rules.yaml").read_text() + (tmp_path / "monitoring/dashboard.json").read_text()
    for metric in set(re.findall(r":tensorflow:serving:\w+", watched)):
        name = metric.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count")
        if "warmup" not in name:  # this model has no warm-up requests
            assert name in exported
    for label in ('model_name="default"', 'status="OK"', 'API="predict"', 'entrypoint="REST"', 'runtime="'):
        assert label in exported
