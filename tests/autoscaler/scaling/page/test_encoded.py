import gzip

from hypothesis import given
from hypothesis import strategies as st

from autoscaler.scaling.page.encoded import LEAST_COMPRESSED_BYTES, encoded


@given(st.text())
def test_both_encodings_hold_the_text(text):
    answer = encoded(text * 50, "text/plain")

    assert answer.plain.decode() == text * 50
    is_long = len(answer.plain) >= LEAST_COMPRESSED_BYTES
    assert (answer.compressed is not None) == is_long
    assert not is_long or gzip.decompress(answer.compressed) == answer.plain


@given(st.text(), st.text())
def test_a_tag_tells_texts_apart_and_stays_for_the_same_one(one, other):
    first, again, second = (encoded(text, "text/plain") for text in (one, one, other))

    assert first == again
    assert (first.tag == second.tag) == (one == other)
