"""The YAML documents of a text, as values and as nodes that know their places."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from autoscaler.checking.files.problem import Place
from recommender.errors import Problem
from recommender.policy.values import shown

_TIMESTAMP = "tag:yaml.org,2002:timestamp"
_ROOT = Place(1, 1)
_MOST_LEVELS = 200
"""Of a text, so that nothing that walks over it comes to the end of its stack."""


class _Loader(yaml.CSafeLoader):
    """Reads as the API server's clients do: what looks like a date stays a text."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - as in the base class
        letter: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
        for letter, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One document, or one object of a ``List``."""

    value: Any
    node: yaml.Node

    def place(self, path: str = "") -> Place:
        """Return where a path stands, as deep as it exists; of a key the key itself."""
        key, _ = _found(self.node, path)
        return _place(key)

    def items(self, path: str = "") -> tuple[Document, ...]:
        """Return the entries of the list at a path; none where it is no list."""
        value = self.value.get(path) if path and isinstance(self.value, dict) else self.value
        _, node = _found(self.node, path)
        if not isinstance(value, list) or not isinstance(node, yaml.SequenceNode):
            return ()
        return tuple(
            Document(value=item, node=part) for item, part in zip(value, node.value, strict=True)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Documents:
    """What a text holds, and what is wrong with it as YAML."""

    documents: tuple[Document, ...]
    problems: tuple[tuple[Place, Problem], ...]


def read_documents(text: str) -> Documents:
    """Return the documents of a text; where it is no YAML, there is none."""
    loader = _Loader(text)
    documents: list[Document] = []
    problems: list[tuple[Place, Problem]] = []
    try:
        _refuse_depth(text)
        while loader.check_node():
            node = loader.get_node()
            assert node is not None
            problems += _repeated_keys(node)
            # The value is made from the node, whose merged keys (<<) are then written out.
            value = loader.construct_document(node)
            if value is not None:
                documents += _objects(Document(value=value, node=node))
    except _DepthError as error:
        [place] = error.args
        problems.append((place, Problem("", f"has more than {_MOST_LEVELS} levels")))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = Place(mark.line + 1, mark.column + 1) if mark else _ROOT
        reason = " ".join(filter(None, (error.context, error.problem)))
        problems.append((place, Problem("", f"is no YAML: {reason}")))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        problems.append((_ROOT, Problem("", f"is no YAML: {' '.join(str(error).split())}")))
    finally:
        loader.dispose()
    return Documents(documents=tuple(documents), problems=tuple(problems))


class _DepthError(Exception):
    """A text of too many levels; where."""


def _refuse_depth(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, _Loader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _MOST_LEVELS:
            mark = event.start_mark
            raise _DepthError(Place(mark.line + 1, mark.column + 1) if mark else _ROOT)


def _objects(document: Document) -> tuple[Document, ...]:
    """Return the document alone, or the objects of a ``List``."""
    is_list = isinstance(document.value, dict) and document.value.get("kind") == "List"
    return document.items("items") if is_list else (document,)


def _repeated_keys(root: yaml.Node) -> Iterator[tuple[Place, Problem]]:
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting += node.value
        first: dict[str, yaml.Node] = {}
        for key, value in _entries(node):
            waiting.append(value)
            if key.value in first:
                line = _place(first[key.value]).line
                message = f"stands twice, first in line {line}; the last one counts"
                yield _place(key), Problem(str(shown(key.value)), message, is_warning=True)
            first.setdefault(key.value, key)


def _entries(node: yaml.Node) -> list[tuple[yaml.ScalarNode, yaml.Node]]:
    if not isinstance(node, yaml.MappingNode):
        return []
    return [(key, value) for key, value in node.value if isinstance(key, yaml.ScalarNode)]


def _found(node: yaml.Node, path: str) -> tuple[yaml.Node, yaml.Node]:
    """Return the key, or item, and the value of a path, as deep as it exists."""
    key = node
    while path:
        step = _step(node, path)
        if step is None:
            break
        key, node, path = step
    return key, node


def _place(node: yaml.Node) -> Place:
    return Place(node.start_mark.line + 1, node.start_mark.column + 1)


def _step(node: yaml.Node, path: str) -> tuple[yaml.Node, yaml.Node, str] | None:
    """Return the key or item that a path begins with, its value, and the rest of the path."""
    if isinstance(node, yaml.SequenceNode):
        index, bracket, rest = path.removeprefix("[").partition("]")
        if path[0] != "[" or not bracket or not index.isdecimal() or int(index) >= len(node.value):
            return None
        item = node.value[int(index)]
        return item, item, rest.removeprefix(".")
    found = None
    for key, value in _entries(node):
        rest_of_key = _after(path, key.value)
        if rest_of_key is not None and (found is None or len(rest_of_key) <= len(found[2])):
            found = key, value, rest_of_key
    return found


def _after(path: str, key: str) -> str | None:
    """Return what follows a key in a path; keys may hold dots, and may stand in brackets."""
    for start in (key, f"[{key}]"):
        rest = path.removeprefix(start)
        if key and path.startswith(start) and rest[:1] in {"", ".", "["}:
            return rest.removeprefix(".")
    return None
