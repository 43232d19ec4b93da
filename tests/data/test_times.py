import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfrec.data.times import time_column

UTC = datetime.timezone.utc


def parse(*values):
    return time_column(np.array(values, dtype=object))


@pytest.mark.parametrize(
    "written",
    [
        "881250949",
        "881250949.75",
        "881250949000",
        "881250949000000",
        "881250949000000000",
        "8.81250949e8",
        "1997-12-04T15:55:49Z",
        "1997-12-04 15:55:49",
        "1997-12-04T15:55:49.123456",
        "1997-12-04T16:55:49+01:00",
        "1997-12-04T10:25:49-0530",
        "1997-12-04 15:55:49 Z",
    ],
)
def test_one_moment_is_read_from_every_common_way_to_write_it(written):
    seconds, bad = parse(written)
    assert not bad[0]
    assert seconds[0] == 881250949


def test_a_date_alone_is_its_midnight_in_utc():
    assert parse("1970-01-02")[0][0] == 86400
    assert parse("1969-12-31")[0][0] == -86400


@pytest.mark.parametrize(
    "written",
    ["", "yesterday", "1997-02-29", "1997-13-01", "1997-00-10", "1997-01-01T24:00", "1997-01-01T10:60", "inf", "nan"]
    + ["04.12.1997", "12/04/1997", "1e30", "1997-1-1", "1997-01-01T10", "0000-01-01", "١٩٩٧-01-01"],
)
def test_what_is_no_time_is_bad(written):
    seconds, bad = parse(written)
    assert bad[0]
    assert seconds[0] == 0


@given(st.lists(st.datetimes(min_value=datetime.datetime(1, 1, 3), max_value=datetime.datetime(9999, 12, 29))))
def test_any_iso_time_is_read_as_python_reads_it(moments):
    seconds, bad = parse(*(moment.isoformat() for moment in moments))
    epoch = datetime.datetime(1970, 1, 1)
    expected = [(moment.replace(microsecond=0) - epoch) // datetime.timedelta(seconds=1) for moment in moments]
    assert not bad.any()
    assert seconds.tolist() == expected


@given(st.datetimes(timezones=st.timezones(), min_value=datetime.datetime(1900, 1, 1)))
def test_a_zone_is_taken_into_account(moment):
    seconds, bad = parse(moment.isoformat())
    if moment.utcoffset().total_seconds() % 60:
        assert bad[0]
    else:
        assert seconds[0] == (moment.astimezone(UTC) - datetime.datetime(1970, 1, 1, tzinfo=UTC)) // datetime.timedelta(
            seconds=1
        )


@given(st.lists(st.text(max_size=20)))
def test_any_text_is_a_time_or_bad_but_no_error(texts):
    seconds, bad = parse(*texts)
    assert len(seconds) == len(bad) == len(texts)
