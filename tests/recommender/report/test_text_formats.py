import csv
import io
import re
from dataclasses import replace

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.decision import Code
from recommender.report.blocks import Severity
from recommender.report.jsonform import read_report
from recommender.report.markdown import render_markdown
from recommender.report.options import RenderOptions
from recommender.report.renderers import RENDERERS
from recommender.report.table import render_table
from recommender.report.tabular import COLUMNS, render_csv
from recommender.report.wording import change_text, price_change
from recommender.report.yamlform import render_yaml
from recommender.resources import GIB
from tests.recommender.report.builders import Row, report, tflops, vram
from tests.recommender.report.fleets import varied_report
from tests.recommender.report.strategies import reports


@pytest.mark.parametrize("name", sorted(RENDERERS))
@settings(max_examples=20)
@given(some_report=reports())
def test_every_format_renders_every_report(some_report, name):
    text = RENDERERS[name](some_report, None)

    assert text.endswith("\n")
    assert text == RENDERERS[name](some_report, RenderOptions())


@pytest.mark.parametrize(
    "name", ["json", "jsonl", "yaml", "csv", "html", "patch", "kustomize", "junit"]
)
def test_machine_formats_ignore_how_texts_are_shown(name):
    options = RenderOptions(limit=1, include_ok=False, group_by="namespace", width=20)

    assert RENDERERS[name](varied_report(), options) == RENDERERS[name](varied_report(), None)


def test_the_table_fits_into_80_columns():
    assert max(map(len, render_table(varied_report()).splitlines()[:12])) <= 80


@given(st.integers(40, 200))
def test_the_table_never_cuts_a_number(width):
    fleet = varied_report()
    text = render_table(fleet, RenderOptions(width=width))

    for change in ("60 -> 34 TFLOPS (-43 %)", "40 -> 44 GiB (+10 %)", "2 -> 3 replicas (+50 %)"):
        assert change in text


def test_columns_are_left_out_from_the_least_important_and_named():
    assert render_table(varied_report()).splitlines()[0].split() == [
        "SEVERITY",
        "WORKLOAD",
        "CHANGE",
        "CONF",
        "SAVING",
    ]
    assert "columns left out for the width: LIMIT, REASON (--wide shows them)" in render_table(
        varied_report()
    )


def test_a_wide_table_has_every_column_and_whole_names():
    name = "a-very-long-workload-name-that-would-be-shortened-otherwise"
    built = report(Row(workload=name, vram=vram(denials=1)))

    wide = render_table(built, RenderOptions(is_wide=True))
    assert wide.splitlines()[0].split() == [
        "SEVERITY",
        "WORKLOAD",
        "REQUEST",
        "LIMIT",
        "CONF",
        "POOL",
        "REASON",
    ]
    assert name in wide
    assert "team-a/a-very-…ned-otherwise" in render_table(built, RenderOptions(width=60))


def test_a_change_of_the_limit_is_shown_where_only_that_changes():
    built = report(Row(tflops=tflops(target_limit=40.0)))

    assert "limit 24 -> 40 TFLOPS (+67 %)" in render_table(built, RenderOptions(width=60))


def test_ok_items_are_hidden_and_counted():
    assert "OK items are hidden (--include-ok shows them)" in render_table(varied_report())
    shown = render_table(varied_report(), RenderOptions(include_ok=True))
    assert re.search(r"^OK +vision/detector", shown, re.MULTILINE)


def test_a_limit_cuts_the_table_and_counts_the_rest():
    text = render_table(varied_report(), RenderOptions(limit=2))

    assert text.count("\nCRITICAL") == 2
    assert "further items are not shown (--limit)" in text


def test_the_table_says_why_something_is_unknown_and_what_failed():
    text = render_table(varied_report())

    assert "2 UNKNOWN: less than 30 min or 12 samples: no recommendation" in text
    assert "failed: vision/segmenter: the server gave up after 60 s" in text


def test_the_table_says_once_what_has_to_be_stated():
    unstated = {"target_replicas": float("nan"), "unknown_replicas": Code.NoStatedLimit}
    text = render_table(report(Row(**unstated), Row(workload="search", **unstated)))

    assert "2 UNSET: no compute limit is stated to divide the demand by; state one in" in text


def test_markdown_lists_what_must_be_known_of_the_whole_report():
    text = render_markdown(replace_notes(varied_report(), "partial", "left_out"))

    assert "\n- Note: partial\n- Note: left\\_out\n- Failed: the server gave up" in text
    assert text.endswith("\n\n_2026-09-21 14:10 UTC, http://prometheus.monitoring:9090_\n")


