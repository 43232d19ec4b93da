"""Why a row or a cell is not used: a code for machines and a sentence for people."""

from __future__ import annotations

from tfrec.errors import DataError

REASONS = {
    "malformed_row": "the row cannot be read",
    "missing_id": "the row has no item id",
    "duplicate_id": "an earlier row has this id and is the one kept",
    "missing_user": "the row has no user id",
    "unknown_item": "the catalogue has no item with this id",
    "unknown_type": "schema.events.weights does not name this event type",
    "bad_time": "the time is neither seconds nor milliseconds since 1970 nor ISO 8601",
    "bad_number": "the cell should hold a finite number",
    "missing_value": "the event has no value to compare with schema.events.minimum_value",
    "duplicate_event": "an earlier row is equal in every column, time included",
    "empty_text": "the item has no words here and is treated as having no text",
    "missing_file": "the file does not exist in data.media",
    "outside_media": "the path leads out of data.media, which is not allowed",
    "bad_base64": "the cell is damaged base64",
    "unreadable_picture": "the content is no picture",
    "truncated_picture": "the picture is cut off or damaged",
    "picture_bomb": "the picture is too large to be decoded safely",
    "unreadable_clip": "the content is no sound clip",
    "truncated_clip": "the clip is cut off or damaged",
    "clip_bomb": "the clip is too large to be decoded safely",
}


class Refusal(DataError):
    """A picture or clip that cannot be used; `code` is a key of `REASONS`, the message says what was found."""

    def __init__(self, code: str, found: str = ""):
        super().__init__(f"{REASONS[code]}: {found}" if found else REASONS[code])
        self.code = code
