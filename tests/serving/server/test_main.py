"""The server as its own process."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

from tfrec.serving import Client

COMMAND = [sys.executable, "-m", "tfrec.serving.server"]


@pytest.fixture
def run(tmp_path):
    """Starts the server; whatever a test leaves running is killed."""
    processes = []

    def start(*flags):
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        process = subprocess.Popen(
            [*COMMAND, *flags], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def test_process_prints_one_ready_line_serves_both_apis_and_ends_cleanly_on_sigterm(run, base_paths):
    process = run(
        "--model_name=films", f"--model_base_path={base_paths['recommender']}", "--port=0", "--rest_api_port=0"
    )
    line = process.stdout.readline()
    address = re.search(r"gRPC at (\S+);", line)
    assert address, (line, process.stderr.read() if process.poll() is not None else "")
    with Client(address[1], model_name="films") as client:
        assert client.recommend(history=["i5"], k=1).item_ids == ["i6"]
    process.send_signal(signal.SIGTERM)
    rest, errors = process.communicate(timeout=20)
    assert process.returncode == 0, errors
    assert rest == ""
    assert "Traceback" not in errors


def test_process_serves_rest_at_the_port_it_is_given_and_waits_for_its_model(run, tmp_path, base_paths, free_port):
    process = run(f"--model_base_path={tmp_path / 'model'}", "--port=0", f"--rest_api_port={free_port}")
    (tmp_path / "model").mkdir()
    os.symlink(base_paths["half_plus"] / "123", tmp_path / "model" / "5")
    assert f"REST at http://127.0.0.1:{free_port}" in process.stdout.readline()
    body = json.dumps({"instances": [2.0]}).encode()
    with urllib.request.urlopen(f"http://127.0.0.1:{free_port}/v1/models/default:predict", body) as response:
        assert json.load(response) == {"predictions": [3.0]}


def test_broken_model_ends_the_process_with_status_2_and_one_sentence(run, tmp_path):
    (tmp_path / "1").mkdir()
    process = run(f"--model_base_path={tmp_path}", "--port=0", "--max_num_load_retries=0")
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert output == ""
    assert "Failed to start server. Error: UNKNOWN: 1 servable(s) did not become available: {{{name: " in errors
    assert "Traceback" not in errors


def test_sigterm_while_waiting_for_a_model_ends_the_process(run, tmp_path):
    process = run(f"--model_base_path={tmp_path}", "--port=0")
    assert any("No versions of servable default found" in line for line in process.stderr)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert process.returncode == 0


@pytest.mark.parametrize(("flag", "api"), [("port", "gRPC"), ("rest_api_port", "REST")])
def test_a_taken_port_is_told_before_a_model_is_looked_for(run, tmp_path, flag, api):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ports = {"port": 0, "rest_api_port": 0, flag: port}
        # Without a model, which this waits for.
        process = run(f"--model_base_path={tmp_path}", *(f"--{name}={number}" for name, number in ports.items()))
        output, errors = process.communicate(timeout=60)
    assert process.returncode == 2 and output == ""
    assert errors.count("\n") == 1
    assert f"cannot listen on 127.0.0.1:{port} for {api}; is the port taken by another server?" in errors
