"""Hypothesis strategies that several test modules share."""

from __future__ import annotations

from hypothesis import strategies as st

DECIMAL_SUFFIXES = ("n", "u", "m", "", "k", "M", "G", "T", "P", "E")
BINARY_SUFFIXES = ("Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
GO_UNITS = ("ns", "us", "µs", "ms", "s", "m", "h")
LONG_UNITS = ("d", "w")

_numbers = st.from_regex(r"[+-]?([0-9]{1,9}(\.[0-9]{0,9})?|\.[0-9]{1,9})", fullmatch=True)
_suffixes = st.one_of(
    st.sampled_from((*DECIMAL_SUFFIXES, *BINARY_SUFFIXES)),
    st.from_regex(r"[eE][+-]?[0-9]{1,2}", fullmatch=True),
)


def quantities() -> st.SearchStrategy[str]:
    """Kubernetes quantities in every spelling of the grammar, negative ones included."""
    return st.builds("".join, st.tuples(_numbers, _suffixes))


def quantity_values() -> st.SearchStrategy:
    """Decimals that a quantity can state exactly: multiples of 1n up to 2^63 - 1."""
    limit = 2**63 - 1
    return st.decimals(-limit, limit, places=9, allow_nan=False)


def durations() -> st.SearchStrategy[str]:
    """Durations of up to some decades in Go's syntax plus days and weeks."""
    part = st.builds(
        "{}{}".format,
        st.from_regex(r"[0-9]{1,3}(\.[0-9]{0,6})?", fullmatch=True),
        st.sampled_from((*GO_UNITS, *LONG_UNITS)),
    )
    parts = st.lists(part, min_size=1, max_size=4).map("".join)
    return st.builds("{}{}".format, st.sampled_from(("", "+", "-")), parts)


def _cron_field(low: int, high: int, names: tuple[str, ...] = ()) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    single = number.map(str) if not names else number.map(str) | st.sampled_from(names)
    span = st.tuples(number, number).map(lambda pair: "{}-{}".format(*sorted(pair)))
    step = st.integers(1, high)
    stepped = st.builds("{}/{}".format, st.just("*") | span | number.map(str), step)
    term = st.one_of(single, span, stepped)
    listed = st.lists(term, min_size=2, max_size=3).map(",".join)
    return st.one_of(st.just("*"), st.just("?"), single, term, listed)


def cron_expressions(last_day: int = 28) -> st.SearchStrategy[str]:
    """Five valid cron fields; days of month up to ``last_day``, so that every date occurs."""
    return st.builds(
        " ".join,
        st.tuples(
            _cron_field(0, 59),
            _cron_field(0, 23),
            _cron_field(1, last_day),
            st.just("*") | _cron_field(1, 12, ("JAN", "jul", "Dec")),
            _cron_field(0, 6, ("SUN", "mon", "Sat")),
        ),
    )
