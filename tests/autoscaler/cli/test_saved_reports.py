import orjson
import pytest

from autoscaler.cli.output import Format


@pytest.fixture
def saved(report, tmp_path):
    path = tmp_path / "report.json"
    assert report("-q", "-o", "json", "--out", path).code == 0
    return path


def test_rendering_a_saved_report_gives_what_the_report_gave(tfa, report, saved, tmp_path):
    for name in Format:
        copy = tmp_path / "again.json"
        first = report("-q", "-o", name, "--out", f"json={copy}")
        again = tfa("render", copy, "-o", name)
        assert (again.code, again.out) == (0, first.out)


def test_a_report_of_another_version_is_refused(tfa, saved):
    plain = orjson.loads(saved.read_bytes())
    saved.write_bytes(orjson.dumps(plain | {"schema": "tensorfusion-report/v9"}))
    ended = tfa("render", saved)
    assert ended.code == 3
    assert "tensorfusion-report/v9" in ended.err
    assert "tensorfusion-report/v1" in ended.err


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": "tensorfusion-report/v1"}'])
def test_what_is_no_report_is_refused(tfa, tmp_path, text):
    path = tmp_path / "report.json"
    path.write_text(text)
    ended = tfa("render", path)
    assert (ended.code, ended.out) == (3, "")
    assert f"{path}: no usable report" in ended.err


def test_a_missing_report_is_named(tfa, tmp_path):
    assert "cannot be read" in tfa("diff", tmp_path / "a.json", tmp_path / "b.json").err


def test_equal_reports_have_no_difference(tfa, saved):
    ended = tfa("diff", saved, saved, "--fail-on-worse")
    assert (ended.code, ended.out.startswith("No differences")) == (0, True)


def test_a_new_risk_is_a_difference_that_can_fail(tfa, saved, usage, tmp_path):
    before = tmp_path / "before.json"
    tfa("report", "--from", usage, "--no-what-if", "-o", "json", "--out", before)
    ended = tfa("diff", before, saved, "--fail-on-worse", "-o", "json")
    assert ended.code == 1
    assert any(entry["is_worse"] for entry in ended.json["entries"])


def test_explaining_from_a_saved_report_needs_no_usage(tfa, saved):
    ended = tfa("explain", "--report", saved, "team/chat")
    assert ended.code == 0
    assert ended.out.startswith("team/chat\n")


def test_explain_shows_evidence_steps_and_a_plot(tfa, usage, workloads):
    ended = tfa("explain", "--from", usage, "--workloads", workloads, "--no-what-if", "team/chat")
    assert ended.code == 0
    for part in (
        "tflops: SAVING",
        "measured",
        "1. p95 of demand, weighted by load",
        "# mean, : highest",
    ):
        assert part in ended.out
    assert "search" not in ended.out


def test_explain_takes_other_formats(tfa, saved):
    ended = tfa("explain", "--report", saved, "team/chat", "-o", "json")
    assert {item["identity"]["workload"] for item in ended.json["items"]} == {"chat"}


def test_explain_suggests_names(tfa, saved):
    ended = tfa("explain", "--report", saved, "team/chta")
    assert ended.code == 2
    assert "did you mean team/chat" in ended.err


def test_explain_wants_one_input(tfa, saved, usage):
    assert tfa("explain", "team/chat").code == 2
    assert tfa("explain", "team/chat", "--from", usage, "--report", saved).code == 2
