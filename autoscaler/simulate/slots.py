"""The table of device slots: one row for each device of each running worker."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from recommender.observation import Bools, Floats, Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """Columns of ``[D]`` slots; amounts ``[D, 2]`` are (TFLOPS, VRAM bytes).

    What belongs to the worker is repeated for each of its devices.  ``resident`` is the only
    column that is written in place, as time passes.
    """

    series: Ints
    """Row of the label table."""
    workload: Ints
    worker: Ints
    """Number of the worker within its workload; never given out twice."""
    device: Ints
    card: Ints
    qos: Ints
    started_s: Ints
    ready_s: Ints
    request: Floats
    limit: Floats
    resident: Floats
    """VRAM in use."""
    opaque_bytes: Floats
    """What an opaque allocator took at its start; NaN: the allocator follows the load."""

    def __len__(self) -> int:
        return len(self.series)

    def where(self, mask: Bools) -> Slots:
        """Return some slots."""
        return Slots(**{item.name: getattr(self, item.name)[mask] for item in fields(self)})

    def with_more(self, other: Slots) -> Slots:
        """Return these slots, and others behind them."""
        return Slots(
            **{
                item.name: np.concatenate([getattr(self, item.name), getattr(other, item.name)])
                for item in fields(self)
            }
        )

    def started_anew(self, mask: Bools, now_s: int, ready_s: Ints, opaque_bytes: Floats) -> Slots:
        """Return the slots with some workers started again: empty, not ready."""
        return replace(
            self,
            started_s=np.where(mask, now_s, self.started_s),
            ready_s=np.where(mask, ready_s, self.ready_s),
            resident=np.where(mask, 0.0, self.resident),
            opaque_bytes=np.where(mask, opaque_bytes, self.opaque_bytes),
        )

    def with_amount(self, kind: str, column: int, mask: Bools, value: float) -> Slots:
        """Return the slots with one ``request`` or ``limit`` set."""
        table = getattr(self, kind).copy()
        table[mask, column] = value
        return replace(self, **{kind: table})


def no_slots() -> Slots:
    """Return an empty table."""
    none, amounts = np.empty(0, np.int64), np.empty((0, 2))
    return Slots(
        series=none,
        workload=none,
        worker=none,
        device=none,
        card=none,
        qos=none,
        started_s=none,
        ready_s=none,
        request=amounts,
        limit=amounts,
        resident=np.empty(0),
        opaque_bytes=np.empty(0),
    )
