import shlex

import pytest


def test_the_demonstration_writes_a_report_and_names_commands_that_work(tfa, tmp_path):
    folder = tmp_path / "demo"
    ended = tfa("simulate", "--demo", "--days", "0.05", "--no-what-if", "--out", folder)
    assert ended.code == 0
    assert {path.name for path in folder.iterdir()} == {"report.html", "report.json"}
    hints = [line for line in ended.err.splitlines() if "tfa explain" in line]
    words = shlex.split(hints[0], comments=True)
    assert tfa(*words[words.index("explain") :]).code == 0


def test_a_seed_gives_the_same_report_again(tfa):
    first, second = (
        tfa("simulate", "--days", "0.02", "--no-what-if", "-o", "csv", "--seed", "3")
        for _ in range(2)
    )
    assert first.out == second.out


def test_recorded_usage_is_simulated_and_enrolled_layers_act(tfa, usage, workloads):
    ended = tfa(
        "simulate", "--from", usage, "--workloads", workloads, "--gpu-model", "A100",
        "--enrol", "requests", "--enrol", "limits", "--days", "0.5", "--no-what-if", "-o", "json",
    )  # fmt: skip
    assert ended.code == 0
    assert ended.item("chat", "tflops")["enrolment"] == {"requests": "apply", "limits": "apply"}
    assert any(item["history"] for item in ended.json["items"])
    assert ended.item("search", "vram_bytes")["identity"]["qos"] == "high"


def test_usage_that_is_repeated_to_fill_the_days_is_said(tfa, tmp_path):
    path = tmp_path / "u.csv"
    rows = (f"a/x,{1772323200 + 60 * i},tflops,{i % 7}\n" for i in range(60))
    path.write_text("series_id,ts,resource,value\n" + "".join(rows))
    asked = ("simulate", "--from", path, "--gpu-model", "A100", "--no-what-if", "-o", "json")
    said = "0.0417 days of usage are repeated from their beginning up to --days 0.08"
    assert said in tfa(*asked, "--days", "0.08").err
    assert "of usage are repeated" not in tfa(*asked).err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--demo", "--from", "{usage}"], "give either --demo or --from"),
        (["--gpu-model", "A100"], "go with --from"),
        (["--from", "{usage}"], "3 workloads without a GPU model"),
        (["--days", "0"], "0"),
    ],
)
def test_what_cannot_be_simulated_ends_with_2(tfa, usage, arguments, words):
    ended = tfa("simulate", *(argument.format(usage=usage) for argument in arguments))
    assert (ended.code, ended.out) == (2, "")
    assert words in ended.err


def test_usage_of_other_resources_cannot_be_simulated(tfa, tmp_path):
    path = tmp_path / "u.csv"
    path.write_text("series_id,ts,resource,value\na,1772323200,tokens,1\n")
    ended = tfa("simulate", "--from", path, "--gpu-model", "A100")
    assert (ended.code, ended.out) == (3, "")
    assert "neither tflops nor vram_bytes" in ended.err
