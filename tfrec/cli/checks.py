"""What `tfrec doctor` looks at: versions, accelerators, the paths of a configuration, a servable."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import importlib.util
import os
import shutil
import sys
from collections.abc import Iterable, Iterator

from packaging.requirements import Requirement

from tfrec.config import load_config
from tfrec.config_paths import WRITTEN, paths
from tfrec.data.files import is_remote
from tfrec.errors import TfrecError

LEAST_FREE = 2 << 30  # bytes; a model with its checkpoints and the cache of its encoders
REMAKE = "rm -rf .venv && make .venv/ready"
INSTALL = "pip install"
FILES = ("data.items", "data.events", "data.users", "gates.audit")
SAME_MINOR = ("tf-keras", "tensorflow-text")
OPTIONAL = {"tfx": "for `tfrec pipeline run`", "wandb": "for training.log_wandb"}


@dataclasses.dataclass(frozen=True)
class Check:
    """One finding.

    Attributes:
        name: what was looked at.
        found: what it is like.
        state: right, wrong or optional (not there, and not needed for most).
        mend: what to do about it, "" for nothing.
    """

    name: str
    found: str
    state: str = "right"
    mend: str = ""


def environment() -> Iterator[Check]:
    """Python, the packages and their versions, the default text encoder, the model server."""
    yield Check("python", ".".join(map(str, sys.version_info[:3])))
    tensorflow = version_of("tensorflow")
    for requirement in map(Requirement, importlib.metadata.requires("tfrec") or ()):
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield _package(requirement, version_of(requirement.name), tensorflow)
    for name, purpose in OPTIONAL.items():
        version = version_of(name)
        yield Check(name, version) if version else Check(name, f"not installed; {purpose}", "optional")
    yield _keras()
    yield _minilm()
    server = shutil.which("tensorflow_model_server")
    missing = Check("tensorflow_model_server", "not on PATH; `tfrec serve` starts the development server", "optional")
    yield Check("tensorflow_model_server", server) if server else missing


def version_of(distribution: str) -> str:
    """The installed version of a distribution, "" if it is not installed."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _package(requirement: Requirement, version: str, tensorflow: str) -> Check:
    name, specifier = requirement.name, requirement.specifier
    paired = name in SAME_MINOR and tensorflow
    pin = f"{name}=={'.'.join(tensorflow.split('.')[:2])}.*" if paired else f"{name}{specifier}"
    mend = f"{INSTALL} '{pin}'"
    if not version:
        return Check(name, "not installed", "wrong", mend)
    if paired and version.split(".")[:2] != tensorflow.split(".")[:2]:
        return Check(name, f"{version}, but TensorFlow is {tensorflow}", "wrong", mend)
    if not specifier.contains(version, prereleases=True):
        return Check(name, f"{version}, but {specifier} is needed", "wrong", REMAKE if name == "tensorflow" else mend)
    return Check(name, version)


def one_command(found: Iterable[Check]) -> str:
    """The command that mends all packages that are wrong, "" if none is."""
    mends = [check.mend for check in found if check.state == "wrong"]
    if REMAKE in mends:
        return REMAKE
    pins = [mend.removeprefix(INSTALL) for mend in mends if mend.startswith(f"{INSTALL} '")]
    apart = [mend for mend in mends if mend.startswith(f"{INSTALL} --no-deps")]
    return " && ".join([*([INSTALL + "".join(pins)] if pins else []), *apart])


def _keras() -> Check:
    try:
        import tensorflow as tf
        import tensorflow_recommenders  # noqa: F401
        import tensorflow_text  # noqa: F401
    except Exception as error:  # whatever a broken installation raises is what is to be told
        reason = " ".join(str(error).split())[:200]
        return Check("imports", f"{type(error).__name__}: {reason}", "wrong", REMAKE)
    if hasattr(tf.keras, "__version__") and tf.keras.__version__.startswith("3"):
        return Check("keras", "TensorFlow uses Keras 3", "wrong", "unset TF_USE_LEGACY_KERAS, or set it to 1")
    return Check("keras", "TensorFlow uses Keras 2, as TensorFlow Recommenders needs")


def _minilm() -> Check:
    from tfrec.encoders import minilm

    try:
        return Check("default text encoder", minilm.minilm_checkpoint())
    except TfrecError:
        return Check("default text encoder", "not installed", "wrong", minilm.INSTALL)


def accelerators() -> Iterator[Check]:
    """The processors, and the GPUs and TPUs that TensorFlow sees."""
    yield Check("processors", str(os.cpu_count()))
    if not importlib.util.find_spec("tensorflow"):
        return
    import tensorflow as tf

    devices = [device for kind in ("GPU", "TPU") for device in tf.config.list_physical_devices(kind)]
    if devices:
        yield Check("accelerators", ", ".join(device.name for device in devices))
    elif os.path.exists("/dev/nvidia0"):
        found = "the machine has a GPU that TensorFlow does not see"
        yield Check("accelerators", found, "wrong", "pip install 'tensorflow[and-cuda]'")
    else:
        yield Check("accelerators", "none; training runs on the processors", "optional")


def configuration(path: str) -> Iterator[Check]:
    """Whether a configuration can be read, what it names is there and where it writes can be written."""
    try:
        config = load_config(path)
    except TfrecError as error:
        yield Check("configuration", str(error), "wrong", "tfrec init --help")
        return
    yield Check("configuration", config.source)
    for setting, place in paths(config):
        if is_remote(place):
            yield Check(setting, f"{place} is in an object store, which is not looked at", "optional")
        elif setting in WRITTEN:
            yield _written(setting, place)
        else:
            yield _read(setting, place, config.source)


def _read(setting: str, place: str, source: str) -> Check:
    mend = f"correct {setting} in {source}"
    if not os.path.exists(place):
        return Check(setting, f"{place} does not exist", "wrong", mend)
    if setting == "data.media" and not os.path.isdir(place):
        return Check(setting, f"{place} is no folder", "wrong", mend)
    if setting in FILES and not os.path.isfile(place):
        return Check(setting, f"{place} is no file", "wrong", mend)
    return Check(setting, place)


def _written(setting: str, folder: str) -> Check:
    existing = folder
    while not os.path.exists(existing):
        existing = os.path.dirname(existing)
    if not os.path.isdir(existing) or not os.access(existing, os.W_OK):
        return Check(setting, f"{existing} cannot be written", "wrong", f"choose another {setting}")
    free = shutil.disk_usage(existing).free
    if free < LEAST_FREE:
        return Check(setting, f"only {free >> 20:,} MiB are free at {existing}", "wrong", "free some space")
    return Check(setting, f"{folder} ({free >> 30:,} GiB free)")
