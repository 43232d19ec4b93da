import stat

import pytest

from tfrec.errors import ServerError
from tfrec.serving import find_model_server, start_model_server
from tfrec.serving.server.flags import options_from_flags


def test_absent_binary_is_one_sentence(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_model_server() is None
    with pytest.raises(ServerError, match="tensorflow_model_server is not on PATH"):
        start_model_server("models/films")


def test_binary_on_path_is_executed_with_the_flags_that_the_development_server_understands_too(monkeypatch, tmp_path):
    binary = tmp_path / "tensorflow_model_server"
    binary.write_text("#!/bin/sh\n")
    binary.chmod(binary.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", str(tmp_path))
    started = []
    flags = {"file_system_poll_wait_seconds": 2, "enable_model_warmup": False}
    start_model_server("models", "films", 9000, 9001, flags, execute=lambda *command: started.append(command))
    ((path, command),) = started
    assert path == command[0] == str(binary)
    options = options_from_flags(command[1:])
    assert (options.model_name, options.grpc_port, options.rest_api_port) == ("films", 9000, 9001)
    assert options.base_path.startswith("/") and options.base_path.endswith("/models")
    assert (options.poll_wait, options.warmup) == (2, False)


def test_binary_that_cannot_be_executed_is_one_sentence(monkeypatch, tmp_path):
    binary = tmp_path / "tensorflow_model_server"
    binary.write_bytes(b"\x7fnot a program")
    binary.chmod(binary.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ServerError, match="cannot execute"):
        start_model_server("models")
