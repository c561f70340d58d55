"""Cron windows: which scheduled rules are active at a time.

Five fields as in the Kubernetes CronJob's dialect: Sunday is 0 (or 7), names work, ``?`` is ``*``;
where day of month and day of week are both restricted, either of them is enough.  A window opens
at ``start`` and closes at the first ``end`` after it: ``[start, end)``, also over midnight.

Wall-clock times that a time change skips count at its end, repeated ones count once, at their first
pass (as Debian's cron does, through ``cronsim``); schedules with ``*`` in minute or hour follow
elapsed time.  What an active rule demands is the policy's.
"""

from __future__ import annotations

import datetime as dt
import re
from functools import lru_cache
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from recommender.errors import InvalidValueError
from recommender.policy.model import CronRule

_FIELD_NAMES = ("minute", "hour", "day of month", "month", "day of week")
_NUMBERS = {
    "month": {
        "JAN": "1", "FEB": "2", "MAR": "3", "APR": "4", "MAY": "5", "JUN": "6",
        "JUL": "7", "AUG": "8", "SEP": "9", "OCT": "10", "NOV": "11", "DEC": "12",
    },
    "day of week": {
        "SUN": "0", "MON": "1", "TUE": "2", "WED": "3", "THU": "4", "FRI": "5", "SAT": "6",
    },
}  # fmt: skip
_RANGES = ("0 to 59", "0 to 23", "1 to 31", "1 to 12 or JAN to DEC", "0 to 7 or SUN to SAT")
_LONGEST_EXPRESSION = 256
_ZONE_PREFIX = re.compile(r"\s*(?:CRON_)?TZ=(\S*)\s+(.*)", re.DOTALL)
_REFERENCE = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
_HOUR_S = 3600


def check_cron(expression: str, time_zone: str) -> str | None:
    """Return what is wrong with a schedule, for the user; None where it can be used.

    ``time_zone`` is an IANA name, empty for UTC.  A prefix ``CRON_TZ=Zone `` or ``TZ=Zone `` in the
    expression names the zone instead.  A date that never occurs (30 February) is a problem too.
    """
    try:
        _parsed(expression, time_zone)
    except InvalidValueError as error:
        return f"{error.value!r} is not valid; {error.allowed}"
    return None


def is_active(rule_start: str, rule_end: str, time_zone: str, now_s: int) -> bool:
    """Return whether a window is open at ``now_s`` (UTC seconds).

    Active at exactly ``start``, inactive at exactly ``end``.  Where both fall on one instant, the
    end wins, so that equal schedules are never active; but a window opens there if an end follows
    before the next start (back-to-back windows).  Raises ``InvalidValueError`` for a schedule that
    ``check_cron`` refuses.
    """
    return _window(rule_start, rule_end, time_zone, now_s) is not None


def window_now(rule: CronRule, now_s: int) -> tuple[int, int] | None:
    """Return (start_s, end_s) of the rule's running window in UTC seconds; None where none runs.

    Starts within a running window do not restart it.  Raises as ``is_active``.
    """
    return _window(rule.start, rule.end, rule.time_zone, now_s)


def active_rules(cron: tuple[tuple[int, CronRule], ...], now_s: int) -> list[tuple[int, CronRule]]:
    """Return the (row, rule) pairs whose window is open; disabled and faulty rules never are."""
    return [
        (row, rule)
        for row, rule in cron
        if rule.is_enabled
        and rule.problem is None
        and is_active(rule.start, rule.end, rule.time_zone, now_s)
    ]


