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
from tfrec.data.split import held_out_items
from tfrec.data.tables import Dataset
from tfrec.errors import ConfigError
from tfrec.evaluation.tasks import Task, cold_task, warm_task

PARTS = ("test", "validation")


@dataclasses.dataclass(frozen=True)
class Protocol:
    """One way to measure.

    Attributes:
        name: what it is called on the command line; `title`: what it does, in a few words.
        measured: how it is measured, in full sentences, for reports.
        split: settings of `tfrec.config.Split`.
        cold: whether held-out items are ranked among themselves, instead of known ones.
        divides_anew: whether every seed divides the events anew; otherwise seeds are those of training alone.
        baselines: the baselines, by name, that suit it.
    """

    name: str
    title: str
    measured: str
    split: Mapping[str, Any]
    cold: bool = False
    divides_anew: bool = False
    baselines: tuple[str, ...] = ("MostPop", "ItemKNN", "EASE", "ALS")

    def config(self, config: Config, seed: int, part: str = "test", stop_early: bool = False) -> Config:
        """The configuration with this protocol's split and `seed` for all that is random in training.

        Args:
            part: `test`, or `validation` to choose settings.
            stop_early: whether a validation part as large as the configuration says is held back to stop training by.
        """
        settings = dict(self.split)
        if part == "validation" and not self.cold:
            settings["validation"] = settings["test"] * (1 - settings["test"])
        elif stop_early:
            settings["validation"] = config.split.validation
        if self.divides_anew:
            settings["seed"] = seed
        training = dataclasses.replace(config.training, seed=seed)
        if not stop_early:
            training = dataclasses.replace(training, patience=0)
        return dataclasses.replace(
            config,
            split=dataclasses.replace(config.split, **{"validation": 0.0, "held_out_items": 0.0, **settings}),
            training=training,
        )

    def dataset(self, divided: Dataset, seed: int, part: str = "test", stop_early: bool = False) -> Dataset:
        """What is trained and measured on, given the data divided by `config`; for `validation`, without the test part.

        Unless training stops early the validation part is put in the place of the test part, so that it is asked for
        by the very same procedure.
        """
        if part == "test":
            return divided
        nothing = divided.test.take(np.zeros(len(divided.test), bool))
        if not self.cold:
            return dataclasses.replace(
                divided, test=divided.validation, validation=divided.validation if stop_early else nothing
            )
        chosen = held_out_items(divided.train.item, self.split["held_out_items"], seed)
        cold = np.isin(divided.train.item, chosen)
        return dataclasses.replace(
            divided, train=divided.train.take(~cold), cold=divided.train.take(cold), held_out=chosen
        )

    def task(self, dataset: Dataset, part: str = "test", stop_early: bool = False) -> Task:
        """What is asked on what `dataset` gave.

        Raises:
            DataError: if it asks for nothing.
        """
        if self.cold:
            return cold_task(dataset)
        # Where training stopped on the validation part, what is asked for must not be known already.
        return warm_task(dataset, "validation" if part == "validation" and stop_early else "test")


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
            {"by": "within-item", "test": 0.25, "seed": 42},
        ),
        Protocol(
            "per-user",
            "a fifth of every user's events is asked for",
            f"80 % of each user's events, drawn anew for every seed, are for training. {_KNOWN_ITEMS}",
            {"by": "within-user", "test": 0.2},
            divides_anew=True,
        ),
        Protocol(
            "leave-last-out",
            "every user's last event is asked for",
            f"Each user's last event is the test part. {_KNOWN_ITEMS}",
            {"by": "last-out", "test": 0.1},
        ),
        Protocol(
            "global-time",
            "the last tenth of the time line is asked for",
            "Events after one moment are the test part, so that nothing known lies in the future; users who come later "
            f"have no history. {_KNOWN_ITEMS}",
            {"by": "time", "test": 0.1},
        ),
        Protocol(
            "held-out-items",
            "items without a single event are ranked among themselves",
            "15 % of the items, drawn anew for every seed, are held out with all their events; each user's held-out "
            "items are ranked among the held-out items only, from content.",
            {"by": "random", "test": 0.0, "held_out_items": 0.15},
            cold=True,
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
