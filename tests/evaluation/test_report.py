import html.parser
import json
import os
import re

import numpy as np
import pytest

from tfrec.errors import TfrecError
from tfrec.evaluation.protocol import evaluate, fitted_baselines
from tfrec.evaluation.recommenders import EmbeddingRecommender
from tfrec.evaluation.report import Example, Report, report_html, write_report
from tfrec.evaluation.tasks import cold_task, warm_task

VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(html.parser.HTMLParser):
    """Checks that elements nest and collects ids, links and the text that is read."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.links, self.tags, self.text = [], [], [], [], ""
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.append((tag, attributes))
        if "id" in attributes:
            self.ids.append(attributes["id"])
        self.links += [attributes[name] for name in ("href", "xlink:href", "src") if name in attributes]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"style", "svg"} & set(self.open):
            self.text += data


@pytest.fixture(scope="module")
def evaluations(taste_dataset):
    found = []
    for task in (warm_task(taste_dataset), cold_task(taste_dataset)):
        model = EmbeddingRecommender("Two-tower", np.eye(2)[np.arange(60) % 2], np.eye(2)[np.arange(40) % 2])
        found.append(evaluate(model, fitted_baselines(task), task, [3, 10], bootstrap=20))
    return found


@pytest.fixture(scope="module")
def full_report(evaluations):
    return Report(
        title="Books <i>&</i> films",
        warm=evaluations[0],
        cold=evaluations[1],
        reasons=[],
        data={
            "items": 1234,
            "events": {"train": 5, "empty": {}},
            "problems": [{"column": "cover", "count": np.int64(3), "rows": (1, 2)}],
            "timed": True,
            "first": None,
        },
        data_summary=["items.csv: 1,234 rows read.", "  3 cells: the picture is truncated."],
        training=[{"epoch": n, "loss": 1 / (n + 1), "val_ndcg@10": n / 10} for n in range(4)],
        configuration={"model": {"fusion": "gate", "item_hidden": ()}},
        versions={"tfrec": "0.1.0"},
        examples=[Example("u1", ["<b>First</b> book"], ["Second book", "Third book"], ["Third book"])],
        created="2026-11-22",
    )


@pytest.fixture(scope="module")
def full_page(full_report):
    return report_html(full_report)


def test_the_page_is_whole_and_loads_nothing_from_elsewhere(full_page):
    text, page = full_page, Page(full_page)
    assert all(link.startswith("#") for link in page.links)
    assert not re.search(r"url\((?!#)|@import|<script|<link|<img", text)
    assert len(page.ids) == len(set(page.ids))
    referred = {link[1:] for link in page.links} | set(re.findall(r"url\(#([^)]+)\)", text))
    assert referred <= set(page.ids)


def test_the_page_tells_the_story(full_page):
    text = Page(full_page).text
    for told in (
        "Blessed",
        "Two-tower reaches nDCG@10",
        "MostPop",
        "Is the difference real?",
        "New items",
        "Third book (chosen)",
        "4 epochs",
        "3 cells: the picture is truncated.",
        "1,234",
        "cover",
        "fusion",
        "0.1.0",
        "<b>First</b> book",
    ):
        assert told in text


def test_the_page_can_be_heard_and_follows_dark_mode(full_page):
    text, page = full_page, Page(full_page)
    assert ("html", {"lang": "en"}) in page.tags
    pictures = [attributes for tag, attributes in page.tags if tag == "svg"]
    assert len(pictures) >= 6
    assert all(picture["role"] == "img" and picture["aria-label"] for picture in pictures)
    assert "prefers-color-scheme: dark" in text
    assert not re.search(r"#0102[0-9a-f]{2}", text)
    assert "var(--series-0)" in text


def test_only_an_evaluation_is_needed(evaluations):
    text = Page(report_html(Report("Small", evaluations[0]))).text
    assert "Blessed" not in text and "blessed" not in text
    for absent in ("New items", "Examples", "Training", "Data"):
        assert absent not in text


def test_a_model_that_is_not_blessed_shows_why(evaluations):
    text = Page(report_html(Report("Bad", evaluations[0], reasons=["nDCG is worse than EASE & co."]))).text
    assert "Not blessed" in text
    assert "nDCG is worse than EASE & co." in text


def test_the_json_holds_the_same_numbers(full_report, tmp_path):
    html_path, json_path = write_report(full_report, str(tmp_path / "new" / "folder"))
    assert sorted(os.listdir(tmp_path / "new" / "folder")) == ["report.html", "report.json"]
    with open(json_path, encoding="utf-8") as file:
        document = json.load(file)
    assert document["blessed"] is True
    assert document["warm"] == json.loads(json.dumps(full_report.warm.to_json()))
    assert document["data"]["problems"][0]["count"] == 3
    with open(html_path, encoding="utf-8") as file:
        assert "Books &lt;i&gt;&amp;&lt;/i&gt; films" in file.read()


def test_a_folder_that_cannot_be_written_is_one_sentence(full_report, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(TfrecError, match=r"cannot write .*report.*; free some space"):
        write_report(full_report, str(tmp_path / "file"))
