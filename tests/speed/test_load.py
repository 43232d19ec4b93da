import threading
import time

import pytest

from tfrec.speed.load import NOT_SENT, closed_loop, open_loop


def test_at_a_fixed_rate_every_request_is_sent_once_and_errors_are_counted():
    sent = []

    def call(request):
        sent.append(request)
        return "UNAVAILABLE" if request == b"bad" else ""

    load = open_loop([call, call], [b"good", b"good", b"bad"], rate=600, seconds=0.1, most=1000)
    assert len(sent) == 60 and load.errors == {"UNAVAILABLE": 20}
    assert len(load.latencies) == 40 and set(load.milliseconds()) == {"p50", "p90", "p99", "p99.9"}
    assert len(open_loop([call], [b"good"], rate=1000, seconds=1, most=5).latencies) == 5


def test_what_waits_while_the_server_stalls_counts_from_the_time_it_was_meant_to_be_sent():
    """One connection and one stall: a load that waited with the server would see a single slow answer."""
    stalled = threading.Event()

    def call(request):
        if not stalled.is_set():
            stalled.set()
            time.sleep(0.4)
        return ""

    load = open_loop([call], [b""], rate=50, seconds=0.4, most=1000)
    assert len(load.latencies) == 20
    assert sorted(load.latencies)[10] > 0.1


def test_a_load_that_cannot_be_followed_ends_and_says_what_was_not_sent():
    def call(request):
        time.sleep(0.05)
        return ""

    load = open_loop([call], [b""], rate=1000, seconds=0.2, most=100_000)
    assert load.errors[NOT_SENT] + len(load.latencies) == 200
    assert load.errors[NOT_SENT] > 150 and load.seconds < 2


def test_a_closed_loop_keeps_every_connection_busy_and_is_bounded():
    def call(request):
        time.sleep(0.01)
        return ""

    load = closed_loop([call] * 4, [b""], seconds=5, most=40)
    assert len(load.latencies) == 40 and load.seconds < 5 and load.rate is None
    assert closed_loop([call], [b""], seconds=0.05, most=1000).seconds < 1


def test_numbers_that_make_no_load_are_an_error():
    with pytest.raises(ValueError, match="positive rate"):
        open_loop([lambda request: ""], [b""], rate=0, seconds=1, most=1)
