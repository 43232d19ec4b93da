import json
import os
import subprocess
import sys

import pytest

HEAVY = ("tensorflow", "pandas", "rich", "tqdm", "numpy", "grpc", "tfx", "matplotlib", "scipy")


def test_help_imports_nothing_heavy():
    code = (
        "import json, sys\n"
        "from tfrec.cli.main import main\n"
        "try:\n    main(['--help'])\n"
        "except SystemExit as end:\n    status = end.code\n"
        f"heavy = [name for name in {HEAVY} if name in sys.modules]\n"
        "print(json.dumps({'status': status, 'heavy': heavy}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.strip().splitlines()[-1])
    assert found["status"] == 0
    assert found["heavy"] == []


@pytest.mark.parametrize(
    "command",
    [
        ["demo"],
        ["init"],
        ["validate"],
        ["data", "sample"],
        ["data", "movielens-100k"],
        ["train"],
        ["evaluate"],
        ["audit"],
        ["export"],
        ["pipeline", "run"],
        ["serve"],
        ["recommend"],
        ["search"],
        ["similar"],
        ["add-items"],
        ["import-encoder"],
        ["doctor"],
    ],
    ids=" ".join,
)
def test_every_command_explains_itself_with_an_example(tfrec, command):
    shown = tfrec(*command, "--help")
    assert shown.status == 0
    assert f"example:\n  tfrec {' '.join(command)}" in shown.out
    assert "--json" in shown.out


def test_a_mistyped_command_is_refused_in_one_sentence(tfrec, one_sentence):
    assert "invalid choice: 'trian'" in one_sentence(tfrec("trian"))


def test_a_missing_argument_is_refused_in_one_sentence(tfrec, one_sentence):
    assert "-c/--config" in one_sentence(tfrec("train"))


def test_debug_adds_the_traceback(tfrec, tmp_path):
    refused = tfrec("train", "-c", tmp_path / "none.yaml", "--debug")
    assert refused.status == 2
    assert "Traceback" in refused.err
    assert refused.err.strip().splitlines()[-1].startswith("tfrec: cannot read the configuration")


def test_the_environment_can_ask_for_the_traceback_too(tfrec, tmp_path, monkeypatch):
    monkeypatch.setenv("TFREC_DEBUG", "1")
    assert "Traceback" in tfrec("train", "-c", tmp_path / "none.yaml").err


def test_an_interrupt_ends_with_130_and_no_traceback(tfrec, monkeypatch, tmp_path):
    def interrupted(*arguments, **settings):
        raise KeyboardInterrupt

    monkeypatch.setattr("tfrec.data.sample.write_sample", interrupted)
    ended = tfrec("data", "sample", "--out", tmp_path)
    assert ended.status == 130
    assert ended.err == "tfrec: interrupted\n"


def test_a_fault_of_tfrec_itself_is_told_apart_from_bad_input(tfrec, monkeypatch, tmp_path):
    def faulty(*arguments, **settings):
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("tfrec.data.sample.write_sample", faulty)
    ended = tfrec("data", "sample", "--out", tmp_path)
    assert ended.status == 70
    assert ended.err.count("\n") == 1
    assert "ZeroDivisionError: division by zero" in ended.err
    assert "--debug" in ended.err


def test_a_reader_that_has_enough_is_no_error():
    command = f"{sys.executable} -m tfrec.cli.main --help | head -n 1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True)
    assert done.stdout.startswith("usage: tfrec")
    assert done.stderr == ""


def test_the_version_is_told(tfrec):
    import tfrec as package

    assert tfrec("--version").out == f"tfrec {package.__version__}\n"


def test_the_installed_command_is_this_one():
    script = os.path.join(os.path.dirname(sys.executable), "tfrec")
    if not os.path.exists(script):
        pytest.skip("the package is not installed")
    done = subprocess.run([script, "--version"], capture_output=True, text=True)
    assert done.returncode == 0
