"""The example clients in other languages, run against the development server."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import tfrec.serving

EXAMPLE = Path(tfrec.serving.__file__).parent / "examples" / "recommend.ts"
ERASES_TYPES = (22, 6)


@pytest.fixture(scope="module")
def command(tmp_path_factory):
    """The command that runs the TypeScript example: Node that erases types, or a compiler before it."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("the TypeScript example runs on Node, which is not installed")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    if tuple(map(int, re.findall(r"\d+", version)[:2])) >= ERASES_TYPES:
        return [node, "--experimental-strip-types", "--no-warnings", str(EXAMPLE)]
    compiler = shutil.which("tsc")
    if compiler is None:
        pytest.skip(f"Node {version.strip()} erases no types (22.6 does), and there is no tsc on PATH")
    folder = tmp_path_factory.mktemp("compiled")
    (folder / "globals.d.ts").write_text("declare const process: { argv: string[] };\n")
    target = ["--target", "es2022", "--module", "es2022", "--lib", "es2022,dom", "--strict"]
    compiled = subprocess.run(
        [compiler, *target, "--outDir", str(folder), str(EXAMPLE), str(folder / "globals.d.ts")],
        capture_output=True,
        text=True,
    )
    assert compiled.returncode == 0, compiled.stdout
    (folder / "recommend.js").rename(folder / "recommend.mjs")
    return [node, str(folder / "recommend.mjs")]


def test_the_typescript_example_recommends_as_the_python_client_does(command, recommender):
    from tfrec.serving import Client

    arguments = [recommender.rest_url, "default", "u1", "i1,i5"]
    process = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=60)
    assert process.returncode == 0, process.stderr
    with Client(recommender.grpc_address) as client:
        answer = client.recommend("u1", history=["i1", "i5"], k=6)
    assert process.stdout.splitlines() == [f"{item.item_id}\t{item.score:.4f}" for item in answer]


def test_the_typescript_example_tells_what_the_server_says(command, recommender):
    arguments = [recommender.rest_url, "films", "u1"]
    process = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=60)
    assert process.returncode != 0 and "the model server answered 404" in process.stderr
