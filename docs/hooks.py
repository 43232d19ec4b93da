"""What MkDocs does beside its plugins: pages and links of the repository that lie outside this folder.

The pages are written to be read in the repository too, so a link to a benchmark result goes to its file there and to
its page here, and one to a source file, which the site does not have, becomes plain text.
"""

from __future__ import annotations

import os
import posixpath
import re
from pathlib import Path

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parent.parent
RESULTS = "benchmarks/results"
_LINK = re.compile(r"(?<!\!)\[([^\]]+)\]\(([^)\s]+)\)")
_FOREIGN = re.compile(r"<(?:script|img|iframe|link)\b[^>]*\b(?:src|href)=[\"']?(?:https?:)?//[^>]*>")


def on_startup(command, dirty):
    """Let the reference find modules by the names they are installed under, before its plugin looks for the folder."""
    sources = ROOT / "build" / "sources" / "tfrec"
    sources.mkdir(parents=True, exist_ok=True)
    places = {path.name: path for path in (ROOT / "tfrec").iterdir() if path.name != "__pycache__"}
    for name, path in {**places, "serving": ROOT / "serving", "pipelines": ROOT / "pipelines"}.items():
        link = sources / name
        if link.is_symlink():
            link.unlink()
        link.symlink_to(path)


def on_config(config):
    """List the pages that the nav leaves out."""
    named = str(config.nav)
    (handbook,) = (section["Handbook"] for section in config.nav if isinstance(section, dict) and "Handbook" in section)
    handbook.extend(sorted(path.name for path in Path(config.docs_dir).glob("*.md") if path.name not in named))
    return config


def on_files(files, config):
    """Add the pages of the benchmarks."""
    for path in sorted((ROOT / RESULTS).glob("*.md")):
        files.append(File.generated(config, f"benchmarks/{path.name}", abs_src_path=str(path)))
    return files


def on_page_markdown(markdown, page, config, files):
    """Turn links that leave this folder to where the site has their targets."""
    own = page.file.src_uri
    place = f"{RESULTS}/{own.removeprefix('benchmarks/')}" if own.startswith("benchmarks/") else f"docs/{own}"

    def turned(match):
        text, target = match.groups()
        if "://" in target or target.startswith(("#", "mailto:")):
            return match.group()
        path, _, anchor = target.partition("#")
        found = posixpath.normpath(posixpath.join(posixpath.dirname(place), path))
        if not (ROOT / found).exists():
            return match.group()  # MkDocs tells of it.
        for folder, inside in (("docs/", ""), (f"{RESULTS}/", "benchmarks/")):
            if found.startswith(folder) and found.endswith(".md"):
                here = inside + found.removeprefix(folder)
                there = posixpath.relpath(here, posixpath.dirname(own) or ".")
                return f"[{text}]({there}{'#' + anchor if anchor else ''})"
        return match.group() if found.startswith("docs/") else f"{text} (`{found}`)" if text != found else f"`{found}`"

    return _LINK.sub(turned, markdown)


def on_post_build(config):
    """Refuse a site whose pages would fetch something from elsewhere."""
    for folder, _, names in os.walk(config.site_dir):
        for name in names:
            if name.endswith(".html"):
                path = Path(folder) / name
                foreign = [tag for tag in _FOREIGN.findall(path.read_text(encoding="utf-8")) if "canonical" not in tag]
                if foreign:
                    raise PluginError(f"{path} fetches from elsewhere: {foreign[0]}")
