import dataclasses
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from tfrec.serving.server.flags import FLAGS, options_from_flags


def started(*arguments, environment=None):
    command = [sys.executable, "-W", "ignore", "-m", "tfrec.cli.main", "serve", *map(str, arguments)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **(environment or {})}
    )


@pytest.mark.parametrize("way", ["--model", "-c"])
def test_a_pushed_model_is_served_until_stopped(tfrec, shop, way):
    process = started(way, shop.versions if way == "--model" else shop.config, "--port", 0, "--rest-port", 0)
    try:
        assert "loading" in process.stdout.readline()
        ready = process.stdout.readline()
        address = re.search(r"gRPC at (\S+?) and REST at", ready)[1]
        answer = tfrec("recommend", "--user", "u001", "--name", "shop", "--server", address, "--json")
        assert answer.status == 0, answer.err
        assert answer.json["items"]
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        process.stdout.close()
        process.stderr.close()


def test_one_version_can_be_served_with_the_flags_of_the_real_server(tfrec, shop, tmp_path):
    (tmp_path / "monitoring").write_text("prometheus_config { enable: true }")
    (tmp_path / "token").write_text("open-sesame")
    flags = [f"--monitoring_config_file={tmp_path / 'monitoring'}", f"--rest_api_token_file={tmp_path / 'token'}"]
    process = started("--model", shop.pushed["pushed"], "--port", 0, "--rest-port", 0, "--enable_batching", *flags)
    try:
        process.stdout.readline()
        ready = process.stdout.readline()
        assert "serving model 'shop'" in ready
        metrics = f"{re.search(r'REST at (.+);', ready)[1]}/monitoring/prometheus/metrics"
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(metrics)
        request = urllib.request.Request(metrics, headers={"Authorization": "Bearer open-sesame"})
        with urllib.request.urlopen(request) as answer:
            assert b"# TYPE" in answer.read()
    finally:
        process.terminate()
        assert process.wait(30) == 0
        process.stdout.close()
        process.stderr.close()


@pytest.mark.parametrize("threads", ["of each kind", "of a session"])
def test_every_flag_means_what_it_means_to_the_server_itself(tfrec, shop, monkeypatch, threads):
    served = []
    named_otherwise = ("port", "rest_api_port", "host", "model_name", "model_base_path", "model_config_file")
    monkeypatch.setattr("tfrec.serving.server.process.serve_until_stopped", lambda options: served.append(options) or 0)
    values = {"grpc_channel_arguments": "a=b", "saved_model_tags": "serve,gpu"}
    # How many threads is said in one of two ways, never in both.
    one_way = {"tensorflow_session_parallelism"}
    another = {"tensorflow_intra_op_parallelism", "tensorflow_inter_op_parallelism"}
    flags = []
    for flag in FLAGS:
        if flag.name not in {*named_otherwise, *(one_way if threads == "of each kind" else another)}:
            flags.append(f"--{flag.name}={values.get(flag.name, 'false' if flag.boolean else '7')}")
    flags[flags.index("--enable_batching=false")] = "--enable_batching"
    assert tfrec("serve", "--model", shop.versions, *flags).status == 0
    names = [f"--model_base_path={shop.versions}", "--model_name=shop", "--rest_api_port=8501"]
    assert served == [dataclasses.replace(options_from_flags([*names, *flags]), wait_for_model=False)]


def test_several_models_are_served_by_a_config_file(tfrec, shop, monkeypatch, one_sentence):
    served = []
    monkeypatch.setattr("tfrec.serving.server.process.serve_until_stopped", lambda options: served.append(options) or 0)
    assert tfrec("serve", "--model_config_file", "/m.config", "--model_config_file_poll_wait_seconds=5").status == 0
    assert (served[0].model_config_file, served[0].model_config_poll_wait) == ("/m.config", 5)
    both = tfrec("serve", "--model", shop.versions, "--model_config_file", "/m.config")
    assert "give one of these" in one_sentence(both)


def test_what_cannot_be_served_is_refused(tfrec, shop, tmp_path, one_sentence):
    assert "give one of these" in one_sentence(tfrec("serve"))
    batching = tfrec("serve", "--model", shop.versions, "--batching_parameters_file", "b")
    assert "without setting server_options.enable_batching" in one_sentence(batching)
    assert "invalid milliseconds value" in tfrec("serve", "--model", "m", "--rest_api_timeout_in_ms=soon").err
    assert "holds no model" in one_sentence(tfrec("serve", "--model", tmp_path))
    unnumbered = tmp_path / "best"
    unnumbered.symlink_to(shop.pushed["pushed"])
    assert "has no number" in one_sentence(tfrec("serve", "--model", unnumbered))


def test_the_real_server_is_started_where_it_is_installed(shop, tmp_path):
    binary = tmp_path / "tensorflow_model_server"
    binary.write_text('#!/bin/sh\necho "$@"\n')
    binary.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    flags = ["--enable_batching", "--rest_api_timeout_in_ms=250"]
    process = started("--model", shop.versions, "--real", "--port", 9000, *flags, environment={"PATH": path})
    out, _ = process.communicate(timeout=60)
    own = f"--port=9000 --rest_api_port=8501 --model_name=shop --model_base_path={shop.versions}"
    assert f"{own} --enable_batching=true --rest_api_timeout_in_ms=250" in out


def test_without_the_real_server_that_is_told(tfrec, shop, monkeypatch, one_sentence):
    monkeypatch.setenv("PATH", "/nonexistent")
    real = ["serve", "--model", shop.versions, "--real"]
    assert "tensorflow_model_server is not on PATH" in one_sentence(tfrec(*real))
    assert "--max_request_bytes is a flag of the development" in one_sentence(tfrec(*real, "--max_request_bytes=9"))


def test_a_taken_port_is_told(shop, server):
    port = server.rpartition(":")[2]
    process = started("--model", shop.versions, "--port", port, "--rest-port", 0)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 2
    assert port in err.strip().splitlines()[-1]


def test_the_server_is_gone_after_a_kill_while_loading(shop):
    process = started("--model", shop.versions, "--port", 0, "--rest-port", 0)
    process.stdout.readline()
    time.sleep(0.2)
    process.terminate()
    assert process.wait(60) in (0, -signal.SIGTERM)
    process.stdout.close()
    process.stderr.close()
