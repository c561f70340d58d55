"""JUnit XML: a test case for each item, for CI systems that list what fails beside the change.

CRITICAL and WARNING fail, what is not known or not stated is skipped, everything else passes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from recommender.report.blocks import Severity
from recommender.report.grouping import grouped
from recommender.report.wording import utc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recommender.report.blocks import ItemError
    from recommender.report.model import Item, Report
    from recommender.report.options import RenderOptions

_FAILURES = (Severity.CRITICAL, Severity.WARNING)
_SKIPPED = (Severity.UNKNOWN, Severity.UNSET)
_ERRORS = "report"
"""Name of the suite of what failed, where it belongs to no namespace."""


def render_junit(report: Report, options: RenderOptions | None = None) -> str:
    """Return a test suite a namespace, and a test case an item or failed part of the report."""
    del options
    suites = [_suite(title, items) for title, items in grouped(report.items, "namespace")]
    if report.errors:
        suites.append(_suite_of_errors(report.errors))
    root = ET.Element("testsuites", {"name": "GPU recommendations", **_counts(suites)})
    root.extend(suites)
    ET.indent(root)
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    comment = f"<!-- {utc(report.meta.generated_s)} -->\n"
    return f"{head}{comment}{ET.tostring(root, encoding='unicode')}\n"


def _suite(title: str, items: Sequence[Item]) -> ET.Element:
    cases = [_case(item) for item in items]
    return _filled(ET.Element("testsuite", name=_clean(title)), cases)


def _case(item: Item) -> ET.Element:
    identity, verdict = item.identity, item.verdict
    model = f" on {identity.gpu_model}" if identity.gpu_model else ""
    case = ET.Element(
        "testcase", classname=_clean(item.name), name=_clean(f"{item.resource}{model}")
    )
    message = _clean(verdict.sentence)
    if item.severity in _FAILURES:
        failure = ET.SubElement(case, "failure", message=message, type=_clean(verdict.code))
        further = [finding.sentence for finding in item.further]
        failure.text = _clean("\n".join([f"{item.severity}: {verdict.sentence}", *further]))
    elif item.severity in _SKIPPED:
        ET.SubElement(case, "skipped", message=message)
    return case


def _suite_of_errors(errors: Sequence[ItemError]) -> ET.Element:
    cases = []
    for error in errors:
        name = "/".join(filter(None, (error.namespace, error.workload))) or _ERRORS
        stage = error.resource or error.stage or "all"
        case = ET.Element("testcase", classname=_clean(name), name=_clean(stage))
        ET.SubElement(case, "error", message=_clean(error.message))
        cases.append(case)
    return _filled(ET.Element("testsuite", name=_ERRORS), cases)


def _filled(suite: ET.Element, cases: Sequence[ET.Element]) -> ET.Element:
    suite.extend(cases)
    found = {
        plural: sum(case.find(tag) is not None for case in cases)
        for plural, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped"))
    }
    for name, count in {"tests": len(cases), **found}.items():
        suite.set(name, str(count))
    return suite


def _counts(suites: Sequence[ET.Element]) -> dict[str, str]:
    names = ("tests", "failures", "errors", "skipped")
    return {name: str(sum(int(suite.get(name, 0)) for suite in suites)) for name in names}


def _clean(text: str) -> str:
    """Return a text without what XML cannot hold, not even escaped."""
    return "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text)
