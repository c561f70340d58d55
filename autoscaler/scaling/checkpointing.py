"""Checkpoints of the loop: usage model, decision state, history and reading positions as bytes.

Sealed, without pickled objects.  A checkpoint that is damaged or of another version is refused; the
usage model is then built from the source again.  Of forecasts it holds what they have learned and
what their models are trained on, never a model; where these do not fit, forecasts begin anew.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from autoscaler.scaling.collect.collecting import Position
from autoscaler.scaling.observing import FleetState
from recommender.errors import CheckpointError
from recommender.forecast.checkpoint import forecasts_to_arrays, restore_forecasts
from recommender.report.blocks import HistoryEntry
from recommender.state import DecisionState
from recommender.usage.archive import packed, unpacked
from recommender.usage.checkpoint import model_from_bytes, model_to_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from recommender.resources import Resource
    from recommender.usage.model import UsageModel

VERSION = 4
_MAGIC = b"tfa-state\0"
_STATE, _FORECASTS = "state.", "forecasts."


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Everything that the loop needs to go on where it was."""

    model: UsageModel
    fleet: FleetState | None
    position: Position
    ticked_s: Mapping[int, int]
    """Layer to the time of its last tick."""
    history: Mapping[tuple[str, str], tuple[HistoryEntry, ...]]
    forgotten: str = ""
    """Why what forecasts had learned could not be read; empty: it was."""


def to_bytes(checkpoint: Checkpoint) -> bytes:
    """Return a checkpoint as bytes."""
    fleet = checkpoint.fleet
    learned, arrays = forecasts_to_arrays(checkpoint.model.forecasts)
    header = {
        "version": VERSION,
        "keys": None if fleet is None else fleet.keys,
        "position": asdict(checkpoint.position),
        "ticked_s": list(checkpoint.ticked_s.items()),
        "history": [
            (key, [asdict(entry) for entry in entries])
            for key, entries in checkpoint.history.items()
        ],
        "forecasts": learned,
    }
    columns = {"model": np.frombuffer(model_to_bytes(checkpoint.model), np.uint8)}
    if fleet is not None:
        for item in fields(DecisionState):
            columns[_STATE + item.name] = getattr(fleet.state, item.name)
    columns |= {_FORECASTS + name: array for name, array in arrays.items()}
    return packed(_MAGIC, orjson.dumps(header, option=orjson.OPT_SERIALIZE_NUMPY), columns)


def from_bytes(data: bytes, resources: Sequence[Resource]) -> Checkpoint:
    """Return the checkpoint of a loop that sizes ``resources``.

    Raises ``CheckpointError`` for damage, another version and other resources.
    """
    text, columns = unpacked(_MAGIC, data, "this program, or of one before version 2")
    header = orjson.loads(text)
    if header.get("version") != VERSION:
        raise CheckpointError(
            f"checkpoint version {header.get('version')!r} cannot be read; this is {VERSION}"
        )
    try:
        model = model_from_bytes(columns.pop("model").tobytes(), resources)
        forgotten = _restore_forecasts(model, header["forecasts"], columns)
        return Checkpoint(
            model=model,
            fleet=_fleet(header["keys"], columns),
            position=Position(**header["position"]),
            ticked_s=dict(header["ticked_s"]),
            history={
                tuple(key): tuple(HistoryEntry(**entry) for entry in entries)
                for key, entries in header["history"]
            },
            forgotten=forgotten,
        )
    except (KeyError, TypeError) as error:
        raise CheckpointError(f"the checkpoint lacks a part: {error}") from error


def _restore_forecasts(
    model: UsageModel, header: Mapping[str, Any], columns: Mapping[str, Any]
) -> str:
    """Let the forecasts of a model go on; return why they begin anew, empty if they do not."""
    arrays = {
        name.removeprefix(_FORECASTS): array
        for name, array in columns.items()
        if name.startswith(_FORECASTS)
    }
    try:
        restore_forecasts(model.forecasts, header, arrays)
    except CheckpointError as error:
        return str(error)
    return ""


def _fleet(keys: list[list[str]] | None, columns: Mapping[str, Any]) -> FleetState | None:
    if keys is None:
        return None
    state = DecisionState(**{f.name: columns[_STATE + f.name] for f in fields(DecisionState)})
    return FleetState(tuple((key[0], key[1], key[2]) for key in keys), state)
