"""Section I of the conformance list: batching."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tfrec.errors import ServerError
from tfrec.serving import Client
from tfrec.serving.server.batching import BatchedServable, Batching, Limits, batching_from_file
from tfrec.serving.server.errors import StatusError


class Held:
    """A servable whose runs wait until `release`; doubles "x", and keeps what it was fed."""

    def __init__(self, answer=lambda x: 2 * x):
        self.signatures = {}
        self.fed = []
        self.started = threading.Semaphore(0)
        self.gate = threading.Semaphore(0)
        self._answer = answer

    def run(self, feeds, fetches, timeout=None):
        self.fed.append(feeds)
        self.started.release()
        assert self.gate.acquire(timeout=20)
        return [self._answer(feeds["x"])] * len(fetches)

    def close(self):
        """Nothing is held."""


def rows(*values):
    return np.array([[value] for value in values], np.float32)


@pytest.fixture
def pool():
    with ThreadPoolExecutor(8) as threads:
        yield threads


def waiting(servable):
    return sum(len(batch) for queue in servable._queues.values() for batch in queue._batches)


def submitted(pool, servable, count, x, **settings):
    """A run in another thread that is waiting in its queue, which then holds `count`."""
    future = pool.submit(servable.run, {"x": x}, settings.pop("fetches", ["y"]), **settings)
    deadline = time.monotonic() + 20
    while waiting(servable) != count:
        assert time.monotonic() < deadline and not future.done(), future
        time.sleep(0.001)
    return future


def busy(pool, batching, held=None):
    """A batched servable of which one run is under way, and that run."""
    held = held or Held()
    servable = BatchedServable(held, Limits(batching))
    first = pool.submit(servable.run, {"x": rows(0)}, ["y"])
    assert held.started.acquire(timeout=20)
    return servable, held, first


def test_what_queues_up_while_a_batch_runs_is_run_together_and_everybody_gets_their_rows(pool):
    servable, held, first = busy(pool, Batching())
    second = submitted(pool, servable, 1, rows(1))
    third = submitted(pool, servable, 2, rows(2, 3))
    held.gate.release(2)
    np.testing.assert_array_equal(first.result(20)[0], rows(0))
    np.testing.assert_array_equal(second.result(20)[0], rows(2))
    np.testing.assert_array_equal(third.result(20)[0], rows(4, 6))
    assert [len(feeds["x"]) for feeds in held.fed] == [1, 3]


def test_i1_parameters_file(tmp_path):
    file = tmp_path / "batching.config"
    file.write_text(
        "max_batch_size { value: 128 } batch_timeout_micros { value: 500 } max_enqueued_batches { value: 1000000 } "
        "num_batch_threads { value: 8 } allowed_batch_sizes: 16 allowed_batch_sizes: 128"
    )
    assert batching_from_file(str(file)) == Batching(128, 0.0005, 1_000_000, 8, (16, 128))
    for text, reason in (
        ("max_batch_size { value: 4 } allowed_batch_sizes: 2", "Last entry in allowed_batch_sizes must match"),
        ("allowed_batch_sizes: 9 allowed_batch_sizes: 2", "monotonically increasing"),
        ("max_batch_size { value: 0 }", "must be positive"),
        ("size: 4", "cannot read the batching parameters file"),
    ):
        file.write_text(text)
        with pytest.raises(ServerError, match=reason):
            batching_from_file(str(file))


def test_i3_request_larger_than_a_batch():
    servable = BatchedServable(Held(), Limits(Batching(largest=2)))
    with pytest.raises(StatusError, match="Task size 3 is larger than maximum input batch size 2") as raised:
        servable.run({"x": rows(1, 2, 3)}, ["y"])
    assert raised.value.code == "INVALID_ARGUMENT"


def test_i4_full_queue(pool):
    servable, held, first = busy(pool, Batching(largest=2, most_waiting=1))
    second = submitted(pool, servable, 1, rows(1, 1))
    with pytest.raises(StatusError, match="queue to which this task was submitted is full") as raised:
        servable.run({"x": rows(2)}, ["y"])
    assert raised.value.code == "UNAVAILABLE"
    held.gate.release(2)
    assert first.result(20) and second.result(20)


def test_i5_deadline_that_passes_in_the_queue(pool):
    servable, held, first = busy(pool, Batching())
    with pytest.raises(StatusError) as raised:
        servable.run({"x": rows(1)}, ["y"], timeout=0.05)
    text = "Run() timeout exceeded while waiting in batching queue"
    assert (raised.value.code, raised.value.message) == ("RESOURCE_EXHAUSTED", text)
    second = submitted(pool, servable, 1, rows(2))
    held.gate.release(2)
    assert first.result(20) and second.result(20)
    assert [len(feeds["x"]) for feeds in held.fed] == [1, 1]


def test_i6_rows_of_different_shapes_fail_without_padding_and_are_padded_with_it(pool):
    wide = np.float32([[5.0, 6.0]])
    servable, held, first = busy(pool, Batching())
    futures = [submitted(pool, servable, 1, rows(1)), submitted(pool, servable, 2, wide)]
    held.gate.release(1)
    for future in futures:
        with pytest.raises(
            StatusError, match="from different tasks have different shapes and padding is turned off"
        ) as e:
            future.result(20)
        assert e.value.code == "FAILED_PRECONDITION"
    assert first.result(20)
    servable, held, _ = busy(pool, Batching(pad=True))
    futures = [submitted(pool, servable, 1, rows(1)), submitted(pool, servable, 2, wide)]
    held.gate.release(2)
    np.testing.assert_array_equal(futures[0].result(20)[0], [[2, 2]])
    np.testing.assert_array_equal(futures[1].result(20)[0], [[10, 12]])


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (lambda x: np.float32(1), "Batched output tensor has 0 dimensions"),
        (lambda x: x[:0], "Batched output tensor's 0th dimension does not equal the sum of the 0th dimension sizes"),
    ],
)
def test_i6_outputs_that_are_no_batch(answer, text):
    held = Held(answer)
    held.gate.release()
    with pytest.raises(StatusError, match=text) as raised:
        BatchedServable(held, Limits(Batching())).run({"x": rows(1)}, ["y"])
    assert raised.value.code == "FAILED_PRECONDITION"


def test_i6_inputs_must_share_their_first_dimension():
    servable = BatchedServable(Held(), Limits(Batching()))
    with pytest.raises(StatusError, match="must have equal 0th-dimension size"):
        servable.run({"x": rows(1), "z": rows(1, 2)}, ["y"])
    with pytest.raises(StatusError, match="must have at least one dimension"):
        servable.run({"x": np.float32(1)}, ["y"])


def test_i7_batches_are_filled_up_to_an_allowed_size():
    held = Held()
    held.gate.release()
    servable = BatchedServable(held, Limits(Batching(largest=8, sizes=(4, 8))))
    np.testing.assert_array_equal(servable.run({"x": rows(1, 2, 3)}, ["y"])[0], rows(2, 4, 6))
    np.testing.assert_array_equal(held.fed[0]["x"], rows(1, 2, 3, 1))


def test_i8_only_the_same_inputs_and_outputs_are_run_together(pool):
    servable, held, _ = busy(pool, Batching(at_once=1))
    other = submitted(pool, servable, 1, rows(1), fetches=["z"])
    same = submitted(pool, servable, 2, rows(2))
    another_type = submitted(pool, servable, 3, np.array([[3]], np.int32))
    held.gate.release(4)
    assert other.result(20) and same.result(20) and another_type.result(20)
    assert [len(feeds["x"]) for feeds in held.fed] == [1, 1, 1, 1]


def test_i9_answers_are_those_without_batching(recommender, base_paths, serve_model):
    def answers(server):
        with Client(server.grpc_address) as client, ThreadPoolExecutor(8) as threads:

            def ask(number):
                return client.recommend(history=[f"i{number % 20}"], k=3)

            return [(found.item_ids, [i.score for i in found]) for found in threads.map(ask, range(100))]

    with serve_model(base_paths["recommender"], batching=True) as server:
        assert answers(server) == answers(recommender)


def test_i9_counters_and_signatures_without_inputs_run_unbatched(base_paths, serve_model):
    with (
        serve_model(base_paths["counter"], batching=True, rest_api_port=None) as server,
        Client(server.grpc_address) as client,
    ):
        assert client.predict("incr_counter", {})[0]["output"] == 1.0
