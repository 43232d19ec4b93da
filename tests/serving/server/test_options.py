import pytest

from tfrec.serving.server.flags import FLAGS, OWN_FLAGS, options_from_flags
from tfrec.serving.server.options import Options
from tfrec.serving.server.servable import session_config


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


def test_i2_batching_parameters_need_batching(capsys):
    with pytest.raises(SystemExit):
        options_from_flags(["--model_base_path=/m", "--batching_parameters_file=/b"])
    text = "server_options.batching_parameters_file is set without setting server_options.enable_batching to true."
    assert text in capsys.readouterr().err


def test_numbers_of_threads_go_before_the_one_that_stands_for_both(capsys):
    flags = [f"--tensorflow_{kind}_parallelism={number}" for kind, number in (("session", 8), ("intra_op", 2))]
    options = options_from_flags(["--model_base_path=/m", *flags])
    config = session_config(options.session_parallelism, options.intra_op_parallelism, options.inter_op_parallelism)
    assert (config.intra_op_parallelism_threads, config.inter_op_parallelism_threads) == (2, 0)
    assert session_config(8).inter_op_parallelism_threads == session_config(8).intra_op_parallelism_threads == 8
    with pytest.raises(SystemExit):
        options_from_flags(["--model_base_path=/m", *flags, "--tensorflow_inter_op_parallelism=2"])
    assert "You cannot configure all." in capsys.readouterr().err


# Flags of tensorflow_model_server 2.16, without those for GPU, TPU, TFLite and ALTS.
REAL = """allow_version_labels_for_unavailable_models batching_parameters_file enable_batching
enable_grpc_healthcheck_service enable_model_warmup enable_per_model_batching_parameters enable_profiler
enable_serialization_as_tensor_content enable_signature_method_name_check enforce_session_run_timeout
file_system_poll_wait_seconds flush_filesystem_caches grpc_channel_arguments grpc_max_threads grpc_socket_path
load_retry_interval_micros max_num_load_retries model_base_path model_config_file model_config_file_poll_wait_seconds
model_name monitoring_config_file num_load_threads num_request_iterations_for_warmup num_unload_threads
platform_config_file port remove_unused_fields_from_bundle_metagraph rest_api_enable_cors_support
rest_api_num_threads rest_api_port rest_api_timeout_in_ms saved_model_tags ssl_config_file
tensorflow_inter_op_parallelism tensorflow_intra_op_parallelism tensorflow_session_config_file
tensorflow_session_parallelism thread_pool_factory_config_file version xla_cpu_compilation_enabled"""


def test_k4_every_flag_but_our_own_is_one_of_tensorflow_model_server():
    names = {flag.name for flag in FLAGS}
    assert names - set(REAL.split()) == set(OWN_FLAGS)
