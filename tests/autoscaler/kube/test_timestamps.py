"""Times as the API carries them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.kube.timestamps import micro_time_text, seconds_of, time_text


@given(st.integers(0, 4_102_444_800))
def test_what_is_written_is_read_again(now_s):
    assert seconds_of(time_text(now_s)) == now_s
    assert seconds_of(micro_time_text(now_s)) == now_s


@pytest.mark.parametrize(
    ("text", "now_s"),
    [
        ("1970-01-01T00:01:00Z", 60),
        ("1970-01-01T02:01:00+02:00", 60),
        ("1970-01-01T00:01:00", 60),
        ("soon", None),
        ("", None),
        (None, None),
        (60, None),
    ],
)
def test_what_is_no_time_is_none(text, now_s):
    assert seconds_of(text) == now_s
