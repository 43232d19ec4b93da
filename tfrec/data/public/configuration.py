"""The commented configuration and the README that go with a prepared MovieLens release."""

from __future__ import annotations

from tfrec.data.public.movielens import Release

TERMS = (
    "{title} is a data set of GroupLens Research (University of Minnesota), https://grouplens.org/datasets/movielens/: "
    "research use only, no commercial use without their permission, no claim of endorsement, redistribution only as "
    "the README of the release allows; publications cite F. M. Harper and J. A. Konstan, The MovieLens Datasets: "
    "History and Context, ACM TiiS 5(4):19, 2015, https://doi.org/10.1145/2827872."
)
_EXTRA_TERMS = (
    "Posters and overviews keep the rights of their owners. If they come from TMDB: this product uses TMDB data but is "
    "not endorsed or certified by TMDB."
)


def terms(release: Release, extras: bool) -> str:
    """The terms of use in a few sentences."""
    return TERMS.format(title=release.title) + (f" {_EXTRA_TERMS}" if extras else "")


def readme_text(release: Release, items: int, users: int, events: int, extras: bool) -> str:
    return f"""\
# {release.title}, prepared for tfrec

{items} films, {users} users, {events} ratings. Articles stand in front ("The Matrix"), the year has a column of its
own, ratings keep the order of the original file. `tfrec.yaml` describes the columns.

## Terms
{terms(release, extras)}
"""


def configuration_text(release: Release, columns: list[str], minimum_value: float | None) -> str:
    """The YAML for a release whose catalogue.csv has `columns`."""
    lines = [
        f"# {release.title}, prepared by `tfrec data {release.name}`; for the terms see README.md.",
        f"name: {release.name}",
        "",
        "data:                         # paths start from the folder of this file",
        "  items: catalogue.csv",
        *(["  users: users.csv"] if release.user_features else []),
        "  events: events.csv",
        "  output: build               # everything tfrec writes goes here",
        "",
        "schema:",
        "  items:",
        "    id: item_id",
        "    title: title              # what people are shown",
        "    features:",
        *_item_features(columns),
        *_user_features(release),
        *_events(minimum_value),
        *_SPLIT,
        "serving:",
        f"  history: {release.history:<19}# people rate films by the hundred; a longer history is a better query",
        "",
        "# evaluation and gates have their defaults; see the documentation of the configuration.",
    ]
    return "\n".join(lines) + "\n"


def _item_features(columns: list[str]) -> list[str]:
    text = "[title, overview]" if "overview" in columns else "title"
    key = "columns" if "overview" in columns else "column"
    lines = [
        "      text:",
        "        modality: text",
        f"        {key}: {text}",
        "        encoder: {kind: hub, path: minilm, train: none}   # pretrained, frozen: computed once and cached",
    ]
    if "poster" in columns:
        lines += [
            "      poster:",
            "        modality: image",
            "        encoder: {kind: small-cnn, size: 48}              # or a keras.applications name with weights",
        ]
    return [*lines, '      genres: {modality: categories, separator: "|"}', "      year: number"]


def _user_features(release: Release) -> list[str]:
    if not release.user_features:
        return ["  # users: this release tells nothing about its users; they are known by their history"]
    features = [f"      {name}: {modality}" for name, modality in release.user_features]
    return ["  users:", "    id: user_id", "    features:", *features]


def _events(minimum_value: float | None) -> list[str]:
    if minimum_value is None:
        minimum = "    # minimum_value: 4          # count only ratings of at least 4; without it all count"
    else:
        minimum = f"    minimum_value: {minimum_value:g}          # smaller ratings are left out"
    return [
        "  events:",
        "    user: user_id",
        "    item: item_id",
        "    time: timestamp",
        "    value: rating",
        minimum,
        "",
    ]


_SPLIT = """\
split:
  # Most people here rated all their films within an hour or two and never came back, so a split by time would test on
  # a handful of users. Within-user cuts each user's ratings at random instead, so that everybody is tested.
  # The public benchmark of the recommenders team is: by within-item, test 0.25, held_out_items 0, seed 42.
  by: within-user
  validation: 0.1
  test: 0.1
  held_out_items: 0.1         # films never trained on, to measure how well new films are recommended
  seed: 42

training:
  encoder_epochs: 5           # the poster CNN learns first; then its vectors are computed once

""".splitlines()
