import numpy as np
import pytest

from tfrec.data.split import held_out_items, parts_of_events
from tfrec.data.tables import Catalogue, Dataset, Users
from tfrec.errors import ConfigError
from tfrec.evaluation.protocols import PROTOCOLS, protocol


@pytest.fixture(scope="module")
def config(plain_world):
    return plain_world.config(split={"by": "time", "validation": 0.15})


@pytest.fixture(scope="module")
def divided(events):
    """divided(split): 30 users, 20 items, 800 events, divided as `split` says."""
    generator = np.random.default_rng(0)
    all_events = events(np.stack([generator.integers(0, 30, 800), generator.integers(0, 20, 800)], axis=1))

    def divide(split):
        held_out = held_out_items(all_events.item, split.held_out_items, split.seed)
        parts = parts_of_events(all_events.user, all_events.item, all_events.time, split, held_out)
        names = [np.array([f"{kind}{row}" for row in range(count)], object) for kind, count in (("i", 20), ("u", 30))]
        tables = [all_events.take(parts == part) for part in range(4)]
        users = Users(names[1], {"age": np.arange(30, dtype=np.float32), "country": np.full(30, "NL", object)})
        return Dataset(Catalogue(names[0], names[0], {}), users, *tables, held_out)

    return divide


@pytest.mark.parametrize("name", PROTOCOLS)
def test_settings_are_chosen_without_a_look_at_the_test_part(config, divided, name):
    chosen = protocol(name)
    final = chosen.dataset(divided(chosen.config(config, seed=1).split), 1)
    data = divided(chosen.config(config, 1, "validation").split)
    choosing = chosen.dataset(data, 1, "validation")
    asked = final.cold if chosen.asks == "new-items" else final.test
    seen = {moment for part in (choosing.train, choosing.test, choosing.cold) for moment in part.time.tolist()}
    assert len(asked) and not seen & set(asked.time.tolist())
    assert seen == set(final.train.time.tolist())
    assert all(len(task.users) for task in chosen.tasks(choosing, "validation"))


def test_the_recommenders_team_split_is_the_same_for_every_seed(config):
    chosen = protocol("recommenders-team")
    first, second = (chosen.config(config, seed) for seed in (0, 1))
    assert first.split == second.split
    assert (first.split.by, first.split.test, first.split.validation, first.split.seed) == ("within-item", 0.25, 0, 42)
    assert (first.training.seed, second.training.seed) == (0, 1)


def test_the_validation_part_is_as_large_a_share_of_training_as_the_test_part_is_of_all(config, divided):
    chosen = protocol("recommenders-team")
    data = divided(chosen.config(config, 0, "validation").split)
    assert len(data.validation) / (len(data.train) + len(data.validation)) == pytest.approx(0.25, abs=0.03)


def test_seeds_divide_anew_where_the_protocol_says_so(config):
    for name, anew in (("per-user", True), ("held-out-items", True), ("leave-last-out", False)):
        first, second = (protocol(name).config(config, seed).split for seed in (0, 1))
        assert (first != second) == anew


def test_nothing_is_held_back_unless_training_stops_early(config):
    chosen = protocol("per-user")
    assert chosen.config(config, 0).split.validation == 0
    assert chosen.config(config, 0, stop_early=True).split.validation == 0.15


def test_a_validation_part_that_stopped_training_is_not_known_when_it_is_asked_for(config, divided):
    chosen = protocol("per-user")
    data = divided(chosen.config(config, 0, "validation", stop_early=True).split)
    kept = chosen.dataset(data, 0, "validation", stop_early=True)
    assert len(kept.validation) == len(kept.test) > 0
    [task] = chosen.tasks(kept, "validation", stop_early=True)
    assert task.history.nnz == task.train.nnz


def test_held_out_items_compete_among_themselves(config, divided):
    chosen = protocol("held-out-items")
    data = chosen.dataset(divided(chosen.config(config, 3).split), 3)
    [task] = chosen.tasks(data)
    assert task.candidates.tolist() == data.held_out.tolist() and len(data.held_out) == 3
    assert not np.isin(data.train.item, data.held_out).any()


@pytest.mark.parametrize("part", ["test", "validation"])
@pytest.mark.parametrize("stop_early", [False, True])
def test_of_new_users_training_sees_neither_an_event_nor_an_attribute(config, divided, part, stop_early):
    chosen = protocol("new-users")
    data = divided(chosen.config(config, 3, part, stop_early).split)
    kept = chosen.dataset(data, 3, part, stop_early)
    hidden = np.unique(kept.test.user)
    assert len(hidden) == 3 and bool(len(kept.validation)) == stop_early
    for known in (kept.train, kept.validation):
        assert not np.isin(known.user, hidden).any()
    assert np.isnan(kept.users.columns["age"][hidden]).all() and set(kept.users.columns["country"][hidden]) == {""}
    if part == "validation":
        assert not np.isin(hidden, data.test.user).any()
    else:
        assert not np.isnan(kept.users.columns["age"]).all()
    tasks = chosen.tasks(kept, part, stop_early)
    assert [np.diff(task.history.indptr)[task.users].tolist() for task in tasks] == [
        [count] * len(hidden) for count in (1, 3, 5, 10)
    ]
    for task in tasks:
        assert task.train[hidden].nnz == 0 and task.users.tolist() == hidden.tolist()


def test_other_new_users_are_drawn_for_every_seed(config, divided):
    chosen = protocol("new-users")
    first, second = (np.unique(divided(chosen.config(config, seed).split).test.user).tolist() for seed in (0, 1))
    assert first != second


def test_an_unknown_protocol_is_refused():
    with pytest.raises(ConfigError, match="there is no protocol 'leave-one-in'; there are recommenders-team, per-user"):
        protocol("leave-one-in")
