"""Parses YAML that users wrote: every fault of a text becomes one line with its place."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from autoscaler.errors import AutoscalerError, InputError

if TYPE_CHECKING:
    from yaml import SafeLoader
    from yaml.nodes import MappingNode


def parse_yaml(text: str, origin: str, error_type: type[AutoscalerError] = InputError) -> object:
    """Return the one document of a text; None where it is empty.

    Raises ``error_type`` with ``origin``, line and column.
    """
    import yaml

    try:
        document: object = yaml.load(text, Loader=_loader())  # noqa: S506 - it is a safe one
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{origin}:{mark.line + 1}:{mark.column + 1}" if mark else origin
        raise error_type(f"{place}: is no YAML: {error.problem or error.context}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        # ValueError: a date that no calendar has.
        raise error_type(f"{origin}: is no YAML: {' '.join(str(error).split())}") from error
    return document


@cache
def _loader() -> type[SafeLoader]:
    """Return a safe loader that refuses what is written twice, of which one would be ignored."""
    from yaml import SafeLoader
    from yaml.constructor import ConstructorError

    class Loader(SafeLoader):
        def construct_mapping(self, node: MappingNode, deep: bool = False) -> dict[Any, Any]:
            written = set()
            for key in (key for key, _ in node.value if isinstance(key.value, str)):
                if (key.tag, key.value) in written:
                    problem = f"found the key {key.value!r} twice"
                    raise ConstructorError(problem=problem, problem_mark=key.start_mark)
                written.add((key.tag, key.value))
            return super().construct_mapping(node, deep)

    return Loader
