"""`tfrec recommend --users FILE`: no server."""

import csv
import json


def rows_of(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_every_user_gets_ranked_items_that_were_not_touched_before(tfrec, shop, tmp_path):
    out = tmp_path / "new" / "recs.csv"
    users = shop.world.folder / "users.jsonl"
    done = tfrec("recommend", "--model", shop.versions, "--users", users, "-k", 4, "--out", out, "--json")
    assert done.status == 0, done.err
    rows = rows_of(out)
    assert list(rows[0]) == ["user_id", "rank", "item_id", "score"]
    assert done.json["users"] == 60
    assert done.json["rows"] == len(rows) == 240
    assert done.json["unknown"] == 0
    with open(shop.world.folder / "events.jsonl") as file:
        touched = {(event["user_id"], event["item_id"]) for event in map(json.loads, file)}
    assert not touched & {(row["user_id"], row["item_id"]) for row in rows}
    for user in {row["user_id"] for row in rows}:
        own = [row for row in rows if row["user_id"] == user]
        assert [row["rank"] for row in own] == ["1", "2", "3", "4"]
        scores = [float(row["score"]) for row in own]
        assert scores == sorted(scores, reverse=True)


def test_a_batch_gives_what_the_server_gives(tfrec, shop, server, tmp_path):
    (tmp_path / "ids.txt").write_text("u007\n")
    tfrec(
        "recommend", "--model", shop.versions, "--users", tmp_path / "ids.txt", "--out", tmp_path / "recs.csv", "-k", 5
    )
    asked = tfrec("recommend", "--user", "u007", "-k", 5, "--name", "shop", "--server", server, "--json").json["items"]
    assert [row["item_id"] for row in rows_of(tmp_path / "recs.csv")] == [item["item_id"] for item in asked]


def test_unknown_users_are_counted_and_served_by_their_features(tfrec, shop, tmp_path):
    (tmp_path / "people.csv").write_text("user_id,age,country\nu001,30,NL\nstranger,52,PT\n")
    done = tfrec(
        "recommend", "--model", shop.versions, "--users", tmp_path / "people.csv", "-k", 3, "--out", tmp_path / "r.csv"
    )
    assert done.status == 0, done.err
    assert "1 of them are unknown to the model" in done.out
    assert "stranger" in done.out
    assert [row["user_id"] for row in rows_of(tmp_path / "r.csv")] == ["u001"] * 3 + ["stranger"] * 3


def test_faulty_users_are_told_with_their_rows(tfrec, shop, tmp_path):
    (tmp_path / "people.csv").write_text("user_id,age\nu001,30\nu001,31\n,32\nu002,old\n")
    done = tfrec("recommend", "--model", shop.versions, "--users", tmp_path / "people.csv", "--out", tmp_path / "r.csv")
    assert "wrote 20 recommendations for 2 users" in done.out
    for row in (3, 4, 5):
        assert f"people.csv, row {row}: " in done.out


def test_a_file_without_ids_is_refused(tfrec, shop, tmp_path, one_sentence):
    (tmp_path / "people.csv").write_text("name,age\nAda,30\n")
    refused = tfrec(
        "recommend", "--model", shop.versions, "--users", tmp_path / "people.csv", "--out", tmp_path / "r.csv"
    )
    assert "has no column 'user_id' with the users' ids (its columns are name, age)" in one_sentence(refused)
    assert not (tmp_path / "r.csv").exists()


def test_what_is_missing_is_told(tfrec, shop, tmp_path, one_sentence):
    users = shop.world.folder / "users.jsonl"
    ask = ("recommend", "--users", users, "--out", tmp_path / "r.csv")
    assert "needs --model DIR too" in one_sentence(tfrec(*ask))
    assert "holds no model" in one_sentence(tfrec(*ask, "--model", tmp_path))
    assert "does not exist; check --model" in one_sentence(tfrec(*ask, "--model", tmp_path / "none"))
    none = ("recommend", "--users", tmp_path / "none.csv", "--out", tmp_path / "r.csv", "--model", shop.versions)
    assert "none.csv does not exist; check --users" in one_sentence(tfrec(*none))
    assert "exported for 1 to 10" in one_sentence(tfrec(*ask, "--model", shop.versions, "-k", 11))
