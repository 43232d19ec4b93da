"""Fills the templates in and writes them as a folder that Docker, kubectl and Prometheus read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import jinja2

from tfrec.errors import ServerError
from tfrec.serving.deploy.settings import DRAIN, DeploymentSettings

TEMPLATES = Path(__file__).parent / "templates"
# Which templates only some ways to reach the models need, by the scheme of their address.
ONLY_FOR = {"kubernetes/volume.yaml": "", "kubernetes/copy-versions.sh": "s3"}
# kustomize reads nothing above its folder, so what KServe shares is written twice.
SHARED = {
    "kserve/service-account.yaml": "kubernetes/service-account.yaml",
    "kserve/volume.yaml": "kubernetes/volume.yaml",
    "kserve/batching.config": "config/batching.config",
    "kserve/monitoring.config": "config/monitoring.config",
}


def rendered(settings: DeploymentSettings) -> dict[str, str]:
    """The files of a deployment: text by path relative to its folder."""
    # Neither Jinja's own delimiters nor these may mean anything in YAML, PromQL or Grafana's legends.
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        variable_start_string="[[",
        variable_end_string="]]",
        block_start_string="[%",
        block_end_string="%]",
        comment_start_string="[#",
        comment_end_string="#]",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    files = {
        path: environment.get_template(path).render(settings=settings, drain=DRAIN)
        for path in _paths()
        if ONLY_FOR.get(path, settings.scheme) == settings.scheme
    }
    return files | {path: files[source] for path, source in SHARED.items() if source in files}


def write_deployment(settings: DeploymentSettings, folder: str | os.PathLike[str]) -> list[str]:
    """Write the files below `folder`, over those of an earlier time, and return their paths.

    Raises:
        ServerError: the folder cannot be written.
    """
    written = []
    try:
        for path, text in rendered(settings).items():
            target = Path(folder) / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
            written.append(str(target))
    except OSError as error:
        raise ServerError(f"{folder} cannot be written: {error.strerror or error}; give another folder") from error
    return written


def _paths() -> Iterator[str]:
    for path in sorted(TEMPLATES.rglob("*")):
        if path.is_file():
            yield path.relative_to(TEMPLATES).as_posix()
