"""Reads a file of recorded usage into a table, as it stands in the file.

Only the file format is dealt with here: CSV (also gzip) or Parquet, readable or not, which columns
it has.  What the rows mean, and which of them are usable, is ``usage_rows``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autoscaler.errors import InputError
from autoscaler.printable import printable

if TYPE_CHECKING:
    import pandas as pd

TIME, RESOURCE, VALUE = "ts", "resource", "value"
SERIES_ID = "series_id"
NAMES = ("namespace", "workload", "worker")
COLUMNS_HINT = (
    "a usage file has the columns ts, resource, value, and either series_id "
    "or namespace, workload, worker"
)
_PARQUET, _GZIP, _ZIP = b"PAR1", b"\x1f\x8b", b"PK\x03\x04"
_MISSING_NUMBERS = ["", "NaN", "nan", "NA", "N/A", "null", "None", "-nan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageTable:
    """The needed columns of one file; row ``i`` stands on line ``i + first_line``."""

    path: str
    frame: pd.DataFrame
    first_line: int
    place: str
    """What a place in the file is called: ``line`` of a CSV, ``row`` of a Parquet file."""
    ignored_columns: tuple[str, ...]

    @property
    def has_series_id(self) -> bool:
        """Whether workloads are named by ``series_id``."""
        return SERIES_ID in self.frame.columns

    def at(self, row: int) -> str:
        """Return where a row stands, for messages: ``line 17``."""
        return f"{self.place} {row + self.first_line}"


def read_usage_table(path: Path) -> UsageTable:
    """Read one file; the format is told by its first bytes, not by its name.

    Raises ``InputError``: unreadable, empty, no such format, or a column is missing.
    """
    head = _first_bytes(path)
    if head.startswith(_ZIP):
        raise InputError(f"{path}: this is a ZIP archive or a spreadsheet; {_formats()}")
    if head == _PARQUET:
        return _read_parquet(path)
    return _read_csv(path, is_gzip=head.startswith(_GZIP))


def _first_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            head = file.read(4)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    if not head:
        raise InputError(f"{path}: the file is empty; {COLUMNS_HINT}")
    return head


def _formats() -> str:
    return "recorded usage is CSV (plain or gzip) or Parquet"


def _read_csv(path: Path, *, is_gzip: bool) -> UsageTable:
    import zlib

    import pandas as pd

    options: dict[str, Any] = {
        "compression": "gzip" if is_gzip else None,
        "encoding": "utf-8-sig",
        "skip_blank_lines": False,
        "keep_default_na": False,
    }
    try:
        header = list(pd.read_csv(path, nrows=0, dtype=str, **options).columns)
        wanted, ignored = _chosen(path, header)
        texts = [name for column, name in wanted.items() if column not in {TIME, VALUE}]
        frame = pd.read_csv(
            path,
            dtype=dict.fromkeys(texts, "str"),
            na_values={wanted[VALUE]: _MISSING_NUMBERS, wanted[TIME]: [""]},
            low_memory=False,
            **options,
        )
    except pd.errors.EmptyDataError as error:
        raise InputError(f"{path}: the file is empty; {COLUMNS_HINT}") from error
    except pd.errors.ParserError as error:
        raise InputError(f"{path}: not a regular CSV: {str(error).strip()}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text ({error.reason}); {_formats()}") from error
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    if not isinstance(frame.index, pd.RangeIndex):
        raise InputError(
            f"{path}: rows have more cells than the header has columns; "
            "a number needs a decimal point, not a comma"
        )
    frame = frame[list(wanted.values())]
    frame = frame.rename(columns={name: column for column, name in wanted.items()})
    return UsageTable(
        path=str(path), frame=frame, first_line=2, place="line", ignored_columns=ignored
    )


def _read_parquet(path: Path) -> UsageTable:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise InputError(
            f"{path}: Parquet needs pyarrow: install tensor-fusion-autoscaler[parquet], "
            "or give the usage as CSV"
        ) from error
    try:
        file = pq.ParquetFile(path)
        wanted, ignored = _chosen(path, list(file.schema_arrow.names))
        # an index that pandas wrote is a column like others
        frame = file.read(columns=list(wanted.values())).to_pandas(ignore_metadata=True)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path}: not a readable Parquet file: {error}") from error
    frame = frame.rename(columns={name: column for column, name in wanted.items()})
    return UsageTable(
        path=str(path), frame=frame, first_line=1, place="row", ignored_columns=ignored
    )


def _chosen(path: Path, found: list[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return needed column -> its name in the file, and the names of all other columns."""
    by_name = {str(name).strip().lower(): str(name) for name in found}
    names = (SERIES_ID,) if SERIES_ID in by_name else NAMES
    needed = (TIME, RESOURCE, VALUE, *names)
    missing = [column for column in needed if column not in by_name]
    if missing:
        shown = ", ".join(printable(str(name)) for name in found[:20])
        hint = ""
        if len(found) == 1 and any(mark in shown for mark in ";\t|"):
            hint = "; columns must be separated by commas"
        raise InputError(
            f"{path}: no column {', '.join(missing)} (found: {shown}{hint}); {COLUMNS_HINT}"
        )
    wanted = {column: by_name[column] for column in needed}
    used = set(wanted.values())
    return wanted, tuple(str(name) for name in found if str(name) not in used)
