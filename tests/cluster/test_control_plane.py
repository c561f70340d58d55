"""The control plane of the tests is a real one, whose parts can be broken one by one."""

import json
import os
import signal

import pytest

from autoscaler.kube.resource import CONFIG_MAPS
from tests.cluster.control_plane import start_control_plane
from tests.cluster.identities import USERS
from tests.cluster.nodes import temporary_node
from tests.cluster.rest import Rest, RestError, UnreachableError
from tests.components.processes import LOOPBACK, free_port, until
from tests.components.programs import component_of, named_program

QUOTA = """
apiVersion: v1
kind: ResourceQuota
metadata: {name: small}
spec: {hard: {pods: "1"}}
"""
POD = """
apiVersion: v1
kind: Pod
metadata: {name: NAME}
spec:
  containers: [{name: main, image: pretended}]
"""


@pytest.fixture(scope="module")
def breakable(control_plane, tmp_path_factory):
    """Run another one, which each test leaves as it was."""
    folder = tmp_path_factory.mktemp("breakable")
    with start_control_plane(folder, controllers=False, scheduler=False) as plane:
        yield plane


def config_map(name, **metadata):
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, **metadata},
        "data": {"is": name},
    }


def put(control_plane, namespace, thing):
    return Rest(control_plane).request("POST", CONFIG_MAPS.path(namespace), thing)


def names_of(control_plane, kind, namespace):
    listed = control_plane.kubectl("get", kind, "-n", namespace, "-o", "json").json
    return {each["metadata"]["name"] for each in listed["items"]}


def test_it_is_the_kubernetes_that_was_asked_for(control_plane):
    if named_program("kube-apiserver") is not None:
        pytest.skip("a variable names a program of any release")
    stamps = component_of("kube-apiserver").stamps

    assert Rest(control_plane).get("/version")["gitVersion"] in stamps.values()


@pytest.mark.parametrize("user", USERS)
def test_every_user_has_a_token_that_the_server_knows(control_plane, user):
    command = ("auth", "whoami", "-o", "json")
    given = control_plane.kubectl(*command, user=user).json["status"]["userInfo"]

    assert (given["username"], tuple(given["groups"])) == USERS[user]
    assert control_plane.token(USERS[user][0]) == control_plane.token(user)


def test_anybody_can_be_impersonated_with_groups(control_plane):
    kubeconfig = control_plane.kubeconfig("bob", ("system:authenticated", "team-a"))
    given = control_plane.kubectl("--kubeconfig", kubeconfig, "auth", "whoami", "-o", "json").json

    assert given["status"]["userInfo"]["username"] == "bob"
    assert "team-a" in given["status"]["userInfo"]["groups"]


def test_a_stranger_has_no_token(control_plane):
    with pytest.raises(ValueError, match=r"'bob' has no token; allowed: admin, webhook"):
        control_plane.token("bob")


@pytest.mark.parametrize("user", ["webhook", "alice"])
def test_rights_come_from_rbac_alone(control_plane, namespace, user):
    command = ("get", "pods", "-n", namespace)
    assert "forbidden" in control_plane.kubectl(*command, user=user).err

    who = f"--user={USERS[user][0]}"
    control_plane.kubectl(
        "create", "rolebinding", "viewers", "--clusterrole=view", who, "-n", namespace
    ).well()

    until(lambda: control_plane.kubectl(*command, user=user).code == 0, what=f"{user} may look")


def test_kubectl_says_what_went_wrong(control_plane):
    ended = control_plane.kubectl("get", "pods", "-n", "default", "no-such-pod")

    assert ended.code == 1
    with pytest.raises(AssertionError, match=r"kubectl get pods .*NotFound"):
        assert ended.json


def test_kubectl_applies_a_text_and_a_folder_of_kustomize(control_plane, namespace, tmp_path):
    (tmp_path / "kustomization.yaml").write_text("resources: [one.yaml]\nnamePrefix: my-\n")
    (tmp_path / "one.yaml").write_text(json.dumps(config_map("one")))
    control_plane.kubectl("apply", "-n", namespace, "-k", tmp_path).well()
    text = json.dumps(config_map("two"))
    control_plane.kubectl("apply", "-n", namespace, "-f", "-", stdin=text).well()

    assert names_of(control_plane, "configmaps", namespace) >= {"my-one", "two"}


def test_a_quota_refuses_what_exceeds_it(control_plane, namespace):
    control_plane.kubectl("apply", "-n", namespace, "-f", "-", stdin=QUOTA).well()
    until(
        lambda: (
            control_plane.kubectl(
                "get", "quota", "small", "-n", namespace, "-o", "jsonpath={.status.used.pods}"
            ).out
        ),
        what="the quota is counted",
    )

    def create(name):
        text = POD.replace("NAME", name)
        return control_plane.kubectl("create", "-n", namespace, "-f", "-", stdin=text)

    create("first").well()
    assert "exceeded quota: small" in create("second").err


