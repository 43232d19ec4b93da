"""The local runner: what it tells, what it reuses, and how a failure reads."""

import pytest
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.dsl.io import fileio
from tfx.orchestration import metadata
from tfx.orchestration.pipeline import Pipeline
from tfx.types.standard_artifacts import Examples

from tfrec.errors import DataError, TfrecError
from tfrec.pipelines.local import run_locally


@component
def Maker(made: OutputArtifact[Examples], text: Parameter[str]):
    fileio.makedirs(made.uri)
    with fileio.open(f"{made.uri}/text", "w") as file:
        file.write(text)


@component
def Reader(made: InputArtifact[Examples], read: OutputArtifact[Examples]):
    with fileio.open(f"{made.uri}/text", "r") as file:
        text = file.read()
    if text == "broken":
        raise DataError("the text is broken; write another")
    if text == "surprising":
        raise KeyError("nobody thought of this")
    if text == "wrapped":
        try:
            raise DataError("the text is wrapped")
        except DataError as error:
            raise RuntimeError("while a worker ran") from error
    fileio.makedirs(read.uri)


def run(folder, text, told=None):
    maker = Maker(text=text)
    pipeline = Pipeline(
        pipeline_name="toy",
        pipeline_root=str(folder),
        components=[maker, Reader(made=maker.outputs["made"])],
        enable_cache=True,
        metadata_connection_config=metadata.sqlite_metadata_connection_config(str(folder / "metadata.sqlite")),
    )
    told = [] if told is None else told
    return run_locally(pipeline, lambda execution, number, total: told.append(execution)), told


def test_each_component_is_told_when_it_has_finished(tmp_path):
    executions, told = run(tmp_path, "hello")
    assert [execution.name for execution in told] == ["Maker", "Reader"]
    assert not any(execution.reused for execution in executions.values())
    with fileio.open(f"{executions['Maker'].outputs['made'].uri}/text", "r") as file:
        assert file.read() == "hello"


def test_a_second_run_reuses_everything_and_gives_the_same_outputs(tmp_path):
    first, _ = run(tmp_path, "hello")
    second, _ = run(tmp_path, "hello")
    assert all(execution.reused for execution in second.values())
    assert second["Maker"].outputs["made"].uri == first["Maker"].outputs["made"].uri


def test_another_parameter_runs_what_depends_on_it(tmp_path):
    run(tmp_path, "hello")
    executions, _ = run(tmp_path, "world")
    assert not any(execution.reused for execution in executions.values())


def test_outputs_that_were_deleted_are_made_again(tmp_path):
    first, _ = run(tmp_path, "hello")
    fileio.rmtree(first["Maker"].outputs["made"].uri)
    second, _ = run(tmp_path, "hello")
    assert not second["Maker"].reused


@pytest.mark.parametrize("text", ["broken", "wrapped"])
def test_an_error_meant_for_the_user_comes_out_with_the_component_s_name(tmp_path, text):
    with pytest.raises(DataError, match=f"^Reader: the text is {text}"):
        run(tmp_path, text)


def test_a_surprise_is_told_in_one_sentence(tmp_path):
    with pytest.raises(TfrecError, match=r"^Reader failed unexpectedly: KeyError: 'nobody thought of this'$"):
        run(tmp_path, "surprising")


def test_a_component_that_failed_runs_again_and_what_succeeded_before_it_does_not(tmp_path):
    with pytest.raises(DataError):
        run(tmp_path, "broken")
    told = []
    with pytest.raises(DataError):
        run(tmp_path, "broken", told)
    assert [(execution.name, execution.reused) for execution in told] == [("Maker", True)]
