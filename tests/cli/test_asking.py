"""`tfrec recommend`, `search` and `similar` at a running server."""

import json
import subprocess
import sys

import pytest


def test_a_user_is_recommended_items_with_titles(tfrec, shop, server):
    shown = tfrec("recommend", "--user", "u001", "-k", 5, "--model", shop.versions, "--server", server)
    assert shown.status == 0, shown.err
    answer = tfrec("recommend", "--user", "u001", "-k", 5, "--model", shop.versions, "--server", server, "--json").json
    assert [item["rank"] for item in answer["items"]] == [1, 2, 3, 4, 5]
    assert answer["model_version"] == 1
    for item in answer["items"]:
        assert item["title"].endswith(item["item_id"])
        assert item["title"] in shown.out


def test_what_the_user_touched_or_excludes_is_not_recommended(tfrec, shop, server):
    with open(shop.world.folder / "events.jsonl") as file:
        touched = {event["item_id"] for event in map(json.loads, file) if event["user_id"] == "u001"}
    ask = ("recommend", "--user", "u001", "-c", shop.config, "--server", server, "--json")
    first = [item["item_id"] for item in tfrec(*ask).json["items"]]
    assert not touched & set(first)
    without = tfrec(*ask, "--exclude", ",".join(first[:2])).json["items"]
    assert not set(first[:2]) & {item["item_id"] for item in without}


def test_a_stranger_is_served_by_history_and_features(tfrec, shop, server):
    ask = ("recommend", "--history", "i000,i004", "--name", "shop", "--server", server, "--json")
    answer = tfrec(*ask, "--feature", "age=31", "--feature", "country=NL", "--feature", "device=phone")
    assert answer.status == 0, answer.err
    assert answer.json["items"]
    assert not {"i000", "i004"} & {item["item_id"] for item in answer.json["items"]}


@pytest.mark.parametrize(
    ("feature", "sentence"),
    [
        ("age=old", "the feature 'age' takes a number, got 'old'"),
        ("agee=31", "the model has no feature 'agee'; its features are age, country, device"),
        ("age", "--feature takes NAME=VALUE, got 'age'"),
    ],
)
def test_a_wrong_feature_is_refused(tfrec, server, feature, sentence, one_sentence):
    refused = tfrec("recommend", "--user", "u001", "--feature", feature, "--name", "shop", "--server", server)
    assert sentence in one_sentence(refused)


def test_reasons_are_told_in_words_and_add_up(tfrec, shop, server):
    ask = (
        "recommend",
        "--history",
        "i000,i004",
        "--feature",
        "age=31",
        "-k",
        8,
        "-c",
        shop.config,
        "--server",
        server,
    )
    answer = tfrec(*ask, "--json", "--why").json
    for item in answer["items"]:
        why = item["why"]
        parts = [why["general"], *(reason["amount"] for reason in [*why["history"], *why["features"]])]
        assert sum(parts) == pytest.approx(item["score"], abs=1e-4)
        assert sum(why["modalities"].values()) == pytest.approx(item["score"], abs=1e-4)
    shown = tfrec(*ask, "--why").out
    touched = answer["items"][0]["why"]["history"][0]
    assert f"because the user touched {touched['title']} ({touched['amount']:+.3f})" in " ".join(shown.split())
    assert "Based on what the user touched." in shown
    assert "why" not in tfrec(*ask, "--json").json["items"][0]


def test_nobody_is_told_that_the_items_are_popular_ones(tfrec, shop, server):
    shown = tfrec("recommend", "--user", "nobody", "-c", shop.config, "--server", server)
    assert "Nothing is known of the user, so these are popular items." in shown.out
    with_context = tfrec("recommend", "--feature", "device=phone", "-c", shop.config, "--server", server)
    assert "in the light of the request's context" in " ".join(with_context.out.split())


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--filter", "colour=red"], "cannot filter by 'colour'; it was exported without filters, see serving.filters"),
        (["--filter", "colour"], "--filter takes NAME=VALUE or NAME=LOW..HIGH, got 'colour'"),
        (["--filter", "price=1..2", "--filter", "price=3.."], "--filter takes one range of 'price'"),
        (["--allow", "i001"], "takes no list of allowed items; export it with serving.allow"),
        (["--diversity", "0.5"], "knows no diversity; export it with serving.diversity"),
    ],
)
def test_what_the_model_cannot_do_is_told(tfrec, server, options, sentence, one_sentence):
    refused = tfrec("recommend", "--user", "u001", *options, "--name", "shop", "--server", server)
    assert sentence in one_sentence(refused)


def test_a_search_finds_items_by_their_words(tfrec, shop, server):
    found = tfrec("search", "whale coral sailor harbour", "-k", 3, "-c", shop.config, "--server", server, "--json").json
    assert {shop.world.item_taste[item["item_id"]] for item in found["items"]} == {"ocean"}


def test_similar_items_leave_out_the_item_itself(tfrec, shop, server):
    shown = tfrec("similar", "i003", "-k", 4, "-c", shop.config, "--server", server, "--json").json["items"]
    assert len(shown) == 4
    assert "i003" not in {item["item_id"] for item in shown}


def test_an_item_nobody_knows_has_nothing_similar(tfrec, shop, server):
    shown = tfrec("similar", "nobody", "-c", shop.config, "--server", server)
    assert shown.status == 0
    assert "the model does not know this item" in shown.out


def test_a_model_the_server_does_not_have_is_told(tfrec, server, one_sentence):
    refused = tfrec("similar", "i003", "--name", "shopp", "--server", server)
    assert "does not have that model or version" in one_sentence(refused)


def test_without_a_name_the_way_to_one_is_told(tfrec, tmp_path, monkeypatch, one_sentence):
    monkeypatch.chdir(tmp_path)
    assert "give --name, or --model DIR or -c FILE" in one_sentence(tfrec("recommend", "--user", "u001"))


def test_the_configuration_in_this_folder_is_found(tfrec, shop, server, tmp_path, monkeypatch):
    (tmp_path / "tfrec.yaml").symlink_to(shop.config)
    monkeypatch.chdir(tmp_path)
    answer = tfrec("recommend", "--user", "u001", "--server", server, "--json")
    assert answer.status == 0, answer.err  # the model's name is in it; its push folder is elsewhere, so no titles
    assert answer.json["items"]


def test_more_items_than_the_model_returns_are_refused(tfrec, server, one_sentence):
    refused = tfrec("recommend", "--user", "u001", "-k", 50, "--name", "shop", "--server", server)
    assert "k must be between 1 and 10" in one_sentence(refused)


def test_asking_imports_no_tensorflow(shop, server):
    arguments = ["recommend", "--user", "u001", "--model", shop.versions, "--server", server]
    code = (
        "import sys\n"
        "from tfrec.cli.main import main\n"
        f"status = main({arguments!r})\n"
        "heavy = {'tensorflow', 'pandas', 'tensorflow_serving'} & set(sys.modules)\n"
        "print('heavy', sorted(heavy))\n"
        "sys.exit(status)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().splitlines()[-1] == "heavy []"