def _window(start: str, end: str, time_zone: str, now_s: int) -> tuple[int, int] | None:
    windows = _windows_of_hour(start, end, time_zone, int(now_s) // _HOUR_S)
    return next((window for window in windows if window[0] <= now_s < window[1]), None)


@lru_cache(maxsize=16384)
def _windows_of_hour(
    start: str, end: str, time_zone: str, hour: int
) -> tuple[tuple[int, int], ...]:
    """Return the windows that touch an hour since the epoch, so that a tick costs a look-up."""
    windows = []
    time_s = hour * _HOUR_S
    while time_s < (hour + 1) * _HOUR_S:
        window = _window_at(start, end, time_zone, time_s)
        if window is None:
            time_s = _next(start, time_zone, time_s)
        else:
            windows.append(window)
            time_s = window[1]
    return tuple(windows)


def _window_at(start: str, end: str, time_zone: str, now_s: int) -> tuple[int, int] | None:
    """Return the window that is open at a time.

    Let s and e be the last start and the last end up to now.  Open if s > e, closed if s < e; if
    s = e, open only where the next end comes before the next start.
    """
    last_start_s = _last(start, time_zone, now_s)
    last_end_s = _last(end, time_zone, now_s)
    if last_start_s < last_end_s:
        return None
    next_end_s = _next(end, time_zone, now_s)
    if last_start_s > last_end_s:
        return _next(start, time_zone, last_end_s), next_end_s
    if next_end_s < _next(start, time_zone, now_s):
        return last_start_s, next_end_s
    return None


def _next(expression: str, time_zone: str, after_s: int) -> int:
    """Return the first occurrence strictly after a time, in UTC seconds."""
    fields, zone = _parsed(expression, time_zone)
    occurrences = CronSim(fields, _local(after_s, zone))
    # Within a repeated hour the library may answer with the hour's first pass.
    return next(time_s for time_s in map(_utc_s, occurrences) if time_s > after_s)


def _last(expression: str, time_zone: str, until_s: int) -> int:
    """Return the last occurrence at or before a time, in UTC seconds."""
    fields, zone = _parsed(expression, time_zone)
    begin = _local(until_s + 1, zone)
    if begin.fold:
        # Walking back on the wall clock from the second pass of a repeated hour would miss the end
        # of its first pass: begin where both passes are over.
        repeated = begin.replace(fold=0).utcoffset() or dt.timedelta()
        repeated -= begin.utcoffset() or dt.timedelta()
        begin = _local(until_s + 1 + int(repeated.total_seconds()), zone)
    occurrences = CronSim(fields, begin, reverse=True)
    return next(time_s for time_s in map(_utc_s, occurrences) if time_s <= until_s)


def _local(time_s: int, zone: dt.tzinfo) -> dt.datetime:
    return dt.datetime.fromtimestamp(time_s, zone)


def _utc_s(occurrence: dt.datetime) -> int:
    return int(occurrence.timestamp())


@lru_cache(maxsize=4096)
def _parsed(expression: str, time_zone: str) -> tuple[str, dt.tzinfo]:
    """Return (five fields as the library reads them, zone), or raise ``InvalidValueError``."""
    if len(expression) > _LONGEST_EXPRESSION:
        allowed = f"an expression has at most {_LONGEST_EXPRESSION} characters"
        raise InvalidValueError("cron", expression[:40] + "...", allowed)
    prefixed = _ZONE_PREFIX.fullmatch(expression)
    zone_name, schedule = prefixed.groups() if prefixed else (time_zone, expression)
    zone = _zone(zone_name)
    fields = schedule.upper().split()
    if len(fields) != len(_FIELD_NAMES):
        allowed = (
            "allowed: five fields (minute, hour, day of month, month, day of week), "
            f"here are {len(fields)}"
        )
        raise InvalidValueError("cron", expression, allowed)
    normal = [_normal_field(expression, i, field) for i, field in enumerate(fields)]
    text = " ".join(normal)
    if not _occurs(text):
        raise InvalidValueError("cron", expression, "the date never occurs")
    return text, zone


def _occurs(fields: str) -> bool:
    """Return whether five fields, each valid by itself, ever come together."""
    try:
        return next(CronSim(fields, _REFERENCE), None) is not None
    except CronSimError:
        return False


def _normal_field(expression: str, index: int, field: str) -> str:
    """Check one field and write it so that the library reads it as Kubernetes' CronJob does."""
    name = _FIELD_NAMES[index]
    terms = [_normal_term(term, name) for term in field.split(",")]
    # The library takes only a field that begins with a star for unrestricted.
    normal = "*" if "*" in terms else ",".join(terms)
    if not _is_readable(normal, index):
        allowed = (
            f"the {name} {field!r} cannot be read; allowed: {_RANGES[index]}, "
            "with * , - and / (step above 0)"
        )
        raise InvalidValueError("cron", expression, allowed)
    return normal


def _is_readable(field: str, index: int) -> bool:
    # Letters that are left are the library's own L, W and #: not of this dialect.
    if re.fullmatch(r"[0-9*,/-]+", field) is None:
        return False
    fields = ["0", "0", "*", "*", "*"]
    fields[index] = field
    try:
        CronSim(" ".join(fields), _REFERENCE)
    except CronSimError:
        return False
    return True


def _normal_term(term: str, name: str) -> str:
    """Write one term of a list without what the library reads in its own way.

    To it ``*/2`` restricts no day, ``1/3`` among the days of the week ends on 7 (a Sunday), and
    ``0-0/2`` is ``0/2``.
    """
    span, slash, step = term.replace("?", "*").partition("/")
    numbers = _NUMBERS.get(name, {})
    first, dash, last = (numbers.get(part, part) for part in span.partition("-"))
    if not slash:
        return first + dash + last
    if first == "*" and step == "1":
        return "*"
    if first == "*" and name == "day of month":
        first, dash, last = "1", "-", "31"
    elif first == "*" and name == "day of week":
        first, dash, last = "0", "-", "6"
    elif name == "day of week" and not dash and first != "7":
        dash, last = "-", "6"
    if dash and first == last and re.fullmatch(r"0*[1-9][0-9]*", step):
        return first
    return f"{first}{dash}{last}/{step}"


@lru_cache(maxsize=1024)
def _zone(name: str) -> dt.tzinfo:
    if name in {"", "UTC"}:
        return dt.UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        # Unknown, no relative path below the data, or a folder of zones such as "America".
        allowed = "allowed: an IANA time zone such as UTC, Europe/Berlin or Asia/Tokyo"
        raise InvalidValueError("time zone", name, allowed) from error
