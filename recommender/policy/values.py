"""One value as a user spelt it, to its base unit: shares, buffers, multiples, durations and so on.

Values come from YAML, JSON, CSV and annotations, so the same number may be an int, a float or a
text.  All arithmetic on them is decimal, so that 0.95, 95 and "95%" become the same float.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import urlsplit

from recommender.durations import format_duration, parse_duration_s
from recommender.errors import InvalidValueError
from recommender.policy.field import Field, Kind
from recommender.policy.model import Buffer
from recommender.quantities import format_quantity, parse_quantity

if TYPE_CHECKING:
    from collections.abc import Callable

_NUMBER = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?)\s*(%?)")
_LARGEST_ADJUSTED = 30
_SHOWN_CHARS = 80
_LARGEST_PLAIN_INTEGER = 10**18


def is_blank(value: object) -> bool:
    """Return whether a value is the same as no value: null or blank text."""
    return value is None or (isinstance(value, str) and not value.strip())


def is_unset(value: object) -> bool:
    """Return whether a cell of a table is the same as no value: blank, or the NaN of an empty one.

    In a document NaN is a number that somebody wrote.
    """
    return is_blank(value) or (isinstance(value, float) and math.isnan(value))


def shown(value: object) -> object:
    """Return a value as messages quote it: never longer than a line."""
    if isinstance(value, int) and abs(value) > _LARGEST_PLAIN_INTEGER:
        return f"a number of {value.bit_length()} bits"
    if isinstance(value, str):
        return value if len(value) <= _SHOWN_CHARS else value[:_SHOWN_CHARS] + "..."
    if isinstance(value, int | float | bool) or value is None:
        return value
    return f"a {'list' if isinstance(value, list | tuple) else type(value).__name__}"


def read_value(field: Field, value: object, path: str) -> object:
    """Return ``value`` in the base unit of ``field``.

    Shares and multiples are floats, buffer ratios ``Buffer``, durations whole seconds (rounded up),
    quantities floats in TFLOPS, percent or bytes.  Raises ``InvalidValueError`` that names
    ``path``, the value, and what is allowed.
    """
    return _READERS[field.kind](field, value, path)


def quantity_text(value: object) -> str:
    """Return an amount that was read without error as a Kubernetes quantity.

    The owner's spelling is kept where it is one: a percent sign goes, numbers and what is longer
    than a line become canonical.
    """
    text = value.strip().removesuffix("%").rstrip() if isinstance(value, str) else ""
    if text and len(text) <= _SHOWN_CHARS:
        return text
    return format_quantity(parse_quantity(text or value))  # type: ignore[arg-type]


def allowed_text(field: Field) -> str:
    """Return what is allowed for a field, for messages and documentation."""
    render = _ALLOWED.get(field.kind)
    return f"a {field.kind}" if render is None else render(field)


def default_text(field: Field) -> str:
    """Return the default of a field as users would write it; empty where it has none."""
    if field.default_text or field.default is None:
        return field.default_text
    if isinstance(field.default, bool):
        return "true" if field.default else "false"
    if field.kind is Kind.DURATION and isinstance(field.default, int):
        return format_duration(field.default)
    if isinstance(field.default, int | float):
        return _plain(field.default)
    return str(field.default)


def _range(field: Field, render: Callable[[float], str]) -> str:
    if field.lowest is not None and field.highest is not None:
        if field.is_open:
            return f"above {render(field.lowest)} and below {render(field.highest)}"
        return f"from {render(field.lowest)} to {render(field.highest)}"
    if field.lowest is not None:
        return f"{'above' if field.is_open else 'from'} {render(field.lowest)}"
    return ""


def _percent(value: float) -> str:
    return f"{value * 100:g}%"


def _plain(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:g}"


_EXAMPLES = {"TFLOPS": "12 or 1500m", "%": "50 or 12.5", "bytes": "4Gi or 512Mi"}
"""Of quantities, by unit."""
_ALLOWED: dict[Kind, Callable[[Field], str]] = {
    Kind.SHARE: lambda field: f"a share {_range(field, _percent)}, such as 0.1, 10 or 10%",
    Kind.BUFFER_RATIO: lambda field: (
        "a ratio from 0 to below 1 or a percentage that is added (0.15, 15%), or a factor "
        f"from 1 to {field.highest:g} (1.15); a bare 15 would multiply by 15"
    ),
    Kind.MULTIPLE: lambda field: f"a plain number {_range(field, _plain)}",
    Kind.DURATION: lambda field: (
        f"a duration {_range(field, format_duration)}, such as 90s, 5m, 1h30m or 2d"
    ),
    Kind.QUANTITY: lambda field: (
        f"a quantity of {field.unit} {_range(field, _plain)}, such as {_EXAMPLES[field.unit]}"
    ),
    Kind.INTEGER: lambda field: f"a whole number {_range(field, _plain)}",
    Kind.BOOLEAN: lambda _: "true or false",
    Kind.TEXT: lambda _: "a text",
    Kind.ENUM: lambda field: ", ".join(field.choices),
    Kind.OBJECT: lambda _: "a mapping",
    Kind.LIST: lambda _: "a list of mappings",
    Kind.AMOUNTS: lambda _: "a mapping with the keys tflops, compute and vram",
    Kind.URL: lambda _: "an http:// or https:// address without user name and password",
}


def _refuse(field: Field, value: object, path: str) -> NoReturn:
    raise InvalidValueError(path, shown(value), allowed_text(field))


def _check_range(field: Field, number: Decimal | float, value: object, path: str) -> None:
    low, high = field.lowest, field.highest
    if field.is_open:
        is_inside = (low is None or number > low) and (high is None or number < high)
    else:
        is_inside = (low is None or number >= low) and (high is None or number <= high)
    if not is_inside:
        _refuse(field, value, path)


def _number(field: Field, value: object, path: str) -> tuple[Decimal, bool]:
    """Return the number as written, and whether a percent sign follows it."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        _refuse(field, value, path)
    if isinstance(value, int) and abs(value) > _LARGEST_PLAIN_INTEGER:
        _refuse(field, value, path)
    match = _NUMBER.fullmatch(str(value).strip())
    if match is None:
        _refuse(field, value, path)
    number = Decimal(match[1])
    if number and abs(number.adjusted()) > _LARGEST_ADJUSTED:
        _refuse(field, value, path)
    return number, match[2] == "%"


