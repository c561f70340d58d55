"""Which workloads a back-test replays: all, those of some namespaces, or some by name."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from autoscaler.cli.explain_run import names_like
from autoscaler.errors import UsageError

WILDCARDS = "*?["


def selected_rows(
    keys: Sequence[tuple[str, str]], *, namespaces: Sequence[str], workloads: Sequence[str]
) -> list[int]:
    """Return the indices of the (namespace, workload) keys that are wanted, in their order.

    ``namespaces`` are globs, ``workloads`` names or globs of ``namespace/name``, where ``default``
    is the namespace of a name without one; both must hold, and no value keeps everything.  Raises
    ``UsageError`` that names every value which matches nothing, with names like it.
    """
    names = ["/".join(key) for key in keys]
    known_namespaces = sorted({namespace for namespace, _ in keys})
    problems = [
        f"--namespace: {glob!r} matches no measured namespace; {names_like(glob, known_namespaces)}"
        for glob in namespaces
        if not any(fnmatchcase(name, glob) for name in known_namespaces)
    ]
    wanted: set[str] = set()
    for text in workloads:
        matched = _matching(text, names)
        if not matched:
            problems.append(f"--workload: no measured workload {text!r}; {names_like(text, names)}")
        wanted.update(matched)
    if problems:
        raise UsageError("\n".join(problems))
    rows = [
        row
        for row, (namespace, _) in enumerate(keys)
        if (not namespaces or any(fnmatchcase(namespace, glob) for glob in namespaces))
        and (not workloads or names[row] in wanted)
    ]
    if not rows:
        raise UsageError(
            f"no workload is in --namespace {', '.join(namespaces)} and named "
            f"{', '.join(workloads)}; allowed: choices that have a workload in common"
        )
    return rows


def _matching(text: str, names: Sequence[str]) -> list[str]:
    """Return the names that a text means; a name that is there means itself, whatever is in it."""
    full = text if "/" in text else f"default/{text}"
    if full in names:
        return [full]
    if not any(mark in full for mark in WILDCARDS):
        return []
    return [name for name in names if fnmatchcase(name, full)]
