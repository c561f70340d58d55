"""Looks at files together: each may refer to what another one holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autoscaler.checking.files import templates
from autoscaler.checking.files.documents import Document, read_documents
from autoscaler.checking.files.input_files import InputFile
from autoscaler.checking.files.objects import has_shape, is_ours, object_problems
from autoscaler.checking.files.plain import (
    Plain,
    config_problems,
    plain_kind,
    settings_problems,
    workloads_problems,
)
from autoscaler.checking.files.problem import FileProblem, Place, placed
from autoscaler.checking.files.snapshot import FilesSnapshot
from autoscaler.kube.resource import WORKLOAD_PROFILES
from autoscaler.scaling.cards import GpuModels
from recommender.errors import Problem

Found = Iterator[tuple[Place, Problem]]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedFiles:
    """What a look at files found."""

    problems: tuple[FileProblem, ...]
    """In the order of the files, and within a file by place."""
    looked_at: tuple[str, ...]
    """Files with something of ours, or with a fault."""
    passed_over: tuple[str, ...]
    """Files that hold nothing of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """One file as it was read."""

    file: InputFile
    documents: tuple[Document, ...] = ()
    problems: tuple[tuple[Place, Problem], ...] = ()


def check_files(files: Iterable[InputFile], models: GpuModels) -> CheckedFiles:
    """Return every problem of every file."""
    read = [_read(file) for file in files]
    objects = [
        document.value
        for each in read
        for document in each.documents
        if isinstance(document.value, Mapping) and has_shape(document.value)
    ]
    look = _Look(FilesSnapshot(objects), _profiles(objects), models)
    problems: list[FileProblem] = []
    looked_at: list[str] = []
    passed_over: list[str] = []
    for each in read:
        name = each.file.name
        if not look.concerns(each):
            passed_over.append(name)
            continue
        looked_at.append(name)
        # What an alias repeats is told once.
        found = (*each.problems, *look.problems(each))
        problems += sorted({placed(name, place, problem) for place, problem in found})
    return CheckedFiles(
        problems=tuple(problems), looked_at=tuple(looked_at), passed_over=tuple(passed_over)
    )


def _read(file: InputFile) -> _Read:
    if file.problem:
        return _Read(file=file, problems=((Place(1, 1), Problem("", file.problem)),))
    if _is_csv(file):
        return _Read(file=file)
    found = read_documents(file.text)
    return _Read(file=file, documents=found.documents, problems=found.problems)


def _is_csv(file: InputFile) -> bool:
    return file.path.suffix.lower() == ".csv"


def _profiles(objects: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], Mapping[str, Any]]:
    profiles = (obj for obj in objects if obj.get("kind") == WORKLOAD_PROFILES.kind)
    return {
        (str(obj["metadata"].get("namespace") or ""), obj["metadata"]["name"]): obj.get("spec", {})
        for obj in profiles
    }


@dataclass(frozen=True, slots=True)
class _Look:
    """A look at single files, with what all of them hold."""

    snapshot: FilesSnapshot
    profiles: Mapping[tuple[str, str], Mapping[str, Any]]
    models: GpuModels

    def concerns(self, read: _Read) -> bool:
        """Return whether a file has something of ours, or cannot be read."""
        has_error = any(not problem.is_warning for _, problem in read.problems)
        return has_error or _is_csv(read.file) or any(map(_is_looked_at, read.documents))

    def problems(self, read: _Read) -> Found:
        """Yield what is wrong with the contents of a file, each with its place."""
        if _is_csv(read.file) and not read.file.problem:
            yield from self._workloads(read.file, None)
        for document in filter(_is_looked_at, read.documents):
            if plain_kind(document.value) is Plain.WORKLOADS and not _has_kind(document.value):
                yield from self._workloads(read.file, document)
                continue
            for problem in self._document(document, read.file.name):
                yield document.place(problem.path), problem

    def _workloads(self, file: InputFile, document: Document | None) -> Found:
        return workloads_problems(file.text, file.path, document, self.profiles, self.models)

    def _document(self, document: Document, file: str) -> Iterable[Problem]:
        value = document.value
        if _has_kind(value):
            if is_ours(value):
                return object_problems(value, self.snapshot)
            return templates.template_problems(value["kind"], value, self.snapshot)
        if plain_kind(value) is Plain.SETTINGS:
            return settings_problems(document, file)
        return config_problems(document)


def _has_kind(value: object) -> bool:
    return isinstance(value, Mapping) and bool({"kind", "apiVersion"} & value.keys())


def _is_looked_at(document: Document) -> bool:
    value = document.value
    if not _has_kind(value):
        return plain_kind(value) is not None
    if is_ours(value):
        return True
    kind = value.get("kind")
    return kind in templates.KINDS and templates.concerns_us(kind, value)
