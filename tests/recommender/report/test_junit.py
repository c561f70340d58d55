"""Reports as JUnit XML, read by an XML parser as CI systems do."""

from xml.etree import ElementTree as ET

from hypothesis import given, settings

from recommender.report.blocks import Severity
from recommender.report.junit import render_junit
from tests.recommender.report.builders import Row, report, vram
from tests.recommender.report.fleets import varied_report
from tests.recommender.report.strategies import reports

KINDS = {"failures": "failure", "errors": "error", "skipped": "skipped"}
ENDS = {
    Severity.CRITICAL: "failure",
    Severity.WARNING: "failure",
    Severity.SAVING: None,
    Severity.OK: None,
    Severity.UNKNOWN: "skipped",
    Severity.UNSET: "skipped",
}


def end_of(case):
    return next((part.tag for part in case), None)


@settings(max_examples=50)
@given(reports())
def test_every_item_is_a_case_that_ends_as_its_severity_says(some_report):
    root = ET.fromstring(render_junit(some_report))

    ends = sorted(str(end_of(case)) for case in root.iter("testcase"))
    expected = [str(ENDS[item.severity]) for item in some_report.items]
    assert ends == sorted([*expected, *("error" for _ in some_report.errors)])


def test_counts_of_suites_and_of_all_are_those_of_the_cases():
    root = ET.fromstring(render_junit(varied_report()))

    for element in (root, *root.iter("testsuite")):
        cases = list(element.iter("testcase"))
        assert element.get("tests") == str(len(cases))
        for count, tag in KINDS.items():
            assert element.get(count) == str(sum(end_of(case) == tag for case in cases))


def test_a_failure_names_code_and_sentence():
    root = ET.fromstring(render_junit(report(Row(vram=vram(denials=3)))))

    [failure] = root.iter("failure")
    assert failure.get("type") == "TF-VRAM-DENIED"
    assert failure.get("message").startswith("a VRAM allocation was refused 3 times")
    assert failure.text.startswith("CRITICAL: a VRAM allocation was refused 3 times")


def test_what_xml_cannot_hold_is_replaced():
    root = ET.fromstring(render_junit(report(Row(workload="a\x00<b>&\ufffe"))))

    names = {case.get("classname").partition("/")[2] for case in root.iter("testcase")}
    assert names == {"a\ufffd<b>&\ufffd"}
