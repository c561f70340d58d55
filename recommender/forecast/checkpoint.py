"""What forecasts have learned, as arrays, and back.

It is a cache of a cache: where it does not fit (other experts, another layout), forecasts begin
anew with what the usage model knows, and nothing else is lost.  Models are not kept, but the
tables that they are trained on.
"""

from __future__ import annotations

from collections import deque
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from recommender.decision import Layer
from recommender.errors import CheckpointError
from recommender.forecast.asked import Asked, StreamKey
from recommender.forecast.forecaster import EXPERTS, Forecast, Made
from recommender.forecast.in_force import InForce
from recommender.forecast.use import ClosedMinutes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from recommender.forecast.examples import Examples
    from recommender.forecast.fleet_forecasts import FleetForecasts
    from recommender.forecast.stream import Stream

VERSION = 11
Arrays = dict[str, NDArray[Any]]


def forecasts_to_arrays(forecasts: FleetForecasts) -> tuple[dict[str, Any], Arrays]:
    """Return a header (plain data) and arrays by name."""
    streams: list[dict[str, Any]] = []
    arrays: Arrays = {}
    for number, (key, stream) in enumerate(forecasts.streams.items()):
        if stream.asked is None:
            continue
        prefix = f"{number}/"
        streams.append({"key": list(key), "prefix": prefix, **_counters(stream)})
        arrays |= {prefix + name: array for name, array in _arrays_of(stream)}
    return {"version": VERSION, "experts": list(EXPERTS), "streams": streams}, arrays


def restore_forecasts(
    forecasts: FleetForecasts, header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]
) -> None:
    """Let ``forecasts``, which are empty, go on from what ``forecasts_to_arrays`` returned.

    Raises ``CheckpointError`` where it does not fit; the forecasts are then as good as empty.
    """
    if header.get("version") != VERSION or header.get("experts") != list(EXPERTS):
        raise CheckpointError("forecasts of another version: they begin anew")
    try:
        for saved in header["streams"]:
            layer, resource, ahead_s = saved["key"]
            key = StreamKey(Layer(layer), int(resource), int(ahead_s))
            _restore(forecasts.opened(key), saved, saved["prefix"], arrays)
        forecasts.group_restored()
    except (KeyError, ValueError, IndexError) as error:
        forecasts.streams.clear()
        raise CheckpointError(f"forecasts lack a part: {error}") from error


def _counters(stream: Stream) -> dict[str, Any]:
    forecaster = stream.forecaster
    return {
        "until_s": stream.until_s,
        "is_noted": stream.is_noted,
        "standing": forecaster.standing.blocks,
        "seasonal": forecaster.seasonal.block,
        "ridge": forecaster.ridge.block,
        "examples": forecaster.examples.block,
        "rows_per_block": forecaster.examples.rows_per_block,
        "example_rows": [len(outcome) for _, outcome in forecaster.examples.blocks],
        "fleet": [
            stream.control.fleet_asked,
            stream.control.fleet_above,
            stream.control.fleet_expected,
            stream.control.fleet_violated,
        ],
        "made": len(forecaster.made),
        "windows": len(stream.windows),
        "minutes": len(stream.minutes),
        "has_current": stream.current is not None,
    }


def _arrays_of(stream: Stream) -> Iterator[tuple[str, NDArray[Any]]]:
    yield "rows", stream.rows
    for name, part in _parts(stream):
        yield from ((f"{name}/{column}", array) for column, array in _columns(part))
    features, outcome = stream.forecaster.examples.table()
    yield "examples/features", features
    yield "examples/outcome", outcome


def _parts(stream: Stream) -> Iterator[tuple[str, object]]:
    """Yield what has arrays, with a name that is the same before and after."""
    forecaster = stream.forecaster
    yield from (
        ("standing", forecaster.standing),
        ("volatility", forecaster.volatility),
        ("seasonal", forecaster.seasonal),
        ("ridge", forecaster.ridge),
        ("losses", forecaster.losses),
        ("gates", forecaster.gates),
        ("widths", forecaster.widths),
        ("sketches", forecaster.sketches),
        ("control", stream.control),
        ("realised", stream.realised),
        ("asked", stream.asked),
    )
    if stream.current is not None:
        yield "current", stream.current
    for name, each in (
        ("made", forecaster.made),
        ("window", stream.windows),
        ("minutes", stream.minutes),
    ):
        yield from ((f"{name}{number}", part) for number, part in enumerate(each))


def _columns(part: object) -> Iterator[tuple[str, NDArray[Any]]]:
    assert is_dataclass(part)
    for item in fields(part):
        value = getattr(part, item.name)
        if isinstance(value, np.ndarray):
            yield item.name, value


def _restore(
    stream: Stream, saved: Mapping[str, Any], prefix: str, arrays: Mapping[str, NDArray[Any]]
) -> None:
    def read(kind: type[Any], name: str) -> Any:
        return kind(**{item.name: arrays[f"{prefix}{name}/{item.name}"] for item in fields(kind)})

    forecaster = stream.forecaster
    stream.rows = arrays[f"{prefix}rows"]
    stream.asked = read(Asked, "asked")
    stream.current = read(Forecast, "current") if saved["has_current"] else None
    forecaster.made = deque(read(Made, f"made{n}") for n in range(saved["made"]))
    stream.windows.extend(read(InForce, f"window{n}") for n in range(saved["windows"]))
    stream.minutes.extend(read(ClosedMinutes, f"minutes{n}") for n in range(saved["minutes"]))
    for name, part in _parts(stream):
        if name in _IN_PLACE:
            for column, _ in list(_columns(part)):
                setattr(part, column, arrays[f"{prefix}{name}/{column}"])
    stream.until_s, stream.is_noted = int(saved["until_s"]), bool(saved["is_noted"])
    forecaster.standing.blocks = int(saved["standing"])
    forecaster.seasonal.block = int(saved["seasonal"])
    forecaster.ridge.block = int(saved["ridge"])
    control = stream.control
    control.fleet_asked, control.fleet_above, *running = saved["fleet"]
    control.fleet_expected, control.fleet_violated = running
    _restore_examples(
        forecaster.examples,
        saved,
        arrays[f"{prefix}examples/features"],
        arrays[f"{prefix}examples/outcome"],
    )


def _restore_examples(
    examples: Examples,
    saved: Mapping[str, Any],
    features: NDArray[np.float32],
    outcome: NDArray[np.float64],
) -> None:
    ends = np.cumsum(saved["example_rows"], dtype=np.int64)[:-1]
    if saved["example_rows"]:
        parts = zip(np.split(features, ends), np.split(outcome, ends), strict=True)
        examples.blocks.extend(parts)
    examples.block = int(saved["examples"])
    examples.rows_per_block = int(saved["rows_per_block"])


_IN_PLACE = frozenset(
    {
        "standing",
        "volatility",
        "seasonal",
        "ridge",
        "losses",
        "gates",
        "widths",
        "sketches",
        "control",
        "realised",
    }
)
"""Parts that are there already, and take over arrays."""
