import csv
import io

import jsonschema
import pytest
import yaml


def test_show_lists_every_setting_with_value_default_source_and_meaning(tfa):
    rows = tfa("config", "show", "-o", "json").json
    assert {row["scope"] for row in rows} == {"process", "defaults"}
    for row in rows:
        assert row["path"]
        assert row["value"]
        assert row["default"]
        assert row["source"]
        assert row["meaning"]


def test_formats_of_show_agree(tfa):
    rows = tfa("config", "show", "-o", "json").json
    assert yaml.safe_load(tfa("config", "show", "-o", "yaml").out) == rows
    assert list(csv.DictReader(io.StringIO(tfa("config", "show", "-o", "csv").out))) == rows
    table = tfa("config", "show").out
    assert all(row["path"] in table for row in rows)


def test_show_of_a_config_alone(tfa, tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("autoScalingConfig: {autoSetRequests: {percentileForAutoRequests: 90}}\n")
    rows = tfa("config", "show", "--profile", path, "-o", "json").json
    [row] = [row for row in rows if row["path"] == "requests.compute.percentile"]
    assert (row["value"], row["default"], row["source"]) == ("90%", "95%", str(path))


def test_show_of_a_workload(tfa, workloads):
    ended = tfa("config", "show", "--workloads", workloads, "--workload", "team/chat", "-o", "json")
    assert {row["scope"] for row in ended.json} == {"process", "team/chat"}


def test_show_names_all_problems_of_a_profile(tfa, tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("autoSetRequests: {percentileForAutoRequests: lots, agregationPeriod: 1d}\n")
    ended = tfa("config", "show", "--profile", path)
    assert ended.code == 2
    assert len(ended.err.splitlines()) == 2
    assert "'lots'" in ended.err


@pytest.mark.parametrize(
    "arguments",
    [["--workload", "team/chat"], ["--workloads", "{workloads}", "--workload", "team/none"]],
)
def test_a_workload_that_is_not_there_ends_with_2(tfa, workloads, arguments):
    filled = [argument.format(workloads=workloads) for argument in arguments]
    assert tfa("config", "show", *filled).code == 2


@pytest.mark.parametrize("name", ["autoScalingConfig", "workloads", "report"])
def test_schemas_are_valid(tfa, name):
    schema = tfa("config", "schema", name).json
    jsonschema.Draft202012Validator.check_schema(schema)


PROFILE = """\
kind: WorkloadProfile
metadata: {name: %s, namespace: team-a}
spec:
  autoScalingConfig:
    autoSetRequests: {percentileForAutoRequests: 90%%}
"""


def test_show_of_profiles_alone_shows_each_of_them(tfa, tmp_path):
    for name in ("small", "large"):
        (tmp_path / f"{name}.yaml").write_text(PROFILE % name)
    rows = tfa("config", "show", "--profiles", tmp_path, "-o", "json").json
    assert {row["scope"] for row in rows} == {
        "process",
        "profile team-a/small",
        "profile team-a/large",
    }
    values = {row["value"] for row in rows if row["path"] == "requests.compute.percentile"}
    assert values == {"90%"}


@pytest.mark.parametrize("text", ["a: 1\n---\nb: 2\n", "a: 2026-13-45\n", "[" * 3000])
@pytest.mark.parametrize("option", ["--profile", "--config"])
def test_what_is_no_yaml_document_is_wrong_configuration(tfa, tmp_path, option, text):
    path = tmp_path / "c.yaml"
    path.write_text(text)
    ended = tfa("config", "show", option, path)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"error: {path}")
    assert "is no YAML: " in ended.err
