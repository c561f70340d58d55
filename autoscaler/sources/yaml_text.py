"""Parses YAML that users wrote: every fault of a text becomes one line with its place."""

from __future__ import annotations

from autoscaler.errors import AutoscalerError, InputError


def parse_yaml(text: str, origin: str, error_type: type[AutoscalerError] = InputError) -> object:
    """Return the one document of a text; None where it is empty.

    Raises ``error_type`` with ``origin``, line and column.
    """
    import yaml

    try:
        document: object = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{origin}:{mark.line + 1}:{mark.column + 1}" if mark else origin
        raise error_type(f"{place}: is no YAML: {error.problem or error.context}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        # ValueError: a date that no calendar has.
        raise error_type(f"{origin}: is no YAML: {' '.join(str(error).split())}") from error
    return document
