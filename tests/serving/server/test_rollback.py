"""A rollback and the removal of old versions, seen by a server under constant requests."""

import json
import threading
import time

import numpy as np

from tfrec.serving import Client
from tfrec.steps.push import push
from tfrec.steps.rollback import roll_back

X = {"x": np.array([[2.0]], np.float32)}


def test_a_running_server_takes_a_rollback_over_without_a_failed_answer(tmp_path, write_model, serve_model):
    base = tmp_path / "half_plus"
    for number in (1, 2):
        model = tmp_path / "made" / str(number)
        write_model["half_plus"](model, offset=float(number))
        (model / "assets.extra").mkdir()
        (model / "assets.extra" / "tfrec_manifest.json").write_text(json.dumps({"number": number}))
        push(str(model), str(base))
    seen, stop = [], threading.Event()
    with (
        serve_model(str(base), model_name="half_plus") as server,
        Client(server.grpc_address, model_name="half_plus") as client,
    ):

        def ask():
            while not stop.is_set():
                outputs, version = client.predict("serving_default", X)
                seen.append((version, float(outputs["y"][0, 0])))

        asking = threading.Thread(target=ask)
        asking.start()
        wait_for(lambda: (2, 3.0) in seen)
        done = roll_back(str(base), keep=2)  # version 1 goes with it; its copy is served
        wait_for(lambda: (3, 2.0) in seen)
        stop.set()
        asking.join()
    assert (done.restored, done.version) == (1, 3)
    assert sorted(entry.name for entry in base.iterdir()) == ["2", "3", "rollbacks.jsonl"]
    assert set(seen) == {(2, 3.0), (3, 2.0)}  # an exception in the thread would have ended the second wait


def wait_for(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "what was waited for did not happen"
        time.sleep(0.01)
