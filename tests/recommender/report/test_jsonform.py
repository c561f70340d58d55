import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from jsonschema import Draft202012Validator

from recommender.errors import InvalidValueError
from recommender.report.jsonform import (
    compact_json,
    read_report,
    render_json,
    render_jsonl,
    render_schema,
    report_schema,
)
from tests.recommender.report.builders import report
from tests.recommender.report.fleets import varied_report
from tests.recommender.report.strategies import reports

SHIPPED = Path(__file__).parents[3] / "deploy" / "schema" / "report-v1.schema.json"


@given(reports())
def test_reading_the_json_of_a_report_gives_the_same_report(some_report):
    assert read_report(render_json(some_report)) == some_report


@settings(max_examples=40)
@given(reports())
def test_every_report_is_valid_by_its_schema(some_report):
    Draft202012Validator(report_schema()).validate(json.loads(render_json(some_report)))


def test_a_built_report_is_valid_complete_and_compact():
    built = varied_report()
    validator = Draft202012Validator(report_schema())

    validator.validate(json.loads(render_json(built)))
    validator.validate(json.loads(compact_json(built)))


def test_the_compact_form_keeps_amounts_verdicts_and_money():
    built = varied_report()
    short = read_report(compact_json(built))

    def kept(source):
        return [
            (item.identity.key, item.resource, item.current, item.verdict, item.money)
            for item in source.items
        ]

    assert kept(short) == kept(built)
    assert short.meta == built.meta


def test_the_shipped_schema_is_current():
    assert SHIPPED.read_text(encoding="utf-8") == render_schema()


def test_json_lines_are_one_object_each_and_say_what_they_are():
    built = varied_report()
    lines = [json.loads(line) for line in render_jsonl(built).splitlines()]

    kinds = [line["kind"] for line in lines]
    assert kinds == ["meta"] + ["item"] * len(built.items) + ["error"] * len(built.errors)


def test_there_is_no_zero_and_no_nan_among_the_amounts():
    plain = json.loads(render_json(varied_report()))

    for item in plain["items"]:
        for block in ("current", "recommended"):
            amounts = [v for v in item[block].values() if not isinstance(v, dict)]
            assert 0 not in amounts


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "report: .* allowed: a JSON report"),
        ("[]", "report.schema: 'list'"),
        ('{"schema": "tensorfusion-report/v9"}', "tensorfusion-report/v9.*tensorfusion-report/v1"),
        ('{"schema": "tensorfusion-report/v1"}', "report.meta: None is not valid"),
    ],
)
def test_a_text_that_is_no_report_is_refused_with_the_reason(text, message):
    with pytest.raises(InvalidValueError, match=message):
        read_report(text)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (
            ("items", 0, "verdict", "severity"),
            "BAD",
            r"verdict.severity: 'BAD'.*WARNING",
        ),
        (("items", 0, "identity", "gpu_count"), "2", r"gpu_count: '2' .* a JSON integer"),
        (("items", 0, "what"), 1, r"items\[0\].what: 1 .* one of identity, resource"),
        (("items", 0, "current", "request"), "12", r"items\[0\].current"),
        (("items", 0, "further"), {}, r"items\[0\].further: {} .* a list"),
        (("items", 0, "identity"), [], r"items\[0\].identity: \[\] .* an object"),
        (("meta", "generated_s"), True, r"meta.generated_s: True .* a JSON integer"),
    ],
)
def test_a_wrong_field_is_named_with_its_path_and_what_is_allowed(path, value, message):
    plain = json.loads(render_json(report()))
    place = plain
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value

    with pytest.raises(InvalidValueError, match=message):
        read_report(json.dumps(plain))


def test_letters_that_command_a_terminal_are_replaced():
    plain = json.loads(render_json(report()))
    plain["items"][0]["identity"]["workload"] = "a\x1b]0;owned\x07\u202eb"
    plain["items"][0]["identity"]["labels"] = {"k\x9b": "two\nlines"}

    identity = read_report(json.dumps(plain)).items[0].identity

    assert identity.workload == "a\ufffd]0;owned\ufffd\ufffdb"
    assert identity.labels == {"k\ufffd": "two\nlines"}
