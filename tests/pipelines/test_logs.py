"""Noise goes to the log file, progress to the user."""

import logging
import os
import sys

import pytest

from tfrec.pipelines.logs import noise_in, progress_to
from tfrec.pipelines.progress import steps_logged


def test_standard_error_of_any_code_and_all_logging_go_to_the_file(tmp_path, capfd):
    path = tmp_path / "log"
    with noise_in(str(path)):
        os.write(2, b"from C++\n")
        os.write(1, b"an answer\n")
        logging.getLogger("beam").info("from Beam")
    os.write(2, b"afterwards\n")
    assert "from C++" in path.read_text() and "from Beam" in path.read_text()
    out, err = capfd.readouterr()
    assert (out, err) == ("an answer\n", "afterwards\n")


def test_an_error_leaves_its_traceback_in_the_file_and_everything_as_it_was(tmp_path, capfd):
    handlers = logging.getLogger().handlers[:]
    with pytest.raises(ValueError), noise_in(str(tmp_path / "log")):
        raise ValueError("a surprise")
    assert "Traceback" in (tmp_path / "log").read_text()
    assert logging.getLogger().handlers == handlers
    print("heard again", file=sys.stderr)
    assert "Traceback" not in capfd.readouterr().err


def test_progress_of_components_is_said_and_the_rest_is_not():
    said = []
    with progress_to(said.append):
        logging.getLogger("tfrec.pipelines.ingestion").info("600 items")
        logging.getLogger("tfx").info("noise")
    logging.getLogger("tfrec.pipelines.ingestion").info("too late")
    assert said == ["  600 items"]


def test_steps_are_logged_every_few_seconds(caplog):
    times = iter([0, 1, 6, 7, 13])
    progress = steps_logged(logging.getLogger("tfrec.pipelines.x"), clock=lambda: next(times))
    with caplog.at_level(logging.INFO):
        for done in (1, 2, 3, 4000):
            progress("text", done, 5000)
    assert [record.getMessage() for record in caplog.records] == ["text: 2 of 5,000", "text: 4,000 of 5,000"]
