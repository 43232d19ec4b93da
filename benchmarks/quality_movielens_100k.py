"""Quality on MovieLens 100K from ids alone, under the recommenders team's split, beside published numbers.

    python benchmarks/quality_movielens_100k.py --source ml-100k --work build/quality --part validation --seeds 0
    python benchmarks/quality_movielens_100k.py --source ml-100k --work build/quality --out benchmarks/results/quality

Prepares the release in the folder --work, writes a configuration with ids only and runs `tfrec benchmark quality` on
it; what is not known here, such as --set model.dropout=0.5, is handed on.
"""

from __future__ import annotations

import argparse
import os
import sys

import yaml

from tfrec.cli.main import main as tfrec
from tfrec.data.public import prepare_public

# People rate films by the hundred; everything else is the default, chosen on the validation part:
# benchmarks/results/quality-movielens-100k.md tells what else was tried.
SETTINGS = {"serving": {"history": 400}}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--source", default="", help="the unpacked release or its zip file; downloaded without")
    parser.add_argument("--work", default="build/quality-movielens-100k", help="folder for the prepared data")
    given, others = parser.parse_known_args()
    prepare_public("movielens-100k", given.source, given.work, say=lambda text: print(text, file=sys.stderr))
    path = os.path.join(given.work, "ids.yaml")
    with open(path, "w", encoding="utf-8") as file:
        yaml.safe_dump(ids_only(), file, sort_keys=False)
    return tfrec(["benchmark", "quality", "-c", path, "--protocol", "recommenders-team", *others])


def ids_only() -> dict:
    """A configuration of the prepared release that leaves out all that is known of films and people."""
    return {
        "name": "MovieLens 100K, ids only",
        "data": {"items": "catalogue.csv", "events": "events.csv", "output": "build-ids"},
        "schema": {
            "items": {"id": "item_id", "title": "title", "features": {}},
            "events": {"user": "user_id", "item": "item_id", "time": "timestamp", "value": "rating"},
        },
        **SETTINGS,
    }


if __name__ == "__main__":
    sys.exit(main())
