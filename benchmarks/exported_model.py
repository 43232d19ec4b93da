"""What benchmarks of a servable are given: the configuration it was made with, its data, and itself."""

from __future__ import annotations

import argparse
import tempfile

from tfrec.config import Config, load_config
from tfrec.data.ingest import ingest
from tfrec.data.tables import Dataset
from tfrec.export.loaded import LoadedServable


def exported_model(description: str | None) -> tuple[Config, Dataset, LoadedServable]:
    """As the command line's -c and --model say."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-c", "--config", required=True)
    parser.add_argument("--model", required=True, help="folder of one version, made with this configuration")
    arguments = parser.parse_args()
    config = load_config(arguments.config)
    with tempfile.TemporaryDirectory() as directory:
        dataset, _ = ingest(config, directory)
    return config, dataset, LoadedServable(arguments.model)
