"""What `tfrec doctor --servable` examines: what a serving image links, and whether the model runs here."""

from __future__ import annotations

from collections.abc import Iterator

from tfrec.cli.checks import Check
from tfrec.cli.workspace import servable_folder
from tfrec.errors import TfrecError

SHOWN = 10  # problems of one kind


def servable(directory: str, version: str = "") -> Iterator[Check]:
    """Whether tensorflow/serving:VERSION can load and run a servable.

    Raises:
        ServableError: what that image links is not known.
    """
    from tfrec.export.op_check import examine
    from tfrec.export.serving_image import DEFAULT_VERSION, serving_image

    image = serving_image(version or DEFAULT_VERSION)
    try:
        folder = servable_folder(directory)
        examined = examine(folder, image)
    except TfrecError as error:
        yield Check("servable", str(error), "wrong", "tfrec export --help")
        return
    found = []
    for one in examined:
        found += [Check(one.name, problem, "wrong", one.mend) for problem in one.problems[:SHOWN]]
        if len(one.problems) > SHOWN:
            found.append(Check(one.name, f"and {len(one.problems) - SHOWN} more such problems", "wrong"))
        found += [Check(one.name, remark, "optional", one.mend) for remark in one.remarks]
        if not one.problems and not one.remarks:
            found.append(Check(one.name, one.found))
    found += [_replayed(folder), _manifest(folder)]
    yield from found
    if not any(check.state == "wrong" for check in found):
        yield Check("servable", f"{folder} runs on the stock serving image tensorflow/serving:{image.version}")


def _replayed(folder: str) -> Check:
    """Load the model as TensorFlow Serving does, and answer its warm-up requests."""
    from tfrec.serving.server.errors import StatusError
    from tfrec.serving.server.metrics import Metrics
    from tfrec.serving.server.servable import load_servable
    from tfrec.serving.server.warmup import warm_up

    try:
        loaded = load_servable(folder)
    except StatusError as error:
        return Check("loading", f"{error.code}: {_short(error.message)}", "wrong", "export it again")
    try:
        count = warm_up(loaded, folder, 1, Metrics())
    except StatusError as error:
        mend = "export it again, or remove assets.extra/tf_serving_warmup_requests"
        return Check("loading", f"a warm-up request fails: {error.code}: {_short(error.message)}", "wrong", mend)
    finally:
        loaded.close()
    return Check("loading", f"a session loads it and answers {count} warm-up requests")


def _manifest(folder: str) -> Check:
    from tfrec.export.manifest import read_manifest

    try:
        manifest = read_manifest(folder)
    except TfrecError as error:
        return Check("manifest", str(error), "optional", "only models that tfrec exports have one")
    missing = sorted({"name", "serving", "items", "versions"} - set(manifest))
    if missing:
        return Check("manifest", f"lacks {', '.join(missing)}", "wrong", "export it again")
    versions = manifest["versions"]
    return Check(
        "manifest", f"{manifest['name']}, {manifest['items']:,} items, by TensorFlow {versions.get('tensorflow', '?')}"
    )


def _short(text: str) -> str:
    return " ".join(text.split())[:300]
