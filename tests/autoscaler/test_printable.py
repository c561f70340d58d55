from hypothesis import given
from hypothesis import strategies as st

from autoscaler.printable import UNKNOWN, printable


@given(st.text())
def test_a_text_becomes_printable_letter_by_letter(text):
    shown = printable(text)
    assert shown.isprintable()
    assert [
        (was, now)
        for was, now in zip(text, shown, strict=True)
        if now != (was if was.isprintable() else UNKNOWN)
    ] == []


def test_what_stands_in_place_can_be_chosen():
    assert printable("a\r\n\x1b[2Jb\u202e", " ") == "a   [2Jb "
