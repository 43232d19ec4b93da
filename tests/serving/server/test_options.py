import pytest

from tfrec.serving.server.options import Options, options_from_flags


def test_flags_of_tensorflow_model_server_set_the_options():
    options = options_from_flags(
        [
            "--model_name=films",
            "--model_base_path=/models/films",
            "--port=9000",
            "--rest_api_port=9001",
            "--file_system_poll_wait_seconds=3",
            "--load_retry_interval_micros=500000",
            "--enable_model_warmup=false",
            "--enable_grpc_healthcheck_service",
            "--rest_api_timeout_in_ms=250",
        ]
    )
    assert options == Options(
        base_path="/models/films",
        model_name="films",
        grpc_port=9000,
        rest_api_port=9001,
        poll_wait=3,
        load_retry_interval=0.5,
        wait_for_model=True,
        warmup=False,
        health_service=True,
        rest_timeout=0.25,
    )


def test_defaults_are_those_of_tensorflow_model_server_but_only_this_machine_can_connect():
    options = options_from_flags(["--model_base_path=/m"])
    assert (options.model_name, options.grpc_port, options.rest_api_port) == ("default", 8500, None)
    assert (options.poll_wait, options.load_retries, options.load_retry_interval) == (1, 5, 60)
    assert options.host == "127.0.0.1"


def test_d17_base_path_is_required(capsys):
    with pytest.raises(SystemExit):
        options_from_flags(["--model_name=films"])
    text = "Both server_options.model_base_path and server_options.model_config_file are empty!"
    assert text in capsys.readouterr().err


@pytest.mark.parametrize("flag", ["--port=x", "--enable_model_warmup=maybe", "--unknown=1"])
def test_bad_flags_exit_with_status_2(flag):
    with pytest.raises(SystemExit) as stop:
        options_from_flags(["--model_base_path=/m", flag])
    assert stop.value.code == 2
