"""Commands of pages that need no cluster, word for word but for addresses and lengths of runs."""

import json
import shutil
import time

import pytest

from tests import generated_usage
from tests.components.fixtures import prometheus_with
from tests.components.lacking import lacks
from tests.components.openmetrics import write_openmetrics
from tests.components.worker_metrics import MEMORY_BYTES, TFLOPS
from tests.components.worker_series import History, Worker, constant, daily, worker_labels
from tests.pages import BEFORE_THE_FIRST_HEAD, README, ROOT, blocks, make_tfa, replaced, run_in
from tests.pages import without as left_out

WORKLOADS = (("team-a", "chat"), ("team", "chat"), ("team-a", "chat-eu"))
PROFILE = """\
apiVersion: tensor-fusion.ai/v1
kind: WorkloadProfile
metadata: {{name: {name}}}
spec: {{autoScalingConfig: {{autoSetLimits: {{enable: true, maxRatioToRequests: {ratio}}}}}}}
"""
STEP_S, HALF_A_DAY_S = 60, 12 * 3600


def measured(namespace, workload):
    usage = generated_usage.workload(f"{namespace}/{workload}", days=0.25)
    usage[["namespace", "workload"]] = [namespace, workload]
    usage["worker"] = f"{workload}-0"
    return usage.drop(columns="series_id")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Return a folder with files of usage, of what is in force, and of policies."""
    folder = tmp_path_factory.mktemp("recorded")
    usage = generated_usage.pd.concat([measured(*each) for each in WORKLOADS])
    usage.to_csv(folder / "usage.csv", index=False)
    usage.to_parquet(folder / "usage.parquet", index=False)
    amounts = "gpu_model: A100, tflops_limit: '80', vram_limit: 24Gi"
    rows = [f"- {{namespace: {one}, workload: {other}, {amounts}}}\n" for one, other in WORKLOADS]
    (folder / "workloads.yaml").write_text("".join(rows))
    for ratio, name in enumerate(("strict", "a", "b", "forecast"), start=2):
        (folder / f"{name}.yaml").write_text(PROFILE.format(name=name, ratio=ratio))
    return folder


@pytest.fixture
def shell(recorded, tmp_path):
    """Run commands in a folder with these files and the examples, where ``tfa`` is this one."""
    folder = tmp_path / "clone"
    shutil.copytree(recorded, folder)
    make_tfa(folder / ".venv" / "bin" / "tfa")

    def shell(commands, **environment):
        programs = [folder / ".venv" / "bin"]
        ended = run_in(folder, commands, programs=programs, HOME=str(tmp_path), **environment)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    shell.folder = folder
    return shell


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory, prometheus_binaries):
    """Return the address of a Prometheus that measured a workload until now."""
    del prometheus_binaries
    folder, now_s = tmp_path_factory.mktemp("prometheus"), int(time.time())
    formulas = {TFLOPS.name: daily(40.0, 10.0), MEMORY_BYTES.name: constant(12 * 2.0**30)}
    history = History(
        workers=(Worker(labels=worker_labels("team-a", "chat", "chat-0"), formulas=formulas),),
        metrics=(TFLOPS, MEMORY_BYTES),
        start_s=now_s - HALF_A_DAY_S,
        end_s=now_s,
        step_s=STEP_S,
    )
    write_openmetrics(folder / "history.om", history.families())
    with prometheus_with(folder / "server", folder / "history.om") as server:
        yield server.url


def test_a_fleet_in_a_box_is_simulated(shell):
    [commands] = blocks("simulate-and-backtest.md", "A fleet in a box", "console")
    # `make demo` is the first line, and runs in test_first_report.py.
    commands = left_out(commands, "tfa simulate --demo")
    commands = replaced(commands, "--days 1 ", "--days 0.02 --no-what-if ")
    commands = replaced(commands, "--from usage.parquet", "--no-what-if --from usage.parquet")

    assert "team-a/chat" in shell(commands)


def test_policies_are_back_tested(shell):
    page, head = "simulate-and-backtest.md", "Back-test a policy"
    [commands] = blocks(page, head, "console")
    # A Dask cluster is asked in the tests of the back-test.
    commands = left_out(commands, "--engine dask://")
    assert "team/chat" in shell(commands)


def test_policies_are_compared(shell):
    page, head = "simulate-and-backtest.md", "Compare two policies"
    files, shown = blocks(page, head, "console")
    [with_it] = blocks(page, head, "yaml")
    (shell.folder / "with.yaml").write_text(with_it)
    *first, _ = with_it.splitlines(keepends=True)
    (shell.folder / "without.yaml").write_text("".join(first).replace("{name: with}", "{name: wo}"))
    asked, *answer = shown.removeprefix("$ ").splitlines()

    assert "then: profile b of b.yaml" in shell(files)
    ended = shell(asked)

    assert "A  without: profile wo of without.yaml\n" in ended
    columns = answer[3].split()
    assert columns[0] == "LAYER"
    # The page leaves out columns that say nothing there.
    [shown_columns] = [line.split() for line in ended.splitlines() if line.startswith("LAYER")][:1]
    assert [each for each in shown_columns if each in columns] == columns


def test_a_workload_is_explained_and_its_forecast_judged(shell, prometheus):
    [commands] = blocks("forecasting.md", "Before you switch it on", "console")

    shown = shell(replaced(commands, "--prometheus-url URL", f"--prometheus-url {prometheus}"))

    assert "pattern of the days" in shown
    assert "forecast" in shown


def test_reports_are_written_rendered_and_compared(shell, prometheus):
    page = "reports.md"
    [first] = blocks(page, BEFORE_THE_FIRST_HEAD, "console")
    [step] = blocks(page, "In CI", "console")
    shell("tfa report --from usage.csv --gpu-model A100 -o json > last-week.json")

    shell(replaced(first, "https://prometheus.example", prometheus))

    shell(step)
    assert (shell.folder / "report.html").exists()
    assert (shell.folder / "comment.md").read_text().startswith("### GPU recommendations")


def test_a_server_is_asked(shell, prometheus):
    [commands] = blocks("reports.md", "From Prometheus", "console")
    commands = replaced(commands, "https://prometheus.example", prometheus, count=3)
    # The cluster is no part of this.
    commands = replaced(commands, "tfa check ", "tfa check --no-cluster ")

    assert "team-a/chat" in shell(commands)


def test_the_readme_reads_a_server_and_a_file(shell, prometheus):
    server, file = blocks(README, "Try it on your own usage", "console")
    server = replaced(server, "https://prometheus.example", prometheus, count=3)
    server = replaced(server, "tfa check ", "tfa check --no-cluster ")

    assert "team-a/chat" in shell(server)
    assert "team-a/chat" in shell(file)


def test_changes_of_a_workload_are_found_in_the_decision_log(shell):
    if shutil.which("jq") is None:
        lacks("jq is not installed")
    [command] = blocks("decision-log.md", BEFORE_THE_FIRST_HEAD, "console")
    lines = [
        {"kind": kind, "namespace": "team", "workload": name}
        for kind in ("decision", "change")
        for name in ("chat", "search")
    ]
    (shell.folder / "decisions.jsonl").write_text("".join(f"{json.dumps(x)}\n" for x in lines))

    assert json.loads(shell(command)) == lines[2]


def test_completion_is_printed_for_each_shell(shell, tmp_path):
    [commands] = blocks("packages.md", "Completion", "console")
    for folder in (".local/share/bash-completion/completions", ".config/fish/completions"):
        (tmp_path / folder).mkdir(parents=True)
    commands = replaced(commands, "/etc/bash_completion.d/tfa", "for-all")
    commands = replaced(commands, '"${fpath[1]}/_tfa"', "_tfa")

    shell(commands)

    written = [shell.folder / "for-all", shell.folder / "_tfa"]
    written += [path for path in tmp_path.glob(".*/**/*") if path.is_file()]
    assert len(written) == 4
    assert all("tfa" in path.read_text() for path in written)


def test_runbooks_are_led_to_where_they_are_published(shell):
    [command] = blocks("dashboards-and-alerts.md", "Alerts", "console")
    shutil.copytree(ROOT / "deploy" / "alerts", shell.folder / "deploy" / "alerts")

    shell(command)

    rules = (shell.folder / "deploy" / "alerts" / "prometheus-rule.yaml").read_text()
    assert "runbook_url: https://docs.example/runbooks.md#" in rules
    assert "runbook_url: docs/" not in rules
