"""The one WorkloadProfile of a file as a policy to compare with, its problems with their lines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from autoscaler.errors import InputError, UsageError
from autoscaler.sources.workloads_file import read_text
from recommender.errors import Problem
from recommender.policy.profiles import KIND, read_profiles
from recommender.policy.settings import Settings, read_settings

if TYPE_CHECKING:
    from yaml import MappingNode, Node

_CONFIG = "autoScalingConfig"
_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFile:
    """What one profile says of scaling."""

    path: Path
    profile: str
    """(namespace/)name."""
    settings: Settings
    others: tuple[str, ...]
    """What else the profile says; it is no part of a policy."""
    text: str

    def placed(self, problems: Iterable[Problem]) -> list[str]:
        """Return problems as lines that begin with the file and, where known, the line."""
        return [_placed(str(self.path), self.text, problem) for problem in problems]


def read_policy_file(path: Path) -> PolicyFile:
    """Read a file with one WorkloadProfile.

    Raises ``InputError`` when it cannot be read or holds another number of profiles, ``UsageError``
    with all problems of what is written.
    """
    text = read_text(path)
    profiles, problems = read_profiles(text, str(path))
    if problems:
        raise UsageError("\n".join(str(problem) for problem in problems))
    if len(profiles) != 1:
        names = ", ".join("/".join(filter(None, key)) for key in profiles)
        found = f"{len(profiles)} manifests of kind {KIND} ({names})" if profiles else f"no {KIND}"
        raise InputError(f"{path}: holds {found}; allowed: one of kind {KIND}")
    ((key, spec),) = profiles.items()
    name = "/".join(filter(None, key))
    if _CONFIG not in spec:
        raise InputError(f"{path}: profile {name} has no spec.{_CONFIG}; allowed: a mapping")
    file = PolicyFile(
        path=path,
        profile=name,
        settings=read_settings(spec[_CONFIG], path=f"spec.{_CONFIG}", source=f"profile {name}"),
        others=tuple(str(each) for each in spec if each != _CONFIG),
        text=text,
    )
    errors = [problem for problem in file.settings.problems if not problem.is_warning]
    if errors:
        raise UsageError("\n".join(file.placed(errors)))
    return file


def _placed(origin: str, text: str, problem: Problem) -> str:
    """Return a problem as text, with its line where that is known."""
    line = _line_of(text, problem.path)
    place = origin if line is None else f"{origin}:{line}"
    return f"{place}: {problem.refusal}"


def _line_of(text: str, path: str) -> int | None:
    """Return the line of a dotted path of the file's profile, or of what is nearest above it."""
    import yaml

    steps = [name or int(index) for name, index in _STEP.findall(path)]
    for document in yaml.compose_all(text, yaml.SafeLoader):
        node = _profile_node(document)
        if node is not None:
            return _descend(node, steps)
    return None


def _profile_node(document: Node | None) -> MappingNode | None:
    """Return the node of the profile in a document, which may be a ``List``."""
    import yaml

    if not isinstance(document, yaml.MappingNode):
        return None
    if _value(document, "kind") == KIND:
        return document
    for key, value in document.value:
        if key.value == "items" and isinstance(value, yaml.SequenceNode):
            found = [node for item in value.value if (node := _profile_node(item)) is not None]
            return found[0] if found else None
    return None


def _value(node: MappingNode, name: str) -> object:
    return next((value.value for key, value in node.value if key.value == name), None)


def _descend(node: Node, steps: Sequence[str | int]) -> int | None:
    import yaml

    line = None
    for step in steps:
        if isinstance(step, int):
            if not isinstance(node, yaml.SequenceNode) or step >= len(node.value):
                break
            node = node.value[step]
            line = node.start_mark.line + 1
            continue
        if not isinstance(node, yaml.MappingNode):
            break
        found = [(key, value) for key, value in node.value if key.value == step]
        if not found:
            break
        line, node = found[0][0].start_mark.line + 1, found[0][1]
    return line
