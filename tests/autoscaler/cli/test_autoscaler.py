from pathlib import Path

import pytest

from autoscaler.cli.autoscaler_flags import AutoscalerFlags
from autoscaler.cli.prometheus_flags import PrometheusFlags
from autoscaler.cli.stated_input import StatedOptions
from autoscaler.errors import UsageError
from autoscaler.kube.webhook_address import ServiceAddress, UrlAddress
from autoscaler.logs import LogFormat
from autoscaler.scaling.running.profile import Profile


def flags(**changes):
    values = {
        "profile": Profile.FULL,
        "namespace": "gpus",
        "namespace_selector": "",
        "instance": "",
        "scalable": (),
        "webhook_url": None,
        "server": PrometheusFlags(url="http://127.0.0.1:9090"),
        "stated": StatedOptions(),
        "decision_log": None,
        "tick": "15s",
        "requests_every": "1m",
        "step": "15s",
        "state_file": None,
        "checkpoint_every": "5m",
        "train_every": "24h",
        "write_rate_per_s": 200.0,
        "writers": 8,
        "scaler_allow": (),
        "scaler_ca_file": None,
        "scaler_token_file": None,
        "address": None,
        "health_port": 8080,
        "page_port": 8090,
        "page_address": "",
        "page_token_file": None,
        "page_every": "5m",
        "has_workload_metrics": True,
        "kubeconfig": None,
        "log_format": LogFormat.TEXT,
    }
    return AutoscalerFlags(**{**values, **changes})


def test_durations_become_seconds_and_the_history_is_that_of_the_settings():
    rules = (
        flags(tick="2s", requests_every="3m", page_every="30s", checkpoint_every="1h").read().rules
    )

    assert (rules.tick_s, rules.requests_every_s, rules.page_every_s) == (2.0, 180.0, 30.0)
    assert (rules.step_s, rules.since_s, rules.checkpoint_every_s) == (15, 14 * 86400, 3600.0)
    assert rules.train_every_s == 86400.0


def test_the_history_may_be_shorter():
    assert flags(stated=StatedOptions(since="3d")).read().rules.since_s == 3 * 86400


def test_an_instance_for_some_namespaces_is_named():
    rules = flags(namespace_selector="team=search", instance="search").read().rules

    assert rules.lease_name == "tensor-fusion-autoscaler-search"


def test_the_webhook_may_be_elsewhere():
    elsewhere = flags(webhook_url="https://192.0.2.1:9443").read()

    assert flags().read().webhook == ServiceAddress(namespace="gpus")
    assert elsewhere.webhook == UrlAddress(url="https://192.0.2.1:9443")


@pytest.mark.parametrize(
    ("profile", "changes", "useless"),
    [
        (Profile.FULL, {"stated": StatedOptions(workloads="rows.csv")}, "--workloads"),
        (Profile.RECOMMEND_ONLY, {"scalable": ("Rollout.argoproj.io",)}, "--scalable"),
        (Profile.RECOMMEND_ONLY, {"scaler_allow": ("a",)}, "--external-scaler-allow"),
        (Profile.RECOMMEND_ONLY, {"scaler_ca_file": Path("a")}, "--external-scaler-ca-file"),
        (Profile.RECOMMEND_ONLY, {"page_address": "192.0.2.1"}, "--page-address"),
        (Profile.BESIDE_UPSTREAM, {"webhook_url": "https://a:1"}, "--webhook-url"),
    ],
    ids=str,
)
def test_what_a_profile_has_no_use_for_is_refused(profile, changes, useless):
    with pytest.raises(UsageError) as raised:
        flags(profile=profile, **changes).read()

    assert f"--profile {profile} has no use for {useless}: " in str(raised.value)


def test_a_file_that_can_never_be_written_is_refused(tmp_path):
    path = tmp_path / "missing" / "state"

    with pytest.raises(
        UsageError, match=f"--state-file: {path} cannot be written; allowed: a file"
    ):
        flags(state_file=path).read()
    with pytest.raises(UsageError, match="--decision-log: "):
        flags(decision_log=path).read()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--tick=soon"], "--tick: 'soon' is not valid"),
        (["--tick=100ms"], "--tick: 0.1s is not valid; allowed: 1s to 300s"),
        (["--step=1.5s"], "--step: '1.5s' is not valid; allowed: whole seconds"),
        (["--requests-every=2d"], "--requests-every: 172800s is not valid; allowed: 1s to 86400s"),
        (["--since=1s"], "--since: '1s' is not valid; allowed: at least 1m"),
        (["--instance=a"], "--namespace-selector and --instance: give both, or none of them"),
        (["--page-port=8080"], "--health-port and --page-port are both 8080; allowed: two ports"),
        (["--webhook-url=http://a"], "'http://a' is not allowed; allowed: https://<host>:<port>"),
        (["--profile=half"], "--profile"),
        (["--workers=0"], "--workers"),
        (["--page-token-file=missing"], "--page-token-file: missing: No such file"),
        (["--external-scaler-token-file=."], "--external-scaler-token-file: .: Is a directory"),
        (["--namespace=Foo Bar"], "--namespace: 'Foo Bar' is not valid; allowed: at most 63 lower"),
        (["--state-file=."], "--state-file: . cannot be written; allowed: a file"),
        (
            ["--instance=a", "--namespace-selector=a===b"],
            "--namespace-selector: 'a===b' is not valid; allowed: labels as kubectl -l takes them",
        ),
        (["--kubeconfig=missing"], "kubeconfig missing: there is no such file"),
        (["--config=missing.yaml"], "missing.yaml: cannot be read"),
        (["--prometheus-url=http://127.0.0.1:9090"], "no API server is named"),
    ],
    ids=" ".join,
)
def test_a_wrong_argument_is_named_with_what_is_allowed(tfa, arguments, message):
    ended = tfa("autoscaler", *arguments)

    assert ended.code == 2
    assert message in ended.err
    assert "Traceback" not in ended.err
