"""The tables of ``tfa agent top``, as text in columns, from documents of ``/api/node``.

Rates come from two documents; the first one has none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from autoscaler.printable import printable
from recommender.resources import GIB

Document = Mapping[str, Any]
UNKNOWN = "-"
NO_GPU = "The driver shows no GPU."
GPUS = (
    "GPU",
    "MODEL",
    "SHARED BY",
    "BUSY %",
    "GRANTED %",
    "VRAM GiB",
    "OF GiB",
    "CELSIUS",
    "WATTS",
    "PROBLEM",
)
WORKERS = (
    "WORKER",
    "QOS",
    "GPU",
    "USE %",
    "SHARE %",
    "LIMIT TFLOPS",
    "VRAM GiB",
    "LIMIT GiB",
    "THROTTLED %",
    "LAUNCHES/s",
    "DENIED",
    "UNACCOUNTED %",
)
"""Words as in the metrics.  THROTTLED: part of the time in which launches waited."""


def render_text(now: Document, before: Document | None = None) -> str:
    """Return GPUs, workers, and the pods that are not served with the reason of each."""
    index_of = {gpu["uuid"]: str(gpu["index"]) for gpu in now["gpus"]}
    earlier = {_key(row): row for row in before["workers"]} if before else {}
    elapsed_s = now["time"] - before["time"] if before else 0.0
    workers = [
        tuple(_worker(row, earlier.get(_key(row)), elapsed_s, index_of))
        for row in sorted(now["workers"], key=_key)
    ]
    lines = [
        f"node {printable(now['node'])}",
        "",
        *(_columns([GPUS, *map(tuple, map(_gpu, now["gpus"]))]) if now["gpus"] else [NO_GPU]),
        "",
        *(_columns([WORKERS, *workers]) if workers else ["No worker is served."]),
        *([""] if now["unserved"] else []),
        *(printable(f"not served: {pod}: {why}", " ") for pod, why in now["unserved"].items()),
    ]
    return "\n".join(lines) + "\n"


def _gpu(gpu: Document) -> Iterator[str]:
    yield str(gpu["index"])
    yield gpu["gpuModel"]
    yield gpu["sharedBy"] or UNKNOWN
    yield _number(gpu["busyPercent"])
    yield _percent(gpu["grantedShare"])
    yield _gib(gpu["memoryBytes"])
    yield _gib(gpu["vramBytes"])
    yield _number(gpu["temperatureCelsius"])
    yield _number(gpu["powerWatts"])
    yield gpu["problem"]


def _worker(
    row: Document, earlier: Document | None, elapsed_s: float, index_of: Mapping[str, str]
) -> Iterator[str]:
    yield f"{row['namespace']}/{row['worker']}"
    yield row["qos"]
    yield index_of.get(row["uuid"], row["uuid"])
    yield _percent(row["computeShare"])
    yield _percent(row["effectiveShare"])
    yield _number(row["tflopsLimit"])
    yield _gib(row["memoryBytes"])
    yield _gib(row["vramLimitBytes"])
    yield _percent(_rate("throttledSeconds", row, earlier, elapsed_s))
    yield _number(_rate("launches", row, earlier, elapsed_s))
    yield _number(row["deniedAllocations"])
    yield _percent(row["unaccountedShare"])


def _columns(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    shown = [[printable(cell, " ") for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    for row in shown:
        yield "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()


def _rate(name: str, row: Document, earlier: Document | None, elapsed_s: float) -> float | None:
    if earlier is None or elapsed_s <= 0 or row[name] is None or earlier[name] is None:
        return None
    return max(float(row[name]) - float(earlier[name]), 0.0) / elapsed_s


def _key(row: Document) -> tuple[str, str, str]:
    return row["namespace"], row["worker"], row["uuid"]


def _percent(share: float | None) -> str:
    return UNKNOWN if share is None else f"{100.0 * share:.1f}"


def _gib(amount: float | None) -> str:
    return UNKNOWN if amount is None else f"{amount / GIB:.1f}"


def _number(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.0f}"
