"""What is broken on purpose in the sample catalogue is exactly what ingestion finds."""

import collections
import json

from tfrec.config import load_config
from tfrec.data.ingest import ingest
from tfrec.data.sample import write_sample

CODES = {
    "duplicate item id": "duplicate_id",
    "missing item id": "missing_id",
    "empty text": "empty_text",
    "price no number": "bad_number",
    "price not finite": "bad_number",
    "truncated picture": "truncated_picture",
    "missing picture": "missing_file",
    "decompression bomb": "picture_bomb",
    "garbage clip": "unreadable_clip",
    "age no number": "bad_number",
    "unknown item": "unknown_item",
    "bad time": "bad_time",
    "unknown event type": "unknown_type",
    "missing user id": "missing_user",
}


def test_ingestion_finds_every_flaw_at_its_row_and_nothing_else(tmp_path):
    path = write_sample(str(tmp_path / "sample"), items=120, users=60, events=2000)
    dataset, _ = ingest(load_config(path), str(tmp_path / "build"))
    truth = json.loads((tmp_path / "sample" / "traits.json").read_text())["broken"]
    planted = {
        (flaw["file"], flaw["row"] + 1, CODES[flaw["kind"]]) for flaw in truth if flaw["kind"] != "negative price"
    }
    lines = (tmp_path / "build" / "quarantine.jsonl").read_text().splitlines()
    found = {(row["file"], row["row"], row["code"]) for row in map(json.loads, lines)}
    assert found == planted
    assert len(dataset.catalogue) == 120
    assert len(collections.Counter(code for _, _, code in found)) == len(set(CODES.values()))