def replace_notes(built, *notes):
    return replace(built, meta=replace(built.meta, notes=notes))


def test_groups_have_their_title_above():
    lines = render_table(varied_report(), RenderOptions(group_by="namespace")).splitlines()

    assert lines[1:4] == ["", "search", lines[3]]
    assert lines[3].startswith("CRITICAL")


def test_colour_is_added_only_on_request_and_changes_no_text():
    plain = render_table(varied_report())
    colored = render_table(varied_report(), RenderOptions(has_color=True))

    assert "\x1b" not in plain
    assert re.sub(r"\x1b\[[0-9;]*m", "", colored) == plain


def test_the_headline_names_whole_gpus_before_capacity():
    text = render_table(report(Row(tflops=tflops(target_request=1.0, target_limit=2.0))))

    assert "0 whole GPUs could be released; capacity freed: 0.04 GPUs" in text


@pytest.mark.parametrize(
    ("saving", "text"),
    [(852.3, "852 USD/month less"), (-28, "28 USD/month more"), (0.001, "unchanged")],
)
def test_the_price_of_shares_falls_or_rises(saving, text):
    assert price_change(saving, "USD") == text


def test_what_writing_an_amount_down_rounded_away_is_no_change():
    assert change_text("tflops", 25.394, 25.3938) == "25.4 TFLOPS"
    assert change_text("tflops", 25.394, 25.38) == "25.39 -> 25.38 TFLOPS"


def read_csv(some_report):
    return list(csv.DictReader(io.StringIO(render_csv(some_report))))


@settings(max_examples=30)
@given(reports())
def test_csv_has_one_row_an_item_and_one_cell_a_column(some_report):
    rows = list(csv.reader(io.StringIO(render_csv(some_report), newline="")))

    assert rows[0] == list(COLUMNS)
    assert len(rows) == 1 + len(some_report.items)
    assert {len(row) for row in rows} == {len(COLUMNS)}


@settings(max_examples=30)
@given(reports())
def test_no_text_cell_of_csv_can_be_taken_for_a_formula(some_report):
    text_columns = ("namespace", "workload", "owner", "pool", "sentence")

    for row in read_csv(some_report):
        assert not any(row[name].startswith(("=", "+", "-", "@")) for name in text_columns)


def test_csv_holds_plain_numbers_in_base_units():
    built = report(Row(vram=vram(target_request=4 * GIB), tflops=tflops(target_request=4.5)))
    compute, memory, replicas = read_csv(built)

    assert (compute["current_request"], compute["recommended_request"]) == ("12", "4.5")
    assert memory["recommended_request"] == str(4 * 2**30)
    assert compute["change_ratio"] == "-0.625"
    assert (replicas["current_replicas"], replicas["current_request"]) == ("2", "")


@settings(max_examples=30)
@given(reports())
def test_yaml_is_the_same_report(some_report):
    import orjson

    plain = yaml.safe_load(render_yaml(some_report))

    assert read_report(orjson.dumps(plain)) == some_report


def test_markdown_shows_at_most_50_rows_and_counts_the_rest():
    rows = [Row(workload=f"w{i:02}", vram=vram(denials=1)) for i in range(60)]
    text = render_markdown(report(*rows))

    assert text.count("| CRITICAL |") == 50
    assert "10 further items are not shown." in text
    assert "120 items are OK and not shown." in text


def test_markdown_cannot_be_broken_by_names():
    built = report(Row(workload="a|b\n<img src=x> @team `x` [y](z)", vram=vram(denials=1)))
    line = next(line for line in render_markdown(built).splitlines() if "CRITICAL |" in line)

    cells = re.split(r"(?<!\\)\|", line)
    assert len(cells) == 8
    assert "\\<img" in line
    assert "@team" not in line
    assert "\\[y\\](z)" in line


def test_markdown_groups_have_headings():
    text = render_markdown(varied_report(), RenderOptions(group_by="namespace"))

    assert text.count("\n#### ") == 3


def test_markdown_of_nothing_says_so():
    built = varied_report()
    nothing = replace(
        built,
        items=(),
        meta=replace(built.meta, totals=type(built.meta.totals)()),
    )

    assert "0 workloads: no items." in render_markdown(nothing)
    assert "0 workloads: no items" in render_table(nothing)


def test_severities_are_ordered_from_the_most_urgent():
    assert list(Severity) == ["CRITICAL", "WARNING", "SAVING", "UNKNOWN", "UNSET", "OK"]
