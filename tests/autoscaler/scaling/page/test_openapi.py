import re

import jsonschema
import orjson
import pytest
import requests

from autoscaler.scaling.page.openapi import description
from autoscaler.scaling.page.routes import ROUTES
from tests.autoscaler.scaling.builders import view
from tests.autoscaler.scaling.page.boards import reported, served

METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}


def parts(node, path=()):
    """Yield every part of a document with its path."""
    yield path, node
    if isinstance(node, dict):
        for key, value in node.items():
            yield from parts(value, (*path, key))
    if isinstance(node, list):
        for i, value in enumerate(node):
            yield from parts(value, (*path, i))


def resolved(document, reference):
    node = document
    for name in reference.removeprefix("#/").split("/"):
        node = node[name]
    return node


def operations():
    return {path: item["get"] for path, item in description()["paths"].items()}


def test_every_reference_leads_somewhere():
    document = description()
    references = [
        node["$ref"] for _, node in parts(document) if isinstance(node, dict) and "$ref" in node
    ]

    assert len(references) > 50
    assert all(resolved(document, reference) for reference in references)


def test_every_schema_is_a_json_schema():
    document = description()
    schemas = [
        node
        for path, node in parts(document)
        if path and path[-1] == "schema" and "properties" not in path
    ]

    for schema in (*schemas, *document["components"]["schemas"].values()):
        jsonschema.Draft202012Validator.check_schema(schema)


def test_only_reading_is_described():
    assert [set(item) & METHODS for item in description()["paths"].values()] == [{"get"}] * 5


def test_operations_have_names_of_their_own():
    names = [operation["operationId"] for operation in operations().values()]

    assert sorted(set(names)) == sorted(names)


def test_the_parts_of_a_path_are_its_parameters():
    for path, operation in operations().items():
        named = [part["name"] for part in operation["parameters"] if part["in"] == "path"]
        assert named == re.findall(r"\{(\w+)\}", path)


def test_every_parameter_and_every_response_says_what_it_is():
    for operation in operations().values():
        assert operation["summary"].endswith(".")
        assert all(part["description"].endswith(".") for part in operation["parameters"])
        for response in operation["responses"].values():
            found = response
            if "$ref" in response:
                found = resolved(description(), response["$ref"])
            assert found["description"]


def test_fields_may_be_added_and_are_described():
    for name, schema in description()["components"]["schemas"].items():
        assert "additionalProperties" not in schema, name
        assert schema["description"], name


@pytest.fixture(scope="module")
def url():
    with (
        reported(view("chat", "auto-limits"), view("search")) as seen,
        served(seen) as address,
    ):
        seen.tick(after_s=15)
        yield address


def validator(name):
    document = description()
    return jsonschema.Draft202012Validator(
        {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    )


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/api/v1/report", "Report"),
        ("/api/v1/report?namespace=nothing", "Report"),
        ("/api/v1/workloads/team/chat", "WorkloadAnswer"),
        ("/api/v1/decisions", "DecisionsAnswer"),
        ("/api/v1/decisions?namespace=team&limit=1", "DecisionsAnswer"),
        ("/api/v1/workloads/team/none", "Problem"),
        ("/api/v1/report?format=xml", "Problem"),
        ("/nothing", "Problem"),
    ],
)
def test_what_is_answered_is_what_is_described(url, path, name):
    answer = requests.get(url + path, timeout=10).json()

    assert [error.message for error in validator(name).iter_errors(answer)] == []
    assert [error.message for error in validator(name).iter_errors({})] != []


def test_what_is_served_is_the_description(url):
    assert orjson.loads(requests.get(f"{url}/openapi.json", timeout=10).content) == description()


def test_every_described_path_is_served(url):
    for route in ROUTES:
        path = route.path.format(namespace="team", name="chat")
        assert requests.get(url + path, timeout=10).status_code == 200
