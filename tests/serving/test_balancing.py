"""Clients of several servers, synchronous and asyncio: real servers on loopback, some of them killed."""

import asyncio
import time
from collections import Counter

import pytest

from tfrec.errors import ServerError
from tfrec.serving import AsyncClient, CallError, Client, Query
from tfrec.serving.channel import Settings, tries


@pytest.fixture
def two_servers(tmp_path, write_model, serve_model):
    """Two servers of the same recommender, told apart by the version they serve."""
    for version in (1, 2):
        write_model["recommender"](tmp_path / str(version) / str(version))
    with serve_model(tmp_path / "1", rest_api_port=None) as one, serve_model(tmp_path / "2", rest_api_port=None) as two:
        yield one, two


def addresses(servers):
    return [server.grpc_address for server in servers]


def test_servers_are_asked_in_turn_and_a_killed_one_fails_no_request(two_servers):
    with Client(addresses(two_servers), timeout=10) as client:
        asked = Counter(client.recommend(k=1).model_version for _ in range(40))
        assert min(asked[1], asked[2]) >= 10
        two_servers[0].stop()
        assert {client.recommend(k=1).model_version for _ in range(40)} == {2}


def test_an_address_where_nobody_ever_answered_fails_no_request_and_costs_no_time(two_servers, free_port):
    with Client(f"127.0.0.1:{free_port}, {two_servers[0].grpc_address}", timeout=5) as client:
        client.recommend(k=1)
        start = time.monotonic()
        assert all(client.recommend(k=1) for _ in range(30))
        assert time.monotonic() - start < 30


def test_with_all_servers_gone_the_error_comes_within_the_deadline(two_servers):
    with Client(addresses(two_servers), timeout=2) as client:
        client.recommend(k=1)
        for server in two_servers:
            server.stop()
        start = time.monotonic()
        with pytest.raises(CallError, match="no model server answers"):
            client.recommend(k=1)
        assert time.monotonic() - start < 30


def test_asyncio_asks_many_at_once_in_turn_and_survives_a_killed_server(two_servers):
    async def ask():
        async with AsyncClient(addresses(two_servers), timeout=10, titles={"i0": "Popular"}) as client:
            answers = await asyncio.gather(*(client.recommend(history=[f"i{n % 9}"], k=2) for n in range(40)))
            assert [answer.item_ids[0] for answer in answers] == [f"i{n % 9 + 1}" for n in range(40)]
            assert {answer.model_version for answer in answers} == {1, 2}
            two_servers[1].stop()
            later = await asyncio.gather(*(client.recommend(k=1) for _ in range(40)))
            assert {answer.model_version for answer in later} == {1}
            assert later[0][0].title == "Popular"

    asyncio.run(ask())


def test_asyncio_has_every_question_of_the_synchronous_client(recommender):
    async def ask():
        async with AsyncClient(recommender.grpc_address) as client:
            assert (await client.search("i9", k=1)).item_ids == ["i9"]
            assert len(await client.similar_many(["i1", "i2"], k=3)) == 2
            assert (await client.embed([{"title": "abc"}])).shape == (1, 3)
            assert (await client.status())[0].state == "AVAILABLE"
            assert (await client.metadata()).version == 1
            assert len(await client.recommend_many([Query(), Query()], k=1)) == 2
            with pytest.raises(ServerError, match="k must be between 1 and 6"):
                await client.recommend(k=7)

    asyncio.run(ask())
    methods = {name for name in vars(Client) if not name.startswith("_")}
    assert methods == {name for name in vars(AsyncClient) if not name.startswith("_")}


def test_asyncio_gives_up_at_the_deadline(free_port):
    async def ask():
        async with AsyncClient(f"127.0.0.1:{free_port}", timeout=1) as client:
            await client.recommend(k=1)

    start = time.monotonic()
    with pytest.raises(CallError, match="no model server answers"):
        asyncio.run(ask())
    assert time.monotonic() - start < 30


def test_messages_larger_than_allowed_are_refused_in_one_sentence(recommender):
    with Client(recommender.grpc_address, largest_message=3000) as client:
        assert client.recommend(k=1).item_ids == ["i0"]
        with pytest.raises(CallError, match="too large"):
            client.recommend_many([Query(history=["i1"] * 5)] * 200, k=6)


def test_addresses_are_a_list_or_have_commas_between_them():
    def settings(address):
        return Settings.of(address, 1.0, 2, None, 10).addresses

    assert settings("a:1, b:2") == settings(["a:1", "b:2"]) == ("a:1", "b:2")
    assert settings("ipv4:10.0.0.1:1,10.0.0.2:1") == ("ipv4:10.0.0.1:1,10.0.0.2:1",)
    with pytest.raises(ServerError, match="expected the address of a model server"):
        settings(" , ")


def test_all_addresses_are_tried_ready_ones_first_before_anybody_waits():
    plan = list(tries(first=2, ready=[True, False, True], attempts=3))
    assert [number for number, _ in plan] == [2, 0, 1] * 3
    pauses = [pause for _, pause in plan]
    assert [pause > 0 for pause in pauses] == [False] * 3 + [True, False, False] * 2
    assert 0.08 <= pauses[3] <= 0.12 and 0.16 <= pauses[6] <= 0.24