def _share(field: Field, value: object, path: str) -> float:
    number, is_percent = _number(field, value, path)
    share = number / 100 if is_percent or number > 1 else number
    share_ratio = float(share)
    _check_range(field, share_ratio, value, path)
    return share_ratio


def _buffer(field: Field, value: object, path: str) -> Buffer:
    number, is_percent = _number(field, value, path)
    if number < 0:
        _refuse(field, value, path)
    if is_percent:
        number = 1 + number / 100
    elif number < 1:
        number = 1 + number
    _check_range(field, number, value, path)
    return Buffer(float(number))


def _multiple(field: Field, value: object, path: str) -> float:
    number, is_percent = _number(field, value, path)
    if is_percent:
        _refuse(field, value, path)
    multiple = float(number)
    _check_range(field, multiple, value, path)
    return multiple


def _duration_s(field: Field, value: object, path: str) -> int:
    text = value.strip() if isinstance(value, str) else value
    try:
        seconds = parse_duration_s(text, path)  # type: ignore[arg-type]
    except InvalidValueError as error:
        raise InvalidValueError(path, shown(value), allowed_text(field)) from error
    _check_range(field, seconds, value, path)
    return math.ceil(seconds)


def _quantity(field: Field, value: object, path: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        _refuse(field, value, path)
    text = value.strip() if isinstance(value, str) else value
    if field.unit == "%" and isinstance(text, str):
        text = text.removesuffix("%").rstrip()
    try:
        number = parse_quantity(text, path)
    except (InvalidValueError, ValueError) as error:
        raise InvalidValueError(path, shown(value), allowed_text(field)) from error
    amount = float(number)
    _check_range(field, amount, value, path)
    return amount


def _integer(field: Field, value: object, path: str) -> int:
    number, is_percent = _number(field, value, path)
    if is_percent or number != number.to_integral_value():
        _refuse(field, value, path)
    _check_range(field, number, value, path)
    return int(number)


def _boolean(field: Field, value: object, path: str) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in {"true", "false"}:
        return value.strip().lower() == "true"
    _refuse(field, value, path)


def _text(field: Field, value: object, path: str) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        _refuse(field, value, path)
    if isinstance(value, int) and abs(value) > _LARGEST_PLAIN_INTEGER:
        _refuse(field, value, path)
    text = str(value).strip()
    if not text.isprintable():
        # It comes into tables, pages and patches.
        raise InvalidValueError(path, shown(value), "a text of letters that can be printed")
    return text


def _enum(field: Field, value: object, path: str) -> str:
    if isinstance(value, str):
        word = value.strip().lower()
        word = dict(field.synonyms).get(word, word)
        if word in field.choices:
            return word
    _refuse(field, value, path)


def _url(field: Field, value: object, path: str) -> str:
    text = value.strip() if isinstance(value, str) else ""
    try:
        parts = urlsplit(text)
        is_usable = parts.scheme in {"http", "https"} and bool(parts.hostname)
        is_usable = is_usable and parts.username is None and parts.password is None
        is_usable = is_usable and (parts.port is None or parts.port > 0)
    except ValueError:
        is_usable = False
    if not is_usable or not text.isprintable() or any(map(str.isspace, text)):
        _refuse(field, value, path)
    return text


_READERS: dict[Kind, Callable[[Field, object, str], object]] = {
    Kind.SHARE: _share,
    Kind.BUFFER_RATIO: _buffer,
    Kind.MULTIPLE: _multiple,
    Kind.DURATION: _duration_s,
    Kind.QUANTITY: _quantity,
    Kind.INTEGER: _integer,
    Kind.BOOLEAN: _boolean,
    Kind.TEXT: _text,
    Kind.URL: _url,
    Kind.ENUM: _enum,
}
