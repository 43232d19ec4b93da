"""`tfrec init`, `validate` and `data`."""

import json

import pytest
import yaml


@pytest.fixture
def fresh_shop(tmp_path, write_shop):
    return write_shop(tmp_path / "shop")


def test_init_writes_a_configuration_that_validate_accepts(tfrec, plain_world, tmp_path):
    files = ("--items", plain_world.folder / "items.jsonl", "--events", plain_world.folder / "events.jsonl")
    written = tfrec("init", *files, "--out", tmp_path / "mine.yaml", "--json")
    assert written.status == 0, written.err
    assert tfrec("validate", "-c", written.json["config"]).status == 0


def test_init_replaces_a_file_only_when_told_to(tfrec, plain_world, tmp_path, one_sentence):
    files = ("--items", plain_world.folder / "items.jsonl", "--events", plain_world.folder / "events.jsonl")
    target = tmp_path / "mine.yaml"
    target.write_text("precious: true\n")
    assert "exists already" in one_sentence(tfrec("init", *files, "--out", target))
    assert target.read_text() == "precious: true\n"
    assert tfrec("init", *files, "--out", target, "--force").status == 0
    assert "schema" in yaml.safe_load(target.read_text())


def test_validate_names_the_row_of_every_problem(tfrec, fresh_shop):
    world, config = fresh_shop
    events = world.folder / "events.jsonl"
    number = len(events.read_text().splitlines()) + 1
    stray = {"user_id": "u000", "item_id": "i999", "time": 5, "type": "view"}
    events.write_text(f"{events.read_text()}{json.dumps(stray)}\n")
    shown = tfrec("validate", "-c", config)
    assert shown.status == 0
    line = f"events.jsonl, row {number}, column item_id: the catalogue has no item with this id (i999)"
    assert line in shown.out.splitlines()
    found = tfrec("validate", "-c", config, "--json").json["found"]
    assert [problem["row"] for problem in found if problem["code"] == "unknown_item"] == [number]


def test_validate_is_strict_only_when_told_to(tfrec, fresh_shop):
    world, config = fresh_shop
    assert tfrec("validate", "-c", config, "--strict").status == 0
    with open(world.folder / "items.jsonl", "a") as items:
        items.write("no JSON\n")
    assert tfrec("validate", "-c", config).status == 0
    assert tfrec("validate", "-c", config, "--strict").status == 1


def test_validate_lists_as_many_problems_as_wanted(tfrec, fresh_shop):
    world, config = fresh_shop
    with open(world.folder / "items.jsonl", "a") as items:
        items.write("no JSON\n" * 5)
    shown = tfrec("validate", "-c", config, "--rows", 2).out
    assert sum(line.startswith("items.jsonl, row") for line in shown.splitlines()) == 2
    assert "and 3 more; list them with --rows 5 or --json" in shown


def test_the_sample_is_written_and_can_be_used(tfrec, tmp_path):
    sizes = ("--items", 20, "--users", 10, "--events", 200)
    written = tfrec("data", "sample", "--out", tmp_path / "s", *sizes, "--json")
    assert written.json == {"config": str(tmp_path / "s" / "tfrec.yaml")}
    assert tfrec("validate", "-c", written.json["config"]).status == 0


def test_a_sample_that_is_too_small_is_refused(tfrec, tmp_path, one_sentence):
    assert "at least 20 items" in one_sentence(tfrec("data", "sample", "--out", tmp_path, "--items", 5))


def test_a_public_data_set_is_prepared_from_a_local_copy(tfrec, tmp_path):
    source = tmp_path / "ml"
    source.mkdir()
    fields = "|".join(["1", "Matrix, The (1999)", "01-Jan-1999", "", "http://x", *["0"] * 18, "1"])
    (source / "u.item").write_text(fields + "\n", encoding="latin-1")
    (source / "u.user").write_text("1|24|M|technician|85711\n")
    (source / "u.data").write_text("1\t1\t5\t874965758\n")
    prepared = tfrec("data", "movielens-100k", "--source", source, "--out", tmp_path / "films", "--json")
    assert prepared.status == 0, prepared.err
    assert "The Matrix" in (tmp_path / "films" / "catalogue.csv").read_text()
    assert yaml.safe_load((tmp_path / "films" / "tfrec.yaml").read_text())["schema"]["events"]["value"] == "rating"


def test_a_public_data_set_that_is_not_there_is_refused(tfrec, tmp_path, one_sentence):
    refused = tfrec("data", "movielens-1m", "--source", tmp_path / "none", "--out", tmp_path / "films")
    assert "none does not exist" in one_sentence(refused)
