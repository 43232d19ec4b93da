"""The sample catalogue as data to train on: its events, and configurations of models that read what of it they may."""

from __future__ import annotations

import copy
import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import yaml

from tfrec.config import Config, parse_config
from tfrec.data.ingest import ingest
from tfrec.data.sample import write_sample
from tfrec.data.tables import Dataset

EVENTS, ITEMS, USERS = 40_000, 600, 1_500  # Those of the sample by default.
CONTENT = ("text", "picture", "sound")


@dataclasses.dataclass(frozen=True)
class Sampled:
    """The sample, read; it has no validation part, so that an epoch is nothing but training.

    Attributes:
        document: its configuration, as nested mappings.
        source: path of the configuration.
    """

    document: Mapping[str, Any]
    source: str
    dataset: Dataset

    def sentence(self) -> str:
        """What it is."""
        data = self.dataset
        return (
            f"The sample catalogue of {len(data.catalogue):,} tales with text, cover and tune, and {len(data.train):,} "
            f"events of {len(data.users):,} users to train on."
        )

    def config(
        self,
        features: Sequence[str],
        encoders: Mapping[str, Mapping[str, Any]],
        **sections: Mapping[str, Any],
    ) -> Config:
        """The configuration with these item features alone, these settings of their encoders, and these sections."""
        document = copy.deepcopy(dict(self.document))
        items = document["schema"]["items"]
        items["features"] = {name: items["features"][name] for name in features}
        for name in features:
            items["features"][name]["encoder"].update(encoders.get(name, {}))
        for section, settings in sections.items():
            document[section] = {**document.get(section, {}), **settings}
        return parse_config(document, self.source)


def sampled(folder: str, events: int = 0) -> Sampled:
    """Write the sample below `folder` and read it.

    Args:
        events: of its log, items and users in proportion; 0 for all.
    """
    share = events / EVENTS if events else 1.0
    source = write_sample(
        os.path.join(folder, "sample"),
        items=max(20, round(share * ITEMS)),
        users=max(20, round(share * USERS)),
        events=events or EVENTS,
    )
    with open(source, encoding="utf-8") as file:
        document = yaml.safe_load(file)
    dataset, _ = ingest(parse_config(document, source), os.path.join(folder, "data"))
    nothing = dataset.validation.take(np.zeros(0, np.int64))
    return Sampled(document, source, dataclasses.replace(dataset, validation=nothing))
