"""WorkloadProfile manifests from YAML text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from recommender.errors import Problem

KIND = "WorkloadProfile"
GROUP = "tensor-fusion.ai/"
ProfileKey = tuple[str, str]
"""(namespace, name); the namespace is empty where the manifest names none."""


def read_profiles(
    text: str, origin: str
) -> tuple[dict[ProfileKey, Mapping[str, object]], tuple[Problem, ...]]:
    """Return the ``spec`` of every WorkloadProfile in a YAML text, and all problems.

    The text may hold several documents and ``List`` objects; other kinds are passed over.
    ``origin`` (a file's name) starts the paths of problems.  Nothing is raised for user input.
    """
    profiles: dict[ProfileKey, Mapping[str, object]] = {}
    problems: list[Problem] = []
    for where, document in _documents(text, origin, problems):
        if not isinstance(document, Mapping):
            message = f"a {type(document).__name__} is no Kubernetes object; allowed: a mapping"
            problems.append(Problem(where, message))
            continue
        if document.get("kind") != KIND or not _is_ours(document):
            continue
        metadata, spec = document.get("metadata") or {}, document.get("spec") or {}
        name = metadata.get("name") if isinstance(metadata, Mapping) else None
        if not isinstance(name, str) or not name:
            problems.append(Problem(f"{where} metadata.name", "a WorkloadProfile needs a name"))
        elif not isinstance(spec, Mapping):
            problems.append(Problem(f"{where} spec", f"{spec!r} is not valid; allowed: a mapping"))
        else:
            key = (str(metadata.get("namespace") or ""), name)
            if key in profiles:
                full = "/".join(part for part in key if part)
                message = f"{full} is defined twice; the last definition counts"
                problems.append(Problem(where, message))
            profiles[key] = spec
    return profiles, tuple(problems)


def find_profile(
    profiles: Mapping[ProfileKey, Mapping[str, object]], namespace: str, name: str
) -> tuple[str, Mapping[str, object]] | None:
    """Return (``namespace/name``, spec) of the profile that a workload means; None: not there.

    A manifest without a namespace serves every namespace that has none of that name.
    """
    for key in ((namespace, name), ("", name)):
        if key in profiles:
            return "/".join(part for part in key if part), profiles[key]
    return None


def _documents(text: str, origin: str, problems: list[Problem]) -> Iterator[tuple[str, object]]:
    import yaml

    try:
        documents = list(yaml.safe_load_all(text))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"{origin}:{mark.line + 1}:{mark.column + 1}" if mark else origin
        problems.append(Problem(where, f"is no YAML: {error.problem or error.context}"))
        return
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        problems.append(Problem(origin, f"is no YAML: {error}"))
        return
    for i, document in enumerate(documents):
        where = f"{origin} document {i + 1}"
        if isinstance(document, Mapping) and document.get("kind") == "List":
            items = document.get("items")
            for j, item in enumerate(items if isinstance(items, list) else []):
                yield f"{where} items[{j}]", item
        elif document is not None:
            yield where, document


def _is_ours(document: Mapping[str, object]) -> bool:
    return str(document.get("apiVersion", GROUP)).startswith(GROUP)
