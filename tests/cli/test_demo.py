import os
import re
import signal
import socket
import subprocess
import sys

import pytest
import yaml

from tfrec.cli.demo.newcomers import remembered_words
from tfrec.cli.demo.preparation import Size, prepare
from tfrec.cli.demo.server import serving
from tfrec.cli.demo.tables import Row, tales
from tfrec.cli.demo.tastes import Tastes, two_listeners
from tfrec.errors import DataError, ServerError

NAMES = ("world", "mood", "palette", "motif", "timbre", "pace")
SMALL = Size(items=20, users=10, events=200)


def traits(*values):
    return dict(zip(NAMES, values))


@pytest.fixture
def tastes():
    items = {
        "a": traits("sea", "calm", "ink", "rings", "bell", "drone"),
        "b": traits("sea", "funny", "ink", "tiles", "drum", "drone"),
        "c": traits("desert", "eerie", "lime", "waves", "organ", "swell"),
        "new": traits("sea", "calm", "lime", "waves", "bell", "swell"),
    }
    likes = {
        "u1": {name: [value] for name, value in items["a"].items()},
        "u2": {name: [value] for name, value in items["b"].items()},
        "u3": {name: [value] for name, value in items["c"].items()},
    }
    return Tastes(items, likes, ["a", "b", "c"])


def test_what_a_listener_likes_about_a_tale(tastes):
    assert tastes.liked("u1", "b") == {"world", "palette", "pace"}
    assert tastes.matches("u1", ["a", "b"]) == 4.5
    assert tastes.matches_at_random("u1") == 3.0


def test_the_tastes_that_show_are_those_that_come_more_often_than_usual(tastes):
    assert tastes.showing("u1", ["a", "b"], most=2) == ["sea tales (2 of 2)", "ink covers (2 of 2)"]
    assert tastes.showing("u1", ["c", "c"]) == []


def test_the_two_listeners_have_long_histories_and_different_tastes(tastes):
    histories = {"u1": ["a"] * 30, "u2": ["b"] * 30, "u3": ["c"] * 30, "unknown": ["a"] * 30}
    assert two_listeners(tastes, histories, least=20) == ["u1", "u3"]


def test_short_histories_do_when_there_are_no_longer_ones(tastes):
    assert two_listeners(tastes, {"u1": ["a"], "u3": ["c"]}, least=20) == ["u1", "u3"]


@pytest.mark.parametrize("width", [80, 100])
def test_a_table_fits_the_terminal_and_marks_what_is_liked(tastes, width):
    from rich.console import Console

    console = Console(width=width, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    title = "A very long title [with brackets] that goes on and on and on and on until nobody listens any more"
    console.print(tales("recommended", [Row("1", "a", title, {"world"})], tastes, width))
    lines = console.export_text().splitlines()
    assert max(map(len, lines)) <= width
    assert "sea*, calm" in "\n".join(lines)
    assert "bell, drone" in "\n".join(lines)
    assert "[with" in "\n".join(lines) or width == 80


def test_what_is_remembered_is_the_beginning_of_the_story():
    text = "The Sea. Two old sailors set out to find the last white whale of them all. Sad."
    assert remembered_words(text) == "sailors set out to find the last white whale of them all"


def test_the_catalogue_is_made_once(tmp_path):
    first, reused = prepare(str(tmp_path), SMALL, lambda done, total: None)
    assert not reused
    before = os.stat(first).st_mtime_ns
    again, reused = prepare(str(tmp_path), SMALL, lambda done, total: None)
    assert reused
    assert again == first
    assert os.stat(first).st_mtime_ns == before


def test_a_catalogue_of_another_size_is_not_mistaken_for_this_one(tmp_path):
    prepare(str(tmp_path), SMALL, lambda done, total: None)
    with pytest.raises(DataError, match="a catalogue of another size"):
        prepare(str(tmp_path), Size(items=21, users=10, events=200), lambda done, total: None)


def test_a_quick_look_has_few_epochs_and_no_gates(tmp_path):
    path, _ = prepare(str(tmp_path), Size(20, 10, 200, epochs=2), lambda done, total: None)
    with open(path) as file:
        document = yaml.safe_load(file)
    assert document["training"]["epochs"] == 2
    assert document["gates"]["better_than"] == []
    full = os.path.join(os.path.dirname(path), "tfrec.yaml")
    with open(full) as file:
        assert document["data"]["output"] != yaml.safe_load(file)["data"]["output"]


def test_the_server_is_stopped_when_the_block_ends_badly(shop, tmp_path):
    with pytest.raises(ZeroDivisionError), serving(shop.versions, "shop", str(tmp_path / "server.log")) as addresses:
        assert answers(addresses.grpc)
        raise ZeroDivisionError
    assert not answers(addresses.grpc)


def test_the_server_is_stopped_when_the_demo_is_killed(shop, tmp_path):
    log = str(tmp_path / "server.log")
    code = (
        "import sys, time\n"
        "from tfrec.cli.demo.server import serving\n"
        f"with serving({shop.versions!r}, 'shop', {log!r}) as addresses:\n"
        "    print(addresses.grpc, flush=True)\n"
        "    time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    address = process.stdout.readline().strip()
    assert answers(address)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 128 + signal.SIGTERM
    process.stdout.close()
    assert not answers(address)


def test_a_server_that_does_not_come_up_is_told(tmp_path, monkeypatch):
    (tmp_path / "model" / "1").mkdir(parents=True)
    monkeypatch.setattr("tfrec.cli.demo.server.PATIENCE", 8.0)
    with (
        pytest.raises(ServerError, match=r"see .*server\.log"),
        serving(str(tmp_path / "model"), "shop", str(tmp_path / "server.log")),
    ):
        pass


def answers(address):
    host, _, port = address.rpartition(":")
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, int(port))) == 0


@pytest.mark.slow
def test_the_demo_tells_everything_and_reuses_what_has_not_changed(tfrec_process, tmp_path):
    pytest.importorskip("tfx")
    sizes = ("--items", 60, "--users", 120, "--events", 3000, "--epochs", 2)
    first = tfrec_process("demo", "--out", tmp_path / "demo", *sizes, timeout=600)
    assert first.status == 0, first.err
    for heading in ("The catalogue", "Two listeners", "A search", "Similar tales", "Brand-new tales", "How good it is"):
        assert f"── {heading} ──" in first.out
    for name in ("MostPop", "ItemKNN", "text alone", "picture alone", "sound alone", "Random"):
        assert name in first.out
    assert max(len(line) for line in first.out.splitlines() if str(tmp_path) not in line) <= 100
    assert re.search(r"took it over .* all \d+ requests", " ".join(first.out.split()))
    for path in re.findall(rf"^.{{30}} ({re.escape(str(tmp_path))}\S+)$", first.out, re.MULTILINE):
        assert os.path.exists(path)
    assert not answers(re.search(r"gRPC at (\S+?),", first.out)[1])
    second = tfrec_process("demo", "--out", tmp_path / "demo", *sizes, timeout=600)
    assert second.status == 0, second.err
    assert "11 components in" in second.out
    assert "11 reused" in second.out
    assert "written as version 2" in second.out