def test_what_an_object_owns_is_collected_with_it(control_plane, namespace):
    owner = put(control_plane, namespace, config_map("owner"))
    reference = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "name": "owner",
        "uid": owner["metadata"]["uid"],
    }
    put(control_plane, namespace, config_map("owned", ownerReferences=[reference]))
    put(control_plane, namespace, config_map("free"))

    control_plane.kubectl("delete", "configmap", "owner", "-n", namespace).well()

    until(
        lambda: "owned" not in names_of(control_plane, "configmaps", namespace),
        what="the owned object is collected",
    )
    assert "free" in names_of(control_plane, "configmaps", namespace)


def test_a_deleted_namespace_goes_with_all_that_it_holds(control_plane):
    control_plane.kubectl("create", "namespace", "short-lived").well()
    put(control_plane, "short-lived", config_map("content"))

    control_plane.kubectl("delete", "namespace", "short-lived", "--timeout=30s").well()

    assert "NotFound" in control_plane.kubectl("get", "namespace", "short-lived").err


def test_the_scheduler_binds_a_pod_to_the_node_that_has_what_it_asks_for(control_plane, namespace):
    text = POD.replace("NAME", "wants-a-gpu").replace(
        "image: pretended", "image: pretended, resources: {limits: {nvidia.com/gpu: 2}}"
    )
    path = ("get", "pod", "wants-a-gpu", "-n", namespace, "-o", "jsonpath={.spec.nodeName}")
    with (
        temporary_node(control_plane, "without-gpus"),
        temporary_node(control_plane, "with-gpus", gpus=2, labels={"pool": "a"}) as node,
    ):
        control_plane.kubectl("apply", "-n", namespace, "-f", "-", stdin=text).well()
        bound = until(lambda: control_plane.kubectl(*path).out, what="the pod is bound")

    assert bound == "with-gpus"
    assert node["metadata"]["labels"]["pool"] == "a"


def test_the_data_and_the_certificate_outlive_a_restart_of_the_api_server(breakable):
    put(breakable, "default", config_map("kept"))
    certificate = breakable.ca_file.read_bytes()

    breakable.stop_api_server()
    with pytest.raises(UnreachableError, match="refused"):
        Rest(breakable).get(CONFIG_MAPS.path("default", "kept"))
    breakable.start_api_server()

    assert "kept" in names_of(breakable, "configmaps", "default")
    assert breakable.ca_file.read_bytes() == certificate


def test_a_paused_api_server_is_silent_until_it_goes_on(breakable):
    path = CONFIG_MAPS.path("default")
    breakable.pause_api_server()
    with pytest.raises(UnreachableError, match="timed out"):
        Rest(breakable, timeout_s=0.2).get(path)

    breakable.resume_api_server()

    assert Rest(breakable).get(path)["kind"] == "ConfigMapList"


def test_without_etcd_nothing_is_written_until_it_is_back(breakable):
    rest = Rest(breakable, timeout_s=1.0)
    breakable.stop_etcd()
    with pytest.raises((UnreachableError, RestError)):
        rest.request("POST", CONFIG_MAPS.path("default"), config_map("lost"))

    breakable.start_etcd()

    until(
        lambda: breakable.kubectl("create", "configmap", "written", "-n", "default").code == 0,
        what="the API server writes again",
    )


def test_a_scheduler_that_has_ended_is_started_anew_and_leaves_no_process_behind(breakable):
    breakable.start_scheduler()
    scheduler = breakable.process("kube-scheduler")
    first = scheduler.pid
    breakable.outlive_scheduler()
    assert scheduler.pid == first

    os.kill(first, signal.SIGKILL)
    until(lambda: scheduler.has_ended, what="the scheduler has ended")
    breakable.outlive_scheduler()

    assert breakable.process("kube-scheduler").is_running
    assert breakable.process("kube-scheduler").pid != first
    with pytest.raises(ChildProcessError):
        os.waitpid(first, os.WNOHANG)
    breakable.process("kube-scheduler").stop()


def test_a_webhook_on_loopback_is_called_without_any_proxy(control_plane, namespace):
    address = f"{LOOPBACK}:{free_port()}"
    webhook = {
        "name": "nobody.example.com",
        "clientConfig": {"url": f"https://{address}/"},
        "sideEffects": "None",
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "admissionReviewVersions": ["v1"],
        "rules": [
            {
                "apiGroups": [""],
                "apiVersions": ["v1"],
                "operations": ["CREATE"],
                "resources": ["configmaps"],
            }
        ],
    }
    configuration = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "nobody"},
        "webhooks": [webhook],
    }
    control_plane.kubectl("apply", "-f", "-", stdin=json.dumps(configuration)).well()

    def refusal():
        command = ("create", "configmap", "x", "-n", namespace, "--dry-run=server")
        return control_plane.kubectl(*command).err

    refused = until(refusal, what="the webhook is in force")
    control_plane.kubectl("delete", "validatingwebhookconfiguration", "nobody").well()
    assert f"dial tcp {address}: connect: connection refused" in refused


def test_another_control_plane_runs_beside_it_and_leaves_no_process_behind(control_plane, tmp_path):
    with start_control_plane(tmp_path, controllers=False, scheduler=False) as other:
        put(other, "default", config_map("only-there"))
        processes = [other.process("etcd"), other.process("kube-apiserver")]
        assert [process.is_running for process in processes] == [True, True]
        assert "only-there" not in names_of(control_plane, "configmaps", "default")

    assert [process.is_running for process in processes] == [False, False]
