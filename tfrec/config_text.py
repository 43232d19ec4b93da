"""Changes one setting in the text of a configuration and leaves its comments and order as they are."""

from __future__ import annotations

import json
import re
from typing import Any

import yaml


def with_setting(text: str, section: str, key: str, value: Any) -> tuple[str, bool]:
    """Return the YAML `text` with `section.key` set to `value`, and whether its comments could be kept.

    A section or key that is missing is added. Where the lines cannot be changed one by one (a section on a single
    line, a value over several), the whole document is written anew, which loses its comments.
    """
    document = yaml.safe_load(text)
    wanted = {**document, section: {**(document.get(section) or {}), key: value}}
    changed = _edited(text, section, key, json.dumps(value, ensure_ascii=False))
    try:
        if changed is not None and yaml.safe_load(changed) == wanted:
            return changed, True
    except yaml.YAMLError:
        pass  # What was edited line by line is no YAML, so the document is written anew.
    return yaml.safe_dump(wanted, sort_keys=False, allow_unicode=True), False


def _edited(text: str, section: str, key: str, value: str) -> str | None:
    """The text with a line changed or added; None where the section does not begin on a line of its own."""
    lines = text.rstrip("\n").split("\n")
    heads = [number for number, line in enumerate(lines) if re.match(rf"{re.escape(section)}\s*:", line)]
    if not heads:
        return "\n".join([*lines, "", f"{section}:", f"  {key}: {value}"]) + "\n"
    head = heads[0]
    if not re.fullmatch(rf"{re.escape(section)}\s*:\s*(#.*)?", lines[head]):
        return None
    body = head + 1
    while body < len(lines) and (not lines[body].strip() or lines[body][0] in " #"):
        body += 1
    inside = [number for number in range(head + 1, body) if re.match(r" +[^ #]", lines[number])]
    indent = re.match(" *", lines[inside[0]]).group() if inside else "  "  # type: ignore[union-attr]
    line = f"{indent}{key}: {value}"
    for number in inside:
        if re.match(rf"{indent}{re.escape(key)}\s*:", lines[number]):
            return "\n".join([*lines[:number], line, *lines[number + 1 :]]) + "\n"
    return "\n".join([*lines[: head + 1], line, *lines[head + 1 :]]) + "\n"
