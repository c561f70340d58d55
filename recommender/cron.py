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
_NAMES = {
    "month": {
        "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
    },
    "day of week": {"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"},
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
    windows = _windows_of_hour(start, end, time_zone, now_s // _HOUR_S)
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
    for occurrence in CronSim(fields, _local(after_s, zone)):
        # Within a repeated hour the library may answer with the hour's first pass.
        occurrence_s = int(occurrence.timestamp())
        if occurrence_s > after_s:
            return occurrence_s
    raise _never(expression)


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
    for occurrence in CronSim(fields, begin, reverse=True):
        occurrence_s = int(occurrence.timestamp())
        if occurrence_s <= until_s:
            return occurrence_s
    raise _never(expression)


def _local(time_s: int, zone: dt.tzinfo) -> dt.datetime:
    return dt.datetime.fromtimestamp(time_s, zone)


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
    try:
        occurs = next(CronSim(text, _REFERENCE), None)
    except CronSimError:
        # Each field was valid by itself.
        occurs = None
    if occurs is None:
        raise _never(expression)
    return text, zone


def _normal_field(expression: str, index: int, field: str) -> str:
    """Check one field and write it so that the library reads it as Kubernetes' CronJob does.

    The library treats any field that begins with ``*`` as unrestricted, also ``*/2``; and its days
    of the week end at 7, so that ``1/3`` would end on a Sunday.
    """
    name = _FIELD_NAMES[index]
    terms = [_normal_term(term.replace("?", "*"), name) for term in field.split(",")]
    if "*" in terms:
        return "*"
    normal = ",".join(terms)
    words = re.findall(r"[A-Z]+", normal)
    is_valid = re.fullmatch(r"[0-9A-Z*,/-]+", normal) and set(words) <= _NAMES.get(name, set())
    if is_valid:
        probe = ["0", "0", "*", "*", "*"]
        probe[index] = normal
        try:
            CronSim(" ".join(probe), _REFERENCE)
        except CronSimError:
            is_valid = False
    if not is_valid:
        allowed = (
            f"the {name} {field!r} cannot be read; allowed: {_RANGES[index]}, "
            "with * , - and / (step above 0)"
        )
        raise InvalidValueError("cron", expression, allowed)
    return normal


def _normal_term(term: str, name: str) -> str:
    first, slash, step = term.partition("/")
    if not slash:
        return term
    if first == "*" and step == "1":
        return "*"
    if first == "*" and name == "day of month":
        return f"1-31/{step}"
    if first == "*" and name == "day of week":
        return f"0-6/{step}"
    if name == "day of week" and "-" not in first and first != "7":
        return f"{first}-6/{step}"
    return term


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


def _never(expression: str) -> InvalidValueError:
    return InvalidValueError("cron", expression, "the date never occurs")
