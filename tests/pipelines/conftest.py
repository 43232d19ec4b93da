"""Tests of the pipeline need TFX; where it is not installed they are left out."""

import importlib.util

collect_ignore_glob = [] if importlib.util.find_spec("tfx") else ["test_*.py"]
