from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from autoscaler.api.affordable import costly_rules
from autoscaler.api.crd import definition, definition_yaml
from autoscaler.api.kinds import KINDS
from autoscaler.api.scalars import LONGEST_SCALAR
from autoscaler.api.structural import structural
from autoscaler.api.workload_profile import WorkloadSpec
from autoscaler.kube import resource
from recommender.policy.fields import FIELDS, OTHER_PROFILE_KEYS, STATEMENTS, children_of
from recommender.policy.first_generation import QOS

SHIPPED = Path(__file__).parents[3] / "deploy" / "crds"
FORBIDDEN = {"$ref", "$defs", "title", "default", "examples", "definitions", "dependencies"}
VALUE_CHECKS = ("anyOf", "allOf", "oneOf", "not")


def schemas(schema, path="") -> Iterator[tuple[str, dict]]:
    """Walk a structural schema: (path, schema) of every part that is a value's own."""
    yield path, schema
    for name, field in schema.get("properties", {}).items():
        yield from schemas(field, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from schemas(schema[key], f"{path}[]")


def every_schema():
    for kind in KINDS:
        [version] = definition(kind)["spec"]["versions"]
        yield from schemas(version["schema"]["openAPIV3Schema"], kind.name)


def test_the_folder_holds_the_definitions_and_nothing_else():
    assert {path.name for path in SHIPPED.iterdir()} == {f"{k.plural}.yaml" for k in KINDS}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.plural)
def test_a_definition_is_one_yaml_document_without_anchors(kind):
    text = definition_yaml(kind)

    assert yaml.safe_load(text) == definition(kind)
    assert "&id" not in text


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.plural)
def test_a_kind_is_where_the_transport_looks_for_it(kind):
    [found] = [
        item
        for item in vars(resource).values()
        if isinstance(item, resource.Resource)
        and (item.group, item.kind) == ("tensor-fusion.ai", kind.name)
    ]

    spec = definition(kind)["spec"]
    assert (found.plural, found.is_namespaced) == (kind.plural, kind.is_namespaced)
    assert (spec["group"], spec["scope"] == "Namespaced") == (found.group, found.is_namespaced)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.plural)
def test_a_definition_tells_whose_it_is_and_has_a_status(kind):
    made = definition(kind)
    [version] = made["spec"]["versions"]

    assert made["metadata"]["labels"] == {"tensor-fusion.ai/schema": "autoscaler-v1"}
    assert version["subresources"]["status"] == {}
    assert "status" in version["schema"]["openAPIV3Schema"]["properties"]


def test_names_of_kinds_are_not_taken_twice():
    names = [name for k in KINDS for name in {k.plural, k.name.lower(), *k.short_names}]

    assert len(names) == len(set(names))


def test_schemas_have_only_what_a_structural_schema_may_have():
    for path, schema in every_schema():
        assert not FORBIDDEN & schema.keys(), path
        assert "type" in schema or any(
            schema.get(key)
            for key in ("x-kubernetes-int-or-string", "x-kubernetes-preserve-unknown-fields")
        ), path
        if not schema.get("x-kubernetes-int-or-string"):
            assert not [
                check for key in VALUE_CHECKS for check in schema.get(key, []) if "type" in check
            ], path


def test_every_field_is_described_in_a_sentence():
    for path, schema in every_schema():
        if path.endswith(("[]", ".metadata")):
            continue
        assert schema.get("description", "").endswith((".", ")")), path


def test_lists_say_how_their_entries_are_merged_where_parts_are_written():
    for path, schema in every_schema():
        if ".status" not in path or schema.get("type") != "array":
            continue
        if schema["items"].get("type") != "object":
            assert schema["x-kubernetes-list-type"] == "atomic", path
            continue
        assert schema["x-kubernetes-list-type"] == "map", path
        keys = schema["x-kubernetes-list-map-keys"]
        assert set(keys) <= set(schema["items"]["required"]), path


def test_status_requires_nothing_of_a_writer_that_has_only_a_part():
    for kind in KINDS:
        [version] = definition(kind)["spec"]["versions"]
        assert "required" not in version["schema"]["openAPIV3Schema"]["properties"]["status"]


def test_scalars_that_rules_look_at_are_bounded():
    for path, schema in every_schema():
        if schema.get("x-kubernetes-int-or-string"):
            assert schema["maxLength"] == LONGEST_SCALAR, path


def test_costly_rules_stand_at_single_fields_of_spec():
    places = {path for path, schema in every_schema() if costly_rules(schema)}

    assert "WorkloadProfile.spec.resources" in places
    assert "WorkloadProfile.spec.resources.limits.vram" in places
    assert not {path for path in places if "[]" in path or ".status" in path}


def test_numbers_or_texts_are_checked_by_rules_or_by_a_pattern():
    for path, schema in every_schema():
        if schema.get("x-kubernetes-int-or-string"):
            assert costly_rules(schema) or (schema["pattern"] and schema["minimum"] == 0), path


def test_only_workloads_are_scaled():
    scaled = {
        kind.name: definition(kind)["spec"]["versions"][0]["subresources"].get("scale")
        for kind in KINDS
    }

    assert scaled.pop("TensorFusionWorkload") == {
        "specReplicasPath": ".spec.replicas",
        "statusReplicasPath": ".status.workerCount",
        "labelSelectorPath": ".status.selector",
    }
    assert set(scaled.values()) == {None}


def test_everything_that_a_profile_may_say_is_in_the_schema():
    fields = structural(WorkloadSpec)["properties"]
    stated = {statement.profile.partition(".")[0] for statement in STATEMENTS}

    assert stated | set(OTHER_PROFILE_KEYS) == set(fields)
    assert fields["qos"]["enum"] == list(QOS)


def test_every_setting_is_in_the_schema_under_all_its_names():
    config = structural(WorkloadSpec)["properties"]["autoScalingConfig"]
    paths = {path.removeprefix(".") for path, _ in schemas(config)}
    parents = {"", *(field.path for field in FIELDS), *(f"{field.path}[]" for field in FIELDS)}

    expected = {f"{p}.{name}".removeprefix(".") for p in parents for name in children_of(p)}
    assert expected <= paths


def test_settings_accept_a_decimal_without_quotes():
    config = structural(WorkloadSpec)["properties"]["autoScalingConfig"]["properties"]
    share = config["autoSetRequests"]["properties"]["percentileForAutoRequests"]

    assert "type" not in share
    assert share["x-kubernetes-preserve-unknown-fields"] is True
