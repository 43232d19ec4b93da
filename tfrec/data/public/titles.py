"""MovieLens titles as people write them: "Matrix, The (1999)" -> "The Matrix", 1999."""

from __future__ import annotations

import re

_YEAR = re.compile(r"\((\d{4})(?:[-–]\d{0,4})?\)")
_KIND = re.compile(r"\((?:V|TV|mini)\)")
_BRACKETS = re.compile(r"\(([^()]*)\)")
_ARTICLES = (
    "The A An La Le Les L' Lo Il I Gli El Los Las Das Der Die Den Dem Det De Het Een Un Une Una Uno O Os As Ang En Ett"
)
_ARTICLE = re.compile(rf"^(?P<rest>.+), (?P<article>{'|'.join(_ARTICLES.split())})$")


def split_title(title: str) -> tuple[str, int | None]:
    """The title without year and with its article in front, and the year (the last in brackets; None without one)."""
    years = list(_YEAR.finditer(title))
    year = int(years[-1].group(1)) if years else None
    if years:
        title = title[: years[-1].start()] + title[years[-1].end() :]
    title = " ".join(_KIND.sub("", title).split())
    main, bracket, rest = title.partition(" (")
    if bracket:
        translated = _BRACKETS.sub(lambda match: f"({_fronted(match.group(1))})", bracket.strip() + rest)
        return f"{_fronted(main)} {translated}", year
    return _fronted(title), year


def _fronted(title: str) -> str:
    """ "Godfather: Part II, The" -> "The Godfather: Part II"; "Enfer, L'" -> "L'Enfer"."""
    match = _ARTICLE.match(title.strip())
    if match is None:
        return title
    article = match["article"]
    return article + ("" if article.endswith("'") else " ") + match["rest"]
