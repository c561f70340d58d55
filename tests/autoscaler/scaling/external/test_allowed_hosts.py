"""Which addresses may be asked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3.util import parse_url

from autoscaler.errors import UsageError
from autoscaler.scaling.external.allowed_hosts import AllowedHosts, place_of


def refusal(url, *entries):
    return AllowedHosts.parse(entries).refusal(url)


@pytest.mark.parametrize(
    ("url", "entry"),
    [
        ("https://scaler.example/path?key=1", "scaler.example"),
        ("http://scaler.example:8080", "scaler.example"),
        ("http://SCALER.example:8080/", "scaler.Example:8080"),
        ("http://scaler.example./", "scaler.example."),
        ("https://scaler.example", "scaler.example:443"),
        ("http://scaler.example/", "scaler.example:80"),
        ("https://scaler.example", "https://scaler.example"),
        ("http://a.b.corp.example", "*.corp.example"),
        ("http://a.corp.example:81", "*.corp.example:81"),
        ("http://10.0.0.7:9000/x", "10.0.0.7:9000"),
        ("http://[fd00::1]:9000/x", "[fd00::1]:9000"),
    ],
)
def test_an_address_on_the_list_is_asked(url, entry):
    assert refusal(url, "other.example", entry) == ""


@pytest.mark.parametrize(
    ("url", "entry"),
    [
        ("https://other.example", "scaler.example"),
        ("https://scaler.example.evil.example", "scaler.example"),
        ("https://evilscaler.example", "*.scaler.example"),
        ("https://corp.example", "*.corp.example"),
        ("http://scaler.example:8081", "scaler.example:8080"),
        ("http://scaler.example", "scaler.example:443"),
        ("http://scaler.example", "https://scaler.example"),
        ("http://10.0.0.70", "10.0.0.7"),
        ("http://metrics.dev.", "metrics.dev"),
        ("http://a.corp.example.", "*.corp.example"),
    ],
)
def test_an_address_beside_the_list_is_refused_and_named_without_its_path(url, entry):
    said = refusal(f"{url}/path?key=s3cret", entry)
    assert said == (
        f"{url} is not on the list of addresses that this installation asks "
        "(--external-scaler-allow)"
    )


@pytest.mark.parametrize(
    "url",
    [
        "",
        "scaler.example",
        "ftp://scaler.example",
        "file:///etc/passwd",
        "http://user@scaler.example",
        "http://scaler.example@evil.example/",
        "http://scaler.example\\@evil.example/",
        "http://scaler.example /",
        "http://scaler.example:0/",
        "http://scaler.example:99999/",
        "http://scaler.example/\r\nX-Header: 1",
        "http://scäler.example/",
    ],
)
def test_an_address_that_readers_could_understand_in_two_ways_is_refused(url):
    said = refusal(url, "scaler.example", "*.example")
    assert said.startswith("the address is not valid; allowed: http://")


def test_an_empty_list_allows_nothing():
    assert "not on the list" in AllowedHosts().refusal("https://scaler.example")


@given(st.text(alphabet="htps:/.@\\[]ab#?&%0189- \t", max_size=40))
def test_what_is_allowed_is_where_the_connection_goes(tail):
    url = f"http://{tail}"
    if refusal(url, "a", "*.a", "b:80") == "":
        host = parse_url(url).host or ""
        assert host in {"a", "b"} or host.endswith(".a")


@pytest.mark.parametrize(
    "entry", ["", "a b", "ftp://a", "a:0", "a:70000", "*", "a/path", "*.[::1]"]
)
def test_a_wrong_entry_is_named_with_what_is_allowed(entry):
    with pytest.raises(UsageError, match="allowed: HOST or HOST:PORT"):
        AllowedHosts.parse([entry])


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://a.example/hooks/s3cret", "https://a.example"),
        ("http://a.example:81?x", "http://a.example:81"),
        ("what", "the address"),
    ],
)
def test_the_place_of_an_address_holds_nothing_that_may_be_secret(url, place):
    assert place_of(url) == place
