import json

import pytest


def test_a_small_share_is_made_once_told_and_written(tfrec, tmp_path):
    out = tmp_path / "results" / "scale"
    asked = ["benchmark", "scale", "--shares", 0.0001, "--stages", "make", "--folder", tmp_path / "work", "--out", out]
    done = tfrec(*asked)
    assert done.status == 0, done.err
    written = json.loads(out.with_suffix(".json").read_text())
    lap = written["shares"]["0.0001"]["make"]["make"]
    assert lap["peak_bytes"] > 10**7 and lap["bytes"] > 0
    assert written["command"] == "tfrec benchmark scale --shares 0.0001 --stages make --folder scale"
    assert "## Time and peak memory" in out.with_suffix(".md").read_text()
    made = tmp_path / "work" / "0.0001" / "make.json"
    before = made.stat().st_mtime_ns
    assert tfrec(*asked, "--json").json["shares"] == written["shares"]
    assert made.stat().st_mtime_ns == before


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--shares", "small"], "--shares is 'small'; expected numbers above 0 separated by commas"),
        (["--shares", "0.1,0"], "expected numbers above 0"),
        (["--stages", "brew"], "no stage is called 'brew'"),
    ],
)
def test_a_wrong_argument_is_refused_in_one_sentence(tfrec, one_sentence, tmp_path, arguments, said):
    assert said in one_sentence(tfrec("benchmark", "scale", "--folder", tmp_path, *arguments))
