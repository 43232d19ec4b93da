"""Protocols with a name: how the events are divided, which items compete, and what is compared over which seeds.

Each turns a configuration into one with its own split. The part that settings are chosen on is always cut from what is
left to train on by the rule that cut the test part, so that a choice made there carries over, and the test part is not
looked at before the end.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from tfrec.config import Config
from tfrec.data.split import held_out_items, hidden_users
from tfrec.data.tables import Dataset, joined
from tfrec.errors import ConfigError
from tfrec.evaluation.tasks import Task, cold_task, new_user_tasks, warm_task
from tfrec.named_splits import NAMED_SPLITS

PARTS = ("test", "validation")


@dataclasses.dataclass(frozen=True)
class Protocol:
    """One way to measure.

    Attributes:
        name: what it is called on the command line and in `split.protocol`; `title`: what it does, in a few words.
        measured: how it is measured, in full sentences, for reports.
        asks: for `known-items` of known users, for `new-items` among themselves, or what `new-users` want.
        divides_anew: whether every seed divides the events anew; otherwise seeds are those of training alone.
        baselines: the baselines, by name, that suit it.
        drawn: of new users, the seed by which what they give is drawn; None where they give it in the order of time.
    """

    name: str
    title: str
    measured: str
    asks: str = "known-items"
    divides_anew: bool = False
    baselines: tuple[str, ...] = ("MostPop", "ItemKNN", "EASE", "ALS")
    drawn: int | None = None

    @property
    def split(self) -> Mapping[str, Any]:
        """Its settings of `tfrec.config.Split`."""
        return NAMED_SPLITS[self.name]

    def config(self, config: Config, seed: int, part: str = "test", stop_early: bool = False) -> Config:
        """The configuration with this protocol's split and `seed` for all that is random in training.

        Args:
            part: `test`, or `validation` to choose settings.
            stop_early: whether a validation part as large as the configuration says is held back to stop training by.
        """
        settings = {"protocol": self.name, "validation": 0.0, **self.split}
        if part == "validation" and self.asks == "known-items":
            settings["validation"] = settings["test"] * (1 - settings["test"])
        elif stop_early:
            settings["validation"] = config.split.validation
        if self.divides_anew:
            settings["seed"] = seed
        training = dataclasses.replace(config.training, seed=seed)
        if not stop_early:
            training = dataclasses.replace(training, patience=0)
        return dataclasses.replace(config, split=dataclasses.replace(config.split, **settings), training=training)

    def dataset(self, divided: Dataset, seed: int, part: str = "test", stop_early: bool = False) -> Dataset:
        """What is trained and measured on, given the data divided by `config`; for `validation`, without the test part.

        For known items the validation part is put in the place of the test part, so that it is asked for by the very
        same procedure; of items or users that are to be new, others are drawn among those left to train on.
        """
        if part == "validation":
            divided = _CHOOSING[self.asks](divided, self.split, seed, stop_early)
        return _with_strangers(divided) if self.asks == "new-users" else divided

    def tasks(self, dataset: Dataset, part: str = "test", stop_early: bool = False) -> tuple[Task, ...]:
        """What is asked on what `dataset` gave: one task, or several that differ in how much is known of the users.

        Raises:
            DataError: if a task asks for nothing.
        """
        if self.asks == "new-items":
            return (cold_task(dataset),)
        if self.asks == "new-users":
            return new_user_tasks(dataset, drawn=self.drawn)
        # Where training stopped on the validation part, what is asked for must not be known already.
        return (warm_task(dataset, "validation" if part == "validation" and stop_early else "test"),)


def _choosing_known_items(divided: Dataset, split: Mapping[str, Any], seed: int, stop_early: bool) -> Dataset:
    nothing = divided.test.take(np.zeros(len(divided.test), bool))
    return dataclasses.replace(
        divided, test=divided.validation, validation=divided.validation if stop_early else nothing
    )


def _choosing_new_items(divided: Dataset, split: Mapping[str, Any], seed: int, stop_early: bool) -> Dataset:
    chosen = held_out_items(divided.train.item, split["held_out_items"], seed)
    cold = np.isin(divided.train.item, chosen)
    return dataclasses.replace(divided, train=divided.train.take(~cold), cold=divided.train.take(cold), held_out=chosen)


def _choosing_new_users(divided: Dataset, split: Mapping[str, Any], seed: int, stop_early: bool) -> Dataset:
    left = joined(divided.train, divided.validation)
    hidden = hidden_users(left.user, left.item, split["test"], seed)
    return dataclasses.replace(
        divided,
        train=divided.train.take(~np.isin(divided.train.user, hidden)),
        validation=divided.validation.take(~np.isin(divided.validation.user, hidden)),
        test=left.take(np.isin(left.user, hidden)),
    )


_CHOOSING = {
    "known-items": _choosing_known_items,
    "new-items": _choosing_new_items,
    "new-users": _choosing_new_users,
}


def _with_strangers(dataset: Dataset) -> Dataset:
    """The data set with nothing told of users who are not trained on, as of somebody who just appeared."""
    trained_on = np.union1d(dataset.train.user, dataset.validation.user)
    strange = ~np.isin(np.arange(len(dataset.users)), trained_on)
    return dataclasses.replace(dataset, users=dataset.users.anonymous(strange))


_KNOWN_ITEMS = (
    "All items of the training part compete, the user's training items left out; averages are over users with a "
    "relevant item; ties count against the model."
)
PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        Protocol(
            "recommenders-team",
            "a quarter of every item's events is asked for",
            "Within each item one uniform number per row, drawn with seed 42 in the order of the file, puts 75 % of "
            f"the rows into training: the split of the recommenders team's public benchmark. {_KNOWN_ITEMS}",
        ),
        Protocol(
            "per-user",
            "a fifth of every user's events is asked for",
            f"80 % of each user's events, drawn anew for every seed, are for training. {_KNOWN_ITEMS}",
            divides_anew=True,
        ),
        Protocol(
            "leave-last-out",
            "every user's last event is asked for",
            f"Each user's last event is the test part. {_KNOWN_ITEMS}",
        ),
        Protocol(
            "global-time",
            "the last tenth of the time line is asked for",
            "Events after one moment are the test part, so that nothing known lies in the future; users who come later "
            f"have no history. {_KNOWN_ITEMS}",
        ),
        Protocol(
            "new-users",
            "users who were not in training give 1, 3, 5 and 10 events",
            "A tenth of the users with more than ten items, drawn anew for every seed, is hidden from training with "
            "all their events and attributes. The first ten items of each are set aside in the order of time; the "
            "first 1, 3, 5 or 10 of them are given as history, the same to the model and to the baselines, and "
            "whatever the user touched after the ten is asked for. All items of the training part compete but for "
            "the ten, so that the rows differ only in what is known; ties count against the model.",
            asks="new-users",
            divides_anew=True,
        ),
        Protocol(
            "new-users-drawn",
            "as new-users, but what they give is drawn at random",
            "As new-users, but ten of a user's items drawn at random are set aside in place of the first ten. Where a "
            "sign-up page decides what people touch first, their first events say little of them; drawn ones say how "
            "fast a model learns a taste.",
            asks="new-users",
            divides_anew=True,
            drawn=0,
        ),
        Protocol(
            "held-out-items",
            "items without a single event are ranked among themselves",
            "15 % of the items, drawn anew for every seed, are held out with all their events; each user's held-out "
            "items are ranked among the held-out items only, from content.",
            asks="new-items",
            divides_anew=True,
            baselines=("Random", "ContentKNN", "ContentRidge"),
        ),
    )
}


def protocol(name: str) -> Protocol:
    """The protocol called `name`.

    Raises:
        ConfigError: if there is none.
    """
    if name not in PROTOCOLS:
        raise ConfigError(f"there is no protocol {name!r}; there are {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]
