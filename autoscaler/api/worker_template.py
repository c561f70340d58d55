"""What a user may say about the worker pods of a workload: a list of fields that are allowed.

Worker pods are made by the controller, whose rights are not the user's, so that a template may
place and label a pod and never give it volumes, images or privileges.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from autoscaler.api.injection import VARIABLES
from autoscaler.api.names import PREFIX
from recommender.errors import Problem
from recommender.policy.values import shown

_FIELDS: Mapping[str, frozenset[str]] = {
    "": frozenset({"metadata", "spec"}),
    "metadata": frozenset({"labels", "annotations"}),
    "spec": frozenset(
        {
            "affinity",
            "containers",
            "imagePullSecrets",
            "nodeSelector",
            "terminationGracePeriodSeconds",
            "tolerations",
            "topologySpreadConstraints",
        }
    ),
}
"""Path to the fields that may stand there."""
_CONTAINER = frozenset({"env", "name", "resources"})
_LOADER = "LD_"
"""Prefix of the variables that tell the dynamic loader what to put into a program."""
_MOST_CONTAINERS = 8
_MOST_LEVELS, _MOST_VALUES, _MOST_BRACKETS = 20, 500, 100
"""Of a text, so that it is read in milliseconds."""


def read_template(text: str, path: str) -> tuple[Mapping[str, Any] | None, tuple[Problem, ...]]:
    """Return the template that a text (YAML) holds at ``path``, and no problems.

    None, and why, where it is no template or asks for too much.
    """
    import yaml

    allowed = "allowed: a pod template"
    try:
        problem = _costly(text)
        if problem:
            return None, (Problem(path, problem),)
        template = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" (line {mark.line + 1})" if mark else ""
        return None, (Problem(path, f"is no YAML: {error.problem}{where}; {allowed}"),)
    except (yaml.YAMLError, ValueError):
        return None, (Problem(path, f"is no YAML; {allowed}"),)
    problems = check_template(template, path)
    return (None, problems) if problems else (template, ())


def _costly(text: str) -> str:
    """Return why reading a text as YAML would cost much more than its length; empty: it does not.

    Aliases let few letters stand for gigabytes, and time grows with the square of the depth.
    """
    import yaml

    if text.count("[") + text.count("{") > _MOST_BRACKETS:
        return f"has more than {_MOST_BRACKETS} opening brackets; allowed: at most {_MOST_BRACKETS}"
    depth = 0
    for count, event in enumerate(yaml.parse(text, yaml.SafeLoader)):
        if isinstance(event, yaml.AliasEvent):
            return "uses aliases (*name); allowed: every value written out"
        if isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent) and event.tag:
            # Some of them make the reader fail in ways of its own.
            return f"uses tags ({shown(event.tag)}); allowed: values without"
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _MOST_LEVELS:
            return f"has more than {_MOST_LEVELS} levels; allowed: at most {_MOST_LEVELS}"
        if count > _MOST_VALUES:
            return f"has more than {_MOST_VALUES} values; allowed: at most {_MOST_VALUES}"
    return ""


def check_template(template: object, path: str) -> tuple[Problem, ...]:
    """Return what a template of worker pods must not say."""
    return tuple(_problems(template, path))


def _problems(template: object, path: str) -> Iterator[Problem]:
    if not isinstance(template, Mapping):
        yield Problem(
            path, f"{shown(template)!r} is not valid; allowed: a mapping of metadata and spec"
        )
        return
    yield from _unknown(template, path, _FIELDS[""])
    for part in ("metadata", "spec"):
        value = template.get(part)
        if isinstance(value, Mapping):
            yield from _unknown(value, f"{path}.{part}", _FIELDS[part])
            yield from (
                _ours(value, f"{path}.{part}")
                if part == "metadata"
                else _containers(value.get("containers"), f"{path}.{part}.containers")
            )
        elif value is not None:
            yield Problem(f"{path}.{part}", f"{shown(value)!r} is not valid; allowed: a mapping")


def _unknown(mapping: Mapping[Any, Any], path: str, allowed: frozenset[str]) -> Iterator[Problem]:
    for key in mapping:
        if key not in allowed:
            yield Problem(
                f"{path}.{shown(key)}", f"is not allowed; allowed: {', '.join(sorted(allowed))}"
            )


def _ours(metadata: Mapping[Any, Any], path: str) -> Iterator[Problem]:
    for part in ("labels", "annotations"):
        texts = metadata.get(part)
        for key in texts if isinstance(texts, Mapping) else ():
            if str(key).startswith(PREFIX):
                yield Problem(
                    f"{path}.{part}.{shown(key)}", "is written by the system alone; leave it out"
                )


def _containers(containers: object, path: str) -> Iterator[Problem]:
    if containers is None:
        return
    if not isinstance(containers, list) or len(containers) > _MOST_CONTAINERS:
        yield Problem(path, f"not valid; allowed: a list of at most {_MOST_CONTAINERS} containers")
        return
    for i, container in enumerate(containers):
        if isinstance(container, Mapping):
            yield from _unknown(container, f"{path}[{i}]", _CONTAINER)
            yield from _environment(container.get("env"), f"{path}[{i}].env")
        else:
            yield Problem(f"{path}[{i}]", f"{shown(container)!r} is not valid; allowed: a mapping")


def _environment(entries: object, path: str) -> Iterator[Problem]:
    """Keep templates from the variables that hold the limits and the GPUs of a worker."""
    ours = frozenset(variable.name for variable in VARIABLES)
    for entry in entries if isinstance(entries, list) else ():
        name = entry.get("name") if isinstance(entry, Mapping) else None
        if isinstance(name, str) and (name in ours or name.startswith(_LOADER)):
            yield Problem(path, f"{shown(name)} is set by the system alone; leave it out")
