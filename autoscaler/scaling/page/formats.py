"""Formats of a report over HTTP: those of the command line, with their media types."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

CHARSET = "; charset=utf-8"


class Format(StrEnum):
    """Values of ``format``, named as ``-o`` of the command line."""

    JSON = "json"
    JSONL = "jsonl"
    YAML = "yaml"
    CSV = "csv"
    MD = "md"
    HTML = "html"
    TABLE = "table"
    PATCH = "patch"
    KUSTOMIZE = "kustomize"


JSON_TYPE, HTML_TYPE = "application/json", "text/html"

MEDIA_TYPES: Mapping[Format, str] = MappingProxyType(
    {
        Format.JSON: JSON_TYPE,
        Format.JSONL: "application/jsonl",
        Format.YAML: "application/yaml",
        Format.CSV: "text/csv",
        Format.MD: "text/markdown",
        Format.HTML: HTML_TYPE,
        Format.TABLE: "text/plain",
        Format.PATCH: "application/yaml",
        Format.KUSTOMIZE: "application/yaml",
    }
)
"""Format to media type; all are UTF-8."""
