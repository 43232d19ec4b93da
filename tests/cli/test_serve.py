import os
import re
import signal
import subprocess
import sys
import time

import pytest


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


def test_one_version_can_be_served(tfrec, shop, tmp_path):
    process = started("--model", shop.pushed["pushed"], "--port", 0, "--rest-port", 0)
    try:
        process.stdout.readline()
        assert "serving model 'shop'" in process.stdout.readline()
    finally:
        process.terminate()
        assert process.wait(30) == 0
        process.stdout.close()
        process.stderr.close()


def test_what_cannot_be_served_is_refused(tfrec, shop, tmp_path, one_sentence):
    assert "give either the folder" in one_sentence(tfrec("serve"))
    assert "holds no model" in one_sentence(tfrec("serve", "--model", tmp_path))
    unnumbered = tmp_path / "best"
    unnumbered.symlink_to(shop.pushed["pushed"])
    assert "has no number" in one_sentence(tfrec("serve", "--model", unnumbered))


def test_the_real_server_is_started_where_it_is_installed(shop, tmp_path):
    binary = tmp_path / "tensorflow_model_server"
    binary.write_text('#!/bin/sh\necho "$@"\n')
    binary.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    process = started("--model", shop.versions, "--real", "--port", 9000, environment={"PATH": path})
    out, _ = process.communicate(timeout=60)
    assert f"--port=9000 --rest_api_port=8501 --model_name=shop --model_base_path={shop.versions}" in out


def test_without_the_real_server_that_is_told(tfrec, shop, monkeypatch, one_sentence):
    monkeypatch.setenv("PATH", "/nonexistent")
    assert "tensorflow_model_server is not on PATH" in one_sentence(tfrec("serve", "--model", shop.versions, "--real"))


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
