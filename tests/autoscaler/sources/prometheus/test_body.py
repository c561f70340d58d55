import gzip
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3 import HTTPResponse
from urllib3.exceptions import ProtocolError

from autoscaler.errors import AnswerError
from autoscaler.sources.prometheus.body import STEP_BYTES, CutError, read_beginning, read_body

PARTS = st.lists(
    st.binary(max_size=300)
    | st.integers(STEP_BYTES - 2, STEP_BYTES + 300).map(lambda size: b"0123456789abcdef" * size),
    max_size=3,
)


def response(data, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HTTPResponse(
        body=io.BytesIO(data), headers=named, preload_content=False, decode_content=False
    )


@given(st.binary(max_size=1000))
def test_a_plain_body_is_read_as_it_is(data):
    assert read_body(response(data), 1000) == data


@given(PARTS)
def test_a_gzip_body_of_any_number_of_members_is_decompressed(parts):
    data = b"".join(gzip.compress(part, 1) for part in parts)
    body = read_body(response(data, Content_Encoding="gzip"), 2**30)
    assert body == b"".join(parts)


@given(st.binary(min_size=1, max_size=1000), st.data())
def test_a_gzip_body_without_its_end_was_cut(text, data):
    packed = gzip.compress(text)
    kept = data.draw(st.integers(1, len(packed) - 1))
    with pytest.raises(CutError, match="its gzip stream has no end"):
        read_body(response(packed[:kept], Content_Encoding="x-gzip"), 2**20)


def test_the_limit_is_the_largest_body_that_is_taken():
    assert read_body(response(b"12345"), 5) == b"12345"
    with pytest.raises(AnswerError, match=r"larger than the 4 bytes .*prometheus.maxAnswer"):
        read_body(response(b"12345"), 4)


def test_the_limit_holds_for_the_decompressed_body():
    packed = gzip.compress(bytes(10**6))
    with pytest.raises(AnswerError, match="larger than the 999999 bytes"):
        read_body(response(packed, Content_Encoding="gzip"), 999_999)


def test_an_announced_size_above_the_limit_is_refused_before_the_body_is_read():
    answer = response(b"12345", Content_Length="2147483648")
    with pytest.raises(AnswerError, match="the answer of 2147483648 bytes is larger than"):
        read_body(answer, 2**20)
    assert answer.tell() == 0


def test_fewer_bytes_than_announced_are_an_error():
    with pytest.raises(ProtocolError, match="IncompleteRead"):
        read_body(response(b"12345", Content_Length="6"), 2**20)


def test_an_encoding_that_nobody_asked_for_is_named():
    for encoding in ("br", "deflate", "gzip, gzip"):
        with pytest.raises(AnswerError, match=f"encoded as '{encoding}'"):
            read_body(response(b"", Content_Encoding=encoding), 2**20)
    assert read_body(response(b"1", Content_Encoding="Identity"), 2**20) == b"1"


def test_a_body_that_is_no_gzip_although_it_says_so_is_an_error():
    with pytest.raises(AnswerError, match="is no gzip, as its header says"):
        read_body(response(b"{}", Content_Encoding="gzip"), 2**20)


def test_the_beginning_of_a_body_is_what_can_be_read_of_it():
    assert read_beginning(response(b"12345"), 3) == b"123"
    assert read_beginning(response(b"12345"), 9) == b"12345"
    assert read_beginning(response(b"12345", Content_Length="9"), 9) == b"12345"
    assert read_beginning(response(b"12345", Content_Encoding="br"), 9) == b""
    assert read_beginning(response(gzip.compress(b"1234"), Content_Encoding="gzip"), 9) == b"1234"
