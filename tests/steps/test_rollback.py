"""Versions in the folder that servers watch: kept, removed, and taken back."""

import json
import os

import pytest
import yaml

from tfrec.errors import ConfigError, ServableError
from tfrec.steps.push import latest_folder, remove_old_versions, versions
from tfrec.steps.rollback import roll_back, rollbacks, withdrawn_models


def model_of(folder):
    with open(os.path.join(folder, "assets.extra", "tfrec_manifest.json")) as file:
        return json.load(file)["name"]


def test_the_model_before_comes_back_under_a_higher_number(served):
    served("good"), served("bad")
    done = roll_back(served.directory, why="too few new items")
    assert (done.withdrawn, done.restored, done.version) == (2, 1, 3)
    assert versions(served.directory) == [1, 2, 3]
    assert model_of(latest_folder(served.directory)) == "good"
    assert [entry.why for entry in rollbacks(served.directory)] == ["too few new items"]


def test_a_second_rollback_goes_further_back_and_not_to_and_fro(served):
    served("first"), served("second"), served("third")
    roll_back(served.directory)
    roll_back(served.directory)
    assert model_of(latest_folder(served.directory)) == "first"
    with pytest.raises(ServableError, match=r"no version before 5 in .* that was not withdrawn; name the one .* --to"):
        roll_back(served.directory)


def test_a_new_model_that_is_bad_too_goes_back_to_the_restored_one(served):
    served("good"), served("bad")
    roll_back(served.directory)
    served("worse")
    assert roll_back(served.directory).restored == 1
    assert model_of(latest_folder(served.directory)) == "good"
    assert len(withdrawn_models(served.directory)) == 2


def test_a_withdrawn_model_may_be_asked_for_by_its_number(served):
    served("good"), served("blamed")
    roll_back(served.directory)
    assert roll_back(served.directory, to=2).version == 4
    assert model_of(latest_folder(served.directory)) == "blamed"
    assert len(withdrawn_models(served.directory)) == 1  # the other one now


def test_what_cannot_be_rolled_back_is_told(served):
    with pytest.raises(ServableError, match="has no versions; there is nothing to roll back"):
        roll_back(served.directory)
    served("only")
    with pytest.raises(ServableError, match="no version before 1"):
        roll_back(served.directory)
    with pytest.raises(ServableError, match=r"there is no version 7 in .*; the versions there are: 1"):
        roll_back(served.directory, to=7)
    with pytest.raises(ServableError, match="version 1 is the model that is served as version 1"):
        roll_back(served.directory, to=1)
    assert versions(served.directory) == [1]


def test_a_push_keeps_as_many_versions_as_asked_and_no_half_ones(served):
    for name in ("a", "b", "c"):
        served(name, keep=2)
    os.makedirs(os.path.join(served.directory, "notes"))
    assert versions(served.directory) == [2, 3]
    assert served("d") == 4
    assert remove_old_versions(served.directory, 2) == [2]
    assert sorted(os.listdir(served.directory)) == ["3", "4", "notes"]


def test_keeping_a_single_version_is_refused_since_none_could_come_back(plain_world):
    with pytest.raises(ConfigError, match=r"serving\.keep is 1, which leaves no version to roll back to"):
        plain_world.config(serving={"keep": 1})


def test_the_command_rolls_back_where_the_configuration_pushes(served, plain_world, tmp_path, capsys):
    from tfrec.cli.main import main

    served("good"), served("bad")
    path = tmp_path / "shop.yaml"
    document = plain_world.document(serving={"push": served.directory, "keep": 2})
    path.write_text(yaml.safe_dump(json.loads(json.dumps(document))))
    assert main(["rollback", "-c", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["version"] == 3
    assert versions(served.directory) == [2, 3]
    assert main(["rollback"]) == 2
    assert "give either the folder of the versions with --model or a configuration" in capsys.readouterr().err
