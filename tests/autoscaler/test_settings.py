from dataclasses import fields

import pytest

from autoscaler.errors import UsageError
from autoscaler.settings import SETTINGS, Settings, load_settings, settings_of
from recommender.report.thresholds import Thresholds


def error_of(document):
    with pytest.raises(UsageError) as raised:
        settings_of(document, "s.yaml")
    return str(raised.value)


def test_without_a_file_everything_is_default():
    assert load_settings(None, {}) == Settings()
    assert {row.source for row in Settings().rows()} == {"default"}


def test_an_empty_file_is_all_defaults(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text("# nothing yet\n")
    assert load_settings(path) == Settings()


def test_a_file_is_the_source_of_what_it_sets(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text("report: {since: 7d}\nthresholds: {atLimitShare: 10%, idleAfter: 12h}\n")
    settings = load_settings(path)
    assert settings.since_s == 7 * 86400
    assert (settings.thresholds.at_limit_share, settings.thresholds.idle_after_s) == (0.1, 43200)
    rows = {row.path: row for row in settings.rows()}
    assert rows["report.since"].source == str(path)
    assert (rows["report.since"].value, rows["report.since"].default) == ("168h0m0s", "336h0m0s")
    assert rows["report.currency"].source == "default"


def test_prices_may_name_own_gpu_models_and_aliases():
    settings = settings_of(
        {
            "gpuPrices": {"mine": 1, "a100": 2.5},
            "gpuModels": {"mine": {"tflops": 9, "vram": "8Gi"}},
        },
        "s.yaml",
    )
    assert settings.gpu_prices == {"mine": 1.0, "NVIDIA A100-SXM4-80GB": 2.5}
    assert settings.gpu_model("MINE", "x").vram_bytes == 8 * 2**30


def test_all_problems_are_named_at_once():
    text = error_of({"report": {"sinse": "7d"}, "thresholds": {"atLimitShare": 7}, "gpus": 1})
    lines = text.splitlines()
    assert len(lines) == 3
    assert "report.sinse: unknown setting; did you mean report.since?" in text
    assert "thresholds.atLimitShare: 7 is not valid; allowed: a share above 0" in text


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([1], "a mapping is expected"),
        ({"report": {"since": "soon"}}, "report.since: 'soon' is not valid"),
        ({"report": {"since": "5s"}}, "at least 1m"),
        ({"report": {"currency": ""}}, "a short text such as USD"),
        ({"report": 5}, "report: unknown setting"),
        ({"gpuPrices": {"A1000000": 1}}, "GPU model 'A1000000' is not known"),
        ({"gpuPrices": {"A100": -1}}, "a price above 0"),
        ({"gpuPrices": 3}, "a mapping of GPU model"),
        ({"gpuModels": {"x": {"tflops": 1}}}, "{tflops: 312, vram: 80Gi}"),
        ({"gpuModels": {"x": {"tflops": 0, "vram": 1}}}, "amounts above 0"),
        ({"gpuModels": []}, "a mapping of model name"),
    ],
)
def test_a_wrong_value_says_what_is_allowed(document, words):
    assert words in error_of(document)


@pytest.mark.parametrize("text", ["a: [", "\x00"])
def test_a_file_that_is_no_yaml_is_an_error(tmp_path, text):
    path = tmp_path / "s.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match="is no YAML"):
        load_settings(path)


def test_every_threshold_of_reports_is_a_setting():
    values = {row.path: row.value for row in Settings().rows() if row.path.startswith("thresholds")}
    assert len(values) == len(fields(Thresholds))
    assert len({setting.path for setting in SETTINGS}) == len(SETTINGS)
