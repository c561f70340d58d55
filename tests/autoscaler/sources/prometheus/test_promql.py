import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.sources.prometheus.promql import (
    Matcher,
    aggregate,
    literal_regex,
    over_time,
    quoted,
    selector,
    window,
)
from recommender.errors import InvalidValueError

TEXTS = st.text(st.characters(exclude_categories=("Cs",)))
NAMES = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1)
OPERATORS = st.sampled_from(["=", "!=", "=~", "!~"])
MATCHERS = st.builds(Matcher, NAMES, TEXTS, OPERATORS)

TOKEN = re.compile(
    r'(?P<string>"(?:[^"\\\n]|\\.)*")|(?P<word>[a-zA-Z_:][a-zA-Z0-9_:]*)'
    r"|(?P<op>=~|!~|!=|=)|(?P<mark>[{},])"
)
ESCAPE = re.compile(r'\\(?:u([0-9a-f]{4})|([\\"n]))')


def tokens(text):
    """Return (kind, value) of each token; anything that PromQL's lexer would refuse fails."""
    found, at = [], 0
    while at < len(text):
        match = TOKEN.match(text, at)
        assert match, f"not PromQL at {at}: {text!r}"
        found.append((match.lastgroup, match.group()))
        at = match.end()
    return found


def unquoted(literal):
    def char(match):
        code, simple = match.groups()
        return chr(int(code, 16)) if code else {"n": "\n"}.get(simple, simple)

    return ESCAPE.sub(char, literal[1:-1])


def name_of(token):
    kind, value = token
    assert kind in {"string", "word"}
    return unquoted(value) if kind == "string" else value


def parsed(text):
    """Return (metric name, matchers) of a selector."""
    found = tokens(text)
    name = None
    if found[0][0] == "word":
        name = found.pop(0)[1]
        assert name.lower() not in {"inf", "nan"}
    if not found:
        return name, []
    assert (found[0], found[-1]) == (("mark", "{"), ("mark", "}"))
    inside, matchers = found[1:-1], []
    while inside:
        if len(inside) > 1 and inside[1][0] == "op":
            label, (_, op), (kind, value) = inside[:3]
            assert kind == "string"
            matchers.append(Matcher(name_of(label), unquoted(value), op))
            inside = inside[3:]
        else:
            assert name is None
            name = name_of(inside[0])
            assert inside[0][0] == "string"
            inside = inside[1:]
        if inside:
            assert inside.pop(0) == ("mark", ",")
            assert inside
    return name, matchers


@given(NAMES, st.lists(MATCHERS, max_size=4))
def test_a_selector_says_what_it_was_built_from(series, matchers):
    assert parsed(selector(series, matchers)) == (series, matchers)


@given(TEXTS)
def test_a_quoted_text_stands_on_one_line_and_gives_itself_back(text):
    literal = quoted(text)
    assert tokens(literal) == [("string", literal)]
    assert unquoted(literal) == text
    assert not any(ord(char) < 0x20 or ord(char) == 0x7F for char in literal)


@given(st.text(st.characters(max_codepoint=0x7F)), TEXTS)
def test_a_literal_pattern_matches_its_text_and_no_other(text, other):
    pattern = re.compile(literal_regex(text))
    assert pattern.fullmatch(text)
    assert bool(pattern.fullmatch(other)) == (other == text)


@given(TEXTS)
def test_a_pattern_escapes_only_what_re2_lets_be_escaped(text):
    for escaped in re.findall(r"\\(.)", literal_regex(text), flags=re.DOTALL):
        assert escaped in r"\.+*?()|[]{}^$"


@pytest.mark.parametrize(
    ("series", "matchers", "text"),
    [
        ("up", (), "up"),
        ("job:rate5m", (Matcher("a", "b"),), 'job:rate5m{a="b"}'),
        ("up", (Matcher("a", 'x"y\\z\n'),), 'up{a="x\\"y\\\\z\\n"}'),
        ("up", (Matcher("a", "", "!="), Matcher("b", "c|d", "=~")), 'up{a!="",b=~"c|d"}'),
        ("my.metric", (), '{"my.metric"}'),
        ("my.metric", (Matcher("my.label", "x"),), '{"my.metric","my.label"="x"}'),
        ("up", (Matcher("größe", "groß"),), 'up{"größe"="groß"}'),
        ("NaN", (), '{"NaN"}'),
        ("up", (Matcher("a", "\x00\x7f"),), 'up{a="\\u0000\\u007f"}'),
    ],
)
def test_a_selector_is_written_as_prometheus_writes_it(series, matchers, text):
    assert selector(series, matchers) == text


@pytest.mark.parametrize("name", ["", "a\nb", "\x00", "a\x7f", "a\x85b", "\ud800"])
def test_a_name_that_no_server_can_hold_is_an_error(name):
    with pytest.raises(InvalidValueError, match=r"metric name: .* without control characters"):
        selector(name)
    with pytest.raises(InvalidValueError, match="label name"):
        selector("up", [Matcher(name, "x")])
    with pytest.raises(InvalidValueError, match="label name"):
        aggregate("max", "up", [name])


def test_half_a_surrogate_pair_cannot_be_sent():
    with pytest.raises(InvalidValueError, match=r"label value: .* Unicode text"):
        selector("up", [Matcher("a", "\ud83d")])


def test_windows_end_a_millisecond_before_the_evaluation():
    assert window("up", 300) == "up[300s] offset 1ms"
    assert over_time("max_over_time", 'up{a="b"}', 60) == 'max_over_time(up{a="b"}[60s] offset 1ms)'
    assert over_time("count_over_time", "up", 7 * 86400, offset_ms=0) == (
        "count_over_time(up[604800s])"
    )


def test_aggregations_name_their_labels():
    assert aggregate("count", "up") == "count(up)"
    assert aggregate("max", "up", ["namespace", "my.label"]) == 'max by (namespace,"my.label") (up)'
