"""CustomResourceDefinitions, made from the models and the table of kinds."""

from __future__ import annotations

from typing import Any

from autoscaler.api.affordable import affordable
from autoscaler.api.kinds import CATEGORY, Column, CustomKind
from autoscaler.api.names import GROUP, SCHEMA, SCHEMA_LABEL, VERSION
from autoscaler.api.structural import Schema, structural

_SCALE = {
    "specReplicasPath": ".spec.replicas",
    "statusReplicasPath": ".status.workerCount",
    "labelSelectorPath": ".status.selector",
}
_WIDTH = 110


def definition(kind: CustomKind) -> dict[str, Any]:
    """Return the CustomResourceDefinition of a kind."""
    singular = kind.name.lower()
    names: dict[str, Any] = {
        "kind": kind.name,
        "listKind": f"{kind.name}List",
        "plural": kind.plural,
        "singular": singular,
        "categories": [CATEGORY],
    }
    if kind.short_names:
        names["shortNames"] = list(kind.short_names)
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": kind.full_name, "labels": {SCHEMA_LABEL: SCHEMA}},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced" if kind.is_namespaced else "Cluster",
            "names": names,
            "versions": [_version(kind)],
        },
    }


def definition_yaml(kind: CustomKind) -> str:
    """Return the definition as one YAML document."""
    import yaml

    class Dumper(yaml.SafeDumper):
        """Writes what stands in several places each time, and no anchors."""

        def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - as in the base class
            return True

    return yaml.dump(
        definition(kind), Dumper=Dumper, sort_keys=False, allow_unicode=True, width=_WIDTH
    )


def _version(kind: CustomKind) -> dict[str, Any]:
    subresources: dict[str, Any] = {"status": {}}
    if kind.is_scalable:
        subresources["scale"] = _SCALE
    return {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": subresources,
        "additionalPrinterColumns": [_column(column) for column in kind.columns],
        "schema": {"openAPIV3Schema": _schema(kind)},
    }


def _schema(kind: CustomKind) -> Schema:
    schema = affordable(structural(kind.model))
    # The server has a schema of its own for metadata.
    schema["properties"]["metadata"] = {"type": "object"}
    schema["properties"]["kind"]["description"] = f"Name of the kind: {kind.name}."
    return schema


def _column(column: Column) -> dict[str, Any]:
    shown: dict[str, Any] = {"name": column.name, "type": column.type, "jsonPath": column.path}
    if column.is_wide:
        shown["priority"] = 1
    return shown
