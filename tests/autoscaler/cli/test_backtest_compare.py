import csv
import io

import pytest

PROFILE = """\
apiVersion: tensor-fusion.ai/v1
kind: WorkloadProfile
metadata:
  name: wide
spec:
  autoScalingConfig:
    autoSetRequests:
      enable: true
      extraBufferRatio: 0.9
"""


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    path = tmp_path_factory.mktemp("policies") / "wide.yaml"
    path.write_text(PROFILE)
    return path


@pytest.fixture
def compare(tfa, usage, workloads):
    def compare(first, second, *arguments):
        return tfa(
            "backtest",
            "--from",
            usage,
            "--workloads",
            workloads,
            *("--since", "8h", "--decision-step", "1h"),
            *("--compare", first, "--compare", second),
            *arguments,
        )

    return compare


def rows_of(ended):
    return {(row["layer"], row["resource"], row["workload"]): row for row in ended.json["scores"]}


def test_a_wider_policy_allocates_more_and_costs_more(compare, wide):
    ended = compare("defaults", wide, "-o", "json")
    assert ended.code == 0
    assert [policy["name"] for policy in ended.json["policies"]] == ["defaults", "wide"]
    rows = rows_of(ended)
    chat = rows["requests", "tflops", "chat"]
    assert chat["difference"]["allocated_hours"] > 0
    assert chat["difference"]["used_hours"] == 0
    assert chat["better"] == "defaults"
    cost = rows["all", "gpu", "chat"]
    assert cost["first"]["cost"] < cost["second"]["cost"]
    assert cost["better"] == "defaults"
    assert ended.json["better"] == "defaults"
    assert {row["workload"] for row in ended.json["losing"]} == {"chat", "search", "train"}
    assert ended.json["gaining"] == []


def test_what_is_stated_is_compared_where_it_is_stated(compare):
    ended = compare("stated", "defaults", "-o", "json")
    assert ended.json["not_compared"] == ["batch/train"]
    search = rows_of(ended)["requests", "tflops", "search"]
    assert search["first"]["violated_share"] > 0.95
    assert search["second"]["violated_share"] < 0.05
    assert search["first"]["changes_per_day"] == 0


def test_rules_of_other_autoscalers_can_be_compared(compare):
    rows = rows_of(compare("tf", "vpa", "-o", "json"))
    request = rows["requests", "tflops", "chat"]
    assert request["first"]["violated_share"] > request["second"]["violated_share"]
    assert rows["limits", "tflops", "chat"]["first"]["allocated_hours"] > 0
    assert ("limits", "tflops", "train") not in rows


def test_formats_of_a_comparison_agree(compare):
    pair = ("tf", "defaults", "--layer", "requests")
    records = compare(*pair, "-o", "json").json["scores"]
    found = list(csv.DictReader(io.StringIO(compare(*pair, "-o", "csv").out)))
    assert [row["workload"] or None for row in found] == [row["workload"] for row in records]
    assert [row["better"] for row in found] == [row["better"] or "" for row in records]
    firsts = [record["first"]["slack_ratio"] for record in records]
    assert [float(row["first_slack_ratio"] or "nan") for row in found] == pytest.approx(
        [float("nan") if value is None else value for value in firsts], nan_ok=True
    )
    markdown = compare(*pair, "-o", "md").out
    assert markdown.count("\n| requests") == 8
    table = compare(*pair).out
    assert "A  tf: TensorFusion's rule" in table
    assert "B  defaults: every setting at its default" in table
    assert "Overall" in table


def test_a_fleet_alone_still_names_who_would_gain_and_lose(compare):
    ended = compare("stated", "defaults", "--fleet-only")
    assert "Would gain most with B" in ended.out
    assert ended.out.count("(fleet)") == 5


def test_a_policy_that_knows_no_amount_leaves_nothing_to_judge(tfa, usage):
    ended = tfa(
        "backtest", "--from", usage, "--since", "4h", "--compare", "stated", "--compare", "tf"
    )
    assert ended.code == 0
    assert "amounts in the workloads file (--compare stated)" in ended.out


def test_a_rule_that_sizes_no_replicas_says_so(compare):
    ended = compare("own", "vpa", "--layer", "replicas")
    assert "vpa sizes no replicas" in ended.err


def test_a_wrong_policy_is_an_error_before_usage_is_read(tfa, tmp_path):
    ended = tfa("backtest", "--from", tmp_path / "none.csv", "--compare", "wpa")
    assert (ended.code, ended.out) == (2, "")
    assert "did you mean vpa?" in ended.err
