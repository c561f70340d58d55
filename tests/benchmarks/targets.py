"""What a benchmark measured beside what it must reach, as a table and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One number; where it has a target, smaller is better."""

    what: str
    value: float
    unit: str
    target: float | None = None
    """None: shown for orientation, without a target."""

    @property
    def verdict(self) -> str:
        if self.target is None:
            return ""
        return "ok" if self.value <= self.target else "MISSED"


def as_text(rows: Sequence[Measured]) -> str:
    """Return aligned columns, one line per number."""
    cells = [("what", "measured", "target", "")]
    for row in rows:
        target = "" if row.target is None else f"<= {_number(row.target)} {row.unit}"
        cells.append((row.what, f"{_number(row.value)} {row.unit}", target, row.verdict))
    width = [max(len(line[i]) for line in cells) for i in range(4)]
    return "\n".join(
        f"{what:<{width[0]}}  {value:>{width[1]}}  {target:>{width[2]}}  {verdict}".rstrip()
        for what, value, target, verdict in cells
    )


def write_json(rows: Sequence[Measured], path: Path) -> None:
    """Write the same as a list of objects."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = [{**asdict(row), "verdict": row.verdict} for row in rows]
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _number(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
