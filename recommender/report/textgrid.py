"""Columns of text for terminals: fitted by leaving out columns, never by cutting numbers."""

from __future__ import annotations

from collections.abc import Sequence

GAP = "  "
_ELLIPSIS = "…"


def grid(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return head and rows as aligned columns, without trailing blanks."""
    widths = [
        max(len(head), *(len(row[i]) for row in rows)) if rows else len(head)
        for i, head in enumerate(heads)
    ]
    return "".join(line(cells, widths) + "\n" for cells in (heads, *rows))


def line(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Return one aligned line."""
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return GAP.join(padded).rstrip()


def shortened(name: str, width: int) -> str:
    """Return a name cut in its middle to ``width`` characters, both ends readable."""
    if len(name) <= width:
        return name
    tail = (width - 1) // 2
    return name[: width - 1 - tail] + _ELLIPSIS + name[len(name) - tail :]
