import pytest

from autoscaler.cli.webhook_run import WebhookFlags
from autoscaler.logs import LogFormat

FLAGS = {
    "namespace": "elsewhere",
    "limiter_image": "limiter:1",
    "connection_endpoint": "",
    "has_standalone_workers": False,
    "root_owners": (),
    "address": None,
    "port": 9443,
    "health_port": 8080,
    "certificate_file": None,
    "key_file": None,
    "drain": "10s",
    "kubeconfig": None,
    "log_format": LogFormat.TEXT,
}


@pytest.fixture(autouse=True)
def _no_cluster(monkeypatch, tmp_path):
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "TFA_LIMITER_IMAGE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def test_the_installation_is_what_the_flags_say():
    flags = FLAGS | {"connection_endpoint": "https://x", "has_standalone_workers": True}
    installation = WebhookFlags(**flags).installation

    assert installation.limiter_image == "limiter:1"
    assert installation.connection_endpoint == "https://x"
    assert installation.has_standalone_workers


def test_further_owners_are_added_to_the_table():
    stated = ("ReplicaSet.apps=A.example.com", "Job.batch=B.x.io", "ReplicaSet.apps=C.example.com")

    assert WebhookFlags(**FLAGS | {"root_owners": stated}).installation.root_owners == {
        "ReplicaSet.apps": ("A.example.com", "C.example.com"),
        "Job.batch": ("B.x.io",),
    }


def test_the_image_of_the_limiter_must_be_named(tfa):
    ended = tfa("webhook")

    assert ended.code == 2
    assert "--limiter-image" in ended.err
    assert "TFA_LIMITER_IMAGE" in ended.err


def test_the_image_of_the_limiter_may_come_from_the_environment(tfa, monkeypatch):
    monkeypatch.setenv("TFA_LIMITER_IMAGE", "limiter:1")
    ended = tfa("webhook")

    assert "--limiter-image" not in ended.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--limiter-image="], "--limiter-image must not be empty"),
        (["--certificate-file=a"], "--certificate-file and --key-file: give both, or none"),
        (["--key-file=a"], "--certificate-file and --key-file: give both, or none"),
        (["--drain=soon"], "--drain: 'soon' is not valid"),
        (["--drain=-1s"], "--drain: -1s is not valid; allowed: 0s and longer"),
        (["--root-owner=Pod=Foo.example.com"], "--root-owner: 'Pod=Foo.example.com' is not valid"),
        (["--root-owner=Job.batch=Foo"], "allowed: CHILD=KIND.GROUP with one of ReplicaSet.apps"),
        (["--port=0"], "--port"),
        (["--health-port=65536"], "--health-port"),
        (["--log-format=xml"], "--log-format"),
        (["--kubeconfig=missing"], "kubeconfig missing: there is no such file"),
        ([], "no API server is named"),
    ],
    ids=" ".join,
)
def test_a_wrong_argument_is_named_with_what_is_allowed(tfa, arguments, message):
    ended = tfa("webhook", "--limiter-image=limiter:1", *arguments)

    assert ended.code == 2
    assert message in ended.err
    assert "Traceback" not in ended.err
