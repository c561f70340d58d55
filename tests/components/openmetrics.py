"""Series as OpenMetrics text, and that text as blocks of a Prometheus database.

Written series after series, so memory holds one of them at a time, and without a Python object for
each character: ten million samples take seconds.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import orjson
from numpy.typing import NDArray

from tests.components.programs import find_program
from tests.components.worker_metrics import Kind

LONGEST_BLOCK = "486h"
"""The longest that a server makes itself, so it has nothing to merge later.  Each block costs one
pass over the text: with the default of two hours, two weeks cost 168 of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Samples of one label set, ordered by time."""

    labels: Mapping[str, str]
    ts_ms: NDArray[np.int64]
    value: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """All series of one name."""

    name: str
    kind: Kind
    series: Iterable[Series]


class OpenMetricsWriter:
    """Writes families into a file and counts their samples."""

    def __init__(self, file: BinaryIO) -> None:
        self.samples = 0
        self._file = file
        self._tails: tuple[NDArray[np.int64] | None, list[bytes]] = (None, [])

    def write(self, family: Family) -> None:
        """Write one family.  Raises ``ValueError`` for what no OpenMetrics text can say."""
        name = family.name
        if family.kind == "counter":
            name = name.removesuffix("_total")
            if name == family.name:
                raise ValueError(f"the counter {name} has to end with _total")
        self._file.write(f"# TYPE {name} {family.kind}\n".encode())
        for series in family.series:
            self._write_series(family.name, series)

    def end(self) -> None:
        """Write the line without which the text counts as cut."""
        self._file.write(b"# EOF\n")

    def _write_series(self, name: str, series: Series) -> None:
        count = len(series.ts_ms)
        if count != len(series.value) or (np.diff(series.ts_ms) <= 0).any():
            raise ValueError(
                f"{name}{dict(series.labels)}: one value for each of {count} rising stamps "
                f"is needed, not {len(series.value)}"
            )
        # Most series of a scrape share their stamps, so the text of the last ones is kept.
        if self._tails[0] is not series.ts_ms:
            self._tails = (series.ts_ms, stamp_texts(series.ts_ms))
        parts = [head_text(name, series.labels)] * (3 * count)
        parts[1::3] = value_texts(series.value)
        parts[2::3] = self._tails[1]
        self._file.write(b"".join(parts))
        self.samples += count


def write_openmetrics(path: Path, families: Iterable[Family]) -> int:
    """Write families as one OpenMetrics text; return how many samples it has."""
    with path.open("wb", buffering=2**20) as file:
        writer = OpenMetricsWriter(file)
        for family in families:
            writer.write(family)
        writer.end()
    return writer.samples


def blocks(openmetrics: Path, folder: Path) -> Path:
    """Make the blocks of a Prometheus database from a text; return their folder.

    Raises ``ValueError`` with what ``promtool`` said, and ``ProgramMissingError``.
    """
    promtool = find_program("promtool")
    command = [str(promtool), "tsdb", "create-blocks-from", "openmetrics", "--quiet"]
    command += [f"--max-block-duration={LONGEST_BLOCK}", str(openmetrics), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ValueError(f"promtool refused {openmetrics}: {done.stderr.strip()}")
    return folder


def head_text(name: str, labels: Mapping[str, str]) -> bytes:
    """Return what stands before the value: ``name{label="value"} `` with its blank."""
    pairs = ",".join(f'{label}="{_escaped(value)}"' for label, value in labels.items())
    return f"{name}{{{pairs}}} ".encode()


def value_texts(value: NDArray[np.float64]) -> list[bytes]:
    """Return the shortest text of each value; NaN and infinities in OpenMetrics' spelling."""
    if len(value) == 0:
        return []
    texts = orjson.dumps(np.ascontiguousarray(value), option=orjson.OPT_SERIALIZE_NUMPY)
    parts = texts[1:-1].split(b",")
    for at in np.flatnonzero(~np.isfinite(value)):
        parts[at] = b"NaN" if np.isnan(value[at]) else b"+Inf" if value[at] > 0 else b"-Inf"
    return parts


def stamp_texts(ts_ms: NDArray[np.int64]) -> list[bytes]:
    """Return what stands behind each value: a blank, the stamp in seconds, the end of the line."""
    seconds, ms = np.divmod(ts_ms, 1000)
    pairs = zip(seconds.tolist(), ms.tolist(), strict=True)
    return [(f" {s}.{rest:03d}\n" if rest else f" {s}\n").encode() for s, rest in pairs]


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
