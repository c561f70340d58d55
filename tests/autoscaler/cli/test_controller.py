import pytest

from autoscaler.cli.controller_run import ControllerFlags
from autoscaler.kube.webhook_address import ServiceAddress, UrlAddress
from autoscaler.logs import LogFormat


def flags(**changes):
    values = {
        "namespace": "gpus",
        "has_standalone_workers": False,
        "root_owners": (),
        "webhook_replicas": 2,
        "webhook_open_after": None,
        "webhook_url": None,
        "is_certificate_external": False,
        "release_after": "60s",
        "resync": "5m",
        "write_rate_per_s": 200.0,
        "workers": 8,
        "address": None,
        "health_port": 8080,
        "kubeconfig": None,
        "log_format": LogFormat.TEXT,
    }
    return ControllerFlags(**{**values, **changes})


def test_durations_become_seconds_and_the_namespace_is_that_of_all_parts():
    rules = flags(release_after="2m", resync="1h", workers=3).rules

    assert (rules.namespace, rules.release_after_s, rules.resync_s, rules.workers) == (
        "gpus",
        120.0,
        3600.0,
        3,
    )
    assert flags().webhook_address == ServiceAddress(namespace="gpus")


def test_the_webhook_may_be_elsewhere_and_may_be_left_out_in_time():
    found = flags(webhook_url="https://192.0.2.1:9443", webhook_open_after="10m")

    assert found.webhook_address == UrlAddress(url="https://192.0.2.1:9443")
    assert found.keeper_rules.open_after_s == 600.0
    assert flags().keeper_rules.open_after_s is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--release-after=soon"], "--release-after: 'soon' is not valid"),
        (["--release-after=-1s"], "--release-after: -1s is not valid; allowed: 0s and longer"),
        (["--resync=10ms"], "--resync: 10ms is not valid; allowed: 1s and longer"),
        (["--webhook-open-after=never"], "--webhook-open-after: 'never' is not valid"),
        (["--webhook-url=http://a"], "'http://a' is not allowed; allowed: https://<host>:<port>"),
        (["--webhook-replicas=0"], "--webhook-replicas"),
        (["--write-rate=0"], "write rate: 0 per second; allowed: any above 0"),
        (["--workers=0"], "--workers"),
        (["--root-owner=Job.batch=Foo"], "allowed: CHILD=KIND.GROUP with one of ReplicaSet.apps"),
        (["--health-port=65536"], "--health-port"),
        (["--kubeconfig=missing"], "kubeconfig missing: there is no such file"),
        ([], "no API server is named"),
    ],
    ids=" ".join,
)
def test_a_wrong_argument_is_named_with_what_is_allowed(tfa, arguments, message):
    ended = tfa("controller", *arguments)

    assert ended.code == 2
    assert message in ended.err
    assert "Traceback" not in ended.err
