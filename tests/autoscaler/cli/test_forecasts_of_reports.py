"""What a user who asks for forecasts finds in reports and explanations."""

import json

import pytest

PROFILE = """\
apiVersion: tensor-fusion.ai/v1
kind: WorkloadProfile
metadata: {namespace: team, name: forecast}
spec:
  autoScalingConfig:
    autoSetRequests:
      enable: true
      targetResource: tflops
      riskTarget: 10%
      prediction: {enable: true, model: ets}
    autoSetLimits:
      enable: true
      targetResource: tflops
      riskTarget: 1%
      prediction: {enable: true}
"""
WORKLOADS = """\
- {series_id: team/chat, tflops_request: 5, tflops_limit: 80, gpu_model: A100, profile: forecast}
- {series_id: team/search, tflops_request: 10, tflops_limit: 12, gpu_model: L4}
"""


@pytest.fixture(scope="module")
def asking(tmp_path_factory, usage):
    """Return the options of a fleet of which chat asks for forecasts."""
    folder = tmp_path_factory.mktemp("asking")
    (folder / "profile.yaml").write_text(PROFILE)
    (folder / "workloads.yaml").write_text(WORKLOADS)
    return [
        *("--from", usage, "--no-what-if"),
        *("--workloads", folder / "workloads.yaml", "--profiles", folder / "profile.yaml"),
    ]


def items_of(ended):
    return {
        (item["identity"]["workload"], item["resource"]): item
        for item in json.loads(ended.out)["items"]
    }


def test_a_report_says_how_the_forecasts_of_each_layer_stand(tfa, asking):
    items = items_of(tfa("report", *asking, "-o", "json"))
    requests, limits = items["chat", "tflops"]["forecasts"]

    assert (requests["layer"], requests["model"]) == ("requests", "ets")
    assert requests["fitted"]["model"] == "ets"
    assert requests["sentence"].startswith("In place of ets, auto counts: models that are fitted ")
    assert requests["fitted"]["mean"] == pytest.approx(20, rel=0.5)
    assert (limits["layer"], limits["model"]) == ("limits", "auto")
    assert limits["gate"] is not None


def test_a_report_has_seen_no_promise_kept_or_missed(tfa, asking):
    requests, limits = items_of(tfa("report", *asking, "-o", "json"))["chat", "tflops"]["forecasts"]
    assert (requests["promised_share"], limits["promised_share"]) == (0.1, 0.01)
    assert requests["realised_share"] is limits["realised_share"] is None
    assert tfa("explain", *asking, "team/chat").out.count("came: nothing was judged") == 2


def test_a_report_tells_the_pattern_of_those_that_ask_and_of_no_other(tfa, asking):
    items = items_of(tfa("report", *asking, "-o", "json"))

    assert items["chat", "tflops"]["pattern"]["regime"] == "daily"
    assert items["search", "tflops"]["pattern"] is None
    assert items["search", "tflops"]["forecasts"] == []


def test_an_explanation_tells_forecasts_in_words(tfa, asking):
    text = tfa("explain", *asking, "team/chat").out

    assert "  forecast\n    requests: model ets, 1 h ahead\n      In place of ets, auto" in text
    assert "      promised: at most 1 % of the minutes above what is in force" in text
    assert "  pattern of the days\n    daily (strength of the day's season: " in text


def test_an_explanation_tells_the_pattern_of_who_asks_for_nothing(tfa, asking):
    text = tfa("explain", *asking, "team/search").out

    assert "  pattern of the days\n    daily (strength of the day's season: " in text
    assert "  forecast\n" not in text
