"""Results: to stdout, or to files that appear whole or not at all.

Nothing else writes to stdout.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from uuid import uuid4

from autoscaler.errors import AutoscalerError, UsageError


class Format(StrEnum):
    """Values of ``-o``."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    YAML = "yaml"
    CSV = "csv"
    MD = "md"
    HTML = "html"
    PATCH = "patch"
    KUSTOMIZE = "kustomize"
    JUNIT = "junit"


_SUFFIXES = {
    ".json": Format.JSON,
    ".jsonl": Format.JSONL,
    ".yaml": Format.YAML,
    ".yml": Format.YAML,
    ".csv": Format.CSV,
    ".md": Format.MD,
    ".html": Format.HTML,
    ".txt": Format.TABLE,
    ".xml": Format.JUNIT,
}

Rendered = str | Mapping[str, str]
"""One text, or the texts of a folder by file name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where one copy of the result goes; no path: stdout."""

    format: Format
    path: Path | None = None


def destinations(format_: Format | None, outs: list[str]) -> tuple[Destination, ...]:
    """Return where the result goes.

    ``FORMAT=PATH`` writes a copy beside the result.  A plain ``PATH`` takes the result in place of
    stdout, in the format of ``-o``, else in that of its suffix.  Raises ``UsageError``.
    """
    files = []
    is_taken = False
    for out in outs:
        name, equals, path = out.partition("=")
        if equals and name in set(Format):
            files.append(Destination(format=Format(name), path=_path(path, out)))
            continue
        path_alone = _path(out, out)
        suffix_format = _SUFFIXES.get(path_alone.suffix.lower(), Format.TABLE)
        files.append(Destination(format=format_ or suffix_format, path=path_alone))
        is_taken = True
    if not is_taken:
        files.insert(0, Destination(format=format_ or Format.TABLE))
    for file in files:
        _refuse_folder(file)
    return tuple(files)


def _refuse_folder(destination: Destination) -> None:
    """Refuse before the work what could not be written after it.  Raises ``UsageError``."""
    path = destination.path
    if path is not None and destination.format is not Format.KUSTOMIZE and path.is_dir():
        raise UsageError(
            f"--out: {path} is a folder; {destination.format} is written as one file, "
            f"only {Format.KUSTOMIZE} as a folder"
        )


def write(destination: Destination, rendered: Rendered) -> None:
    """Write one copy of the result.  Raises ``AutoscalerError`` when a file cannot be written."""
    if destination.path is None:
        assert isinstance(rendered, str)
        print_result(rendered)
    elif isinstance(rendered, str):
        write_file(destination.path, rendered)
    else:
        write_folder(destination.path, rendered)


def print_result(text: str) -> None:
    """Write to stdout; a reader that has gone away, or a closed stdout, is no error.

    Raises ``AutoscalerError`` when stdout is a file that cannot be written, such as on a full disk.
    """
    if sys.stdout is None:
        return
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        _discard_stdout()
    except OSError as error:
        _discard_stdout()
        raise AutoscalerError(f"stdout: cannot be written: {error.strerror}") from error


def _discard_stdout() -> None:
    """Let what is still buffered go nowhere: it would fail again when the interpreter ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def write_file(path: Path, text: str) -> None:
    """Write a file beside its place and rename it, so that no reader sees a part of it."""

    def fill(temporary: Path) -> None:
        temporary.write_text(text, encoding="utf-8")

    _appear(path, fill)


def write_folder(path: Path, files: Mapping[str, str]) -> None:
    """Write a folder as a whole; an earlier one is replaced when it holds nothing but such files.

    Raises ``UsageError`` when the folder has files that a report did not write.
    """
    if path.is_dir():
        others = sorted(item.name for item in path.iterdir() if item.suffix != ".yaml")
        if others or (any(path.iterdir()) and not (path / "kustomization.yaml").exists()):
            raise UsageError(
                f"{path}: not replaced, it holds other files ({', '.join(others[:3])})"
            )

    def fill(temporary: Path) -> None:
        temporary.mkdir()
        for name, text in files.items():
            (temporary / name).write_text(text, encoding="utf-8")

    _appear(path, fill)


def _appear(path: Path, fill: Callable[[Path], None]) -> None:
    temporary = path.with_name(f".{path.name}.{uuid4().hex[:8]}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            fill(temporary)
            if path.is_dir() and temporary.is_dir():
                shutil.rmtree(path)
            temporary.replace(path)
        except BaseException:
            _remove(temporary)
            raise
    except OSError as error:
        raise AutoscalerError(f"{path}: cannot be written: {error.strerror}") from error


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _path(text: str, out: str) -> Path:
    if not text:
        raise UsageError(f"--out: {out!r} names no file; allowed: FILE or FORMAT=FILE")
    return Path(text)
