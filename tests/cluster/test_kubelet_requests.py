"""What a test can ask of a kubelet, what it refuses, and how it goes through outages."""

import json
from pathlib import Path

import pytest

from tests.cluster.kubelet import FakeKubelet
from tests.cluster.nodes import add_node, temporary_node
from tests.cluster.pods import SERVE, condition_of, phase_is, pod, python
from tests.components.processes import until


def test_an_annotation_that_changes_is_seen_by_the_next_start_only(cluster, kubelet, namespace):
    path = "metadata.annotations['tensor-fusion.ai/tflops-limit']"
    entry = {"name": "LIMIT", "valueFrom": {"fieldRef": {"fieldPath": path}}}
    script = python("import os; print(f\"<{os.environ['LIMIT']}>\"); " + SERVE, env=[entry])
    cluster.apply(pod(container=script))
    cluster.logs("<>\nup")

    cluster.kubectl("annotate", "pod", "it", "tensor-fusion.ai/tflops-limit=25").well()
    assert "<>" in cluster.log()
    kubelet.restart_container(namespace, "it")
    cluster.logs("<25>\nup")
    assert kubelet.environment(namespace, "it")["LIMIT"] == "25"
    found = cluster.shows(
        "pod", "it", lambda it: it["status"]["containerStatuses"][0]["restartCount"] >= 1
    )
    assert found["status"]["phase"] == "Running"


def test_a_pod_is_unready_while_a_test_holds_it(cluster, kubelet, namespace):
    cluster.apply(pod())
    cluster.shows("pod", "it", phase_is("Running"))

    kubelet.hold_readiness(namespace, "it")
    cluster.shows("pod", "it", lambda it: condition_of(it, "Ready") == "False")
    kubelet.release_readiness(namespace, "it")
    cluster.shows("pod", "it", lambda it: condition_of(it, "Ready") == "True")


def test_a_pod_that_a_node_evicts_has_failed(cluster, kubelet, namespace):
    cluster.apply(pod(container=python(SERVE)))
    cluster.logs("up")

    kubelet.fail(namespace, "it", reason="Evicted")

    status = cluster.shows("pod", "it", phase_is("Failed"))["status"]
    assert status["reason"] == "Evicted"
    assert status["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 137


def test_a_pretended_container_ends_as_a_test_wants_it(cluster, kubelet, namespace):
    cluster.apply(pod(restartPolicy="Never"))
    cluster.shows("pod", "it", phase_is("Running"))

    kubelet.end_container(namespace, "it", code=0)

    cluster.shows("pod", "it", phase_is("Succeeded"))


def test_what_cannot_be_started_is_said_in_the_status(cluster):
    resource = {"valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}, "name": "CPUS"}
    cluster.apply(
        pod("unsupported", container=python(SERVE, env=[resource])),
        pod("unknown", container={"image": "process:/no/such/program"}),
        pod("waiting", container=python(SERVE, envFrom=[{"configMapRef": {"name": "late"}}])),
    )

    for name, reason, text in (
        ("unsupported", "CreateContainerConfigError", "resourceFieldRef is not supported"),
        ("unknown", "RunContainerError", "has no program /no/such/program"),
        ("waiting", "CreateContainerConfigError", "there is no ConfigMap late"),
    ):
        cluster.shows_column(reason, name)
        status = cluster.get("pod", name)["status"]["containerStatuses"][0]
        assert text in status["state"]["waiting"]["message"]

    cluster.kubectl("create", "configmap", "late", "--from-literal=DEPTH=3").well()
    cluster.logs("up", "waiting")


def test_a_kubelet_goes_on_after_the_api_server_was_away(own_control_plane, tmp_path):
    add_node(own_control_plane, "node")
    first, second = pod("first", nodeName="node"), pod("second", nodeName="node")

    def runs(name):
        path = ("-n", "default", "-o", "jsonpath={.status.phase}")
        until(
            lambda: own_control_plane.kubectl("get", "pod", name, *path).out == "Running",
            what=f"pod {name} runs",
        )

    def create(thing):
        command = ("create", "-n", "default", "-f", "-")
        own_control_plane.kubectl(*command, stdin=json.dumps(thing)).well()

    with FakeKubelet(own_control_plane, ["node"], tmp_path):
        create(first)
        runs("first")
        own_control_plane.stop_api_server()
        own_control_plane.start_api_server()
        create(second)
        runs("second")


def test_a_kubelet_that_is_stopped_ends_its_processes(
    cluster, control_plane, kubelet, namespace, tmp_path
):
    name = "to-be-stopped"
    script = python("import os; print(os.getpid(), flush=True); " + SERVE)
    with temporary_node(control_plane, name):
        with FakeKubelet(control_plane, [name], tmp_path) as other:
            cluster.apply(pod(container=script, nodeName=name))
            log = other.log_file(namespace, "it")
            number = until(lambda: log.exists() and log.read_text(), what="it runs").split()[0]
            assert Path(f"/proc/{number}").exists()

        assert not Path(f"/proc/{number}").exists()


def test_a_kubelet_that_starts_later_leaves_finished_pods_alone(
    cluster, control_plane, kubelet, namespace, tmp_path
):
    cluster.apply(pod("over", container=python("print('once')"), restartPolicy="Never"))
    node = cluster.shows("pod", "over", phase_is("Succeeded"))["spec"]["nodeName"]
    kubelet.stop()
    cluster.apply(pod("next", nodeName=node))

    with FakeKubelet(control_plane, [node], tmp_path / "later") as later:
        cluster.shows("pod", "next", phase_is("Running"))
        assert not list((later.root / "logs").glob(f"{namespace}_over_*"))
        cluster.kubectl("delete", "pod", "over").well()


def test_asking_for_a_pod_that_is_not_there_is_an_error(control_plane, tmp_path):
    with (
        FakeKubelet(control_plane, ["absent"], tmp_path, patience_s=0) as kubelet,
        pytest.raises(LookupError, match="no pod team/it is on absent"),
    ):
        kubelet.fail("team", "it")


def test_asking_for_a_container_or_volume_that_is_not_there_is_an_error(
    cluster, kubelet, namespace
):
    cluster.apply(pod())

    with pytest.raises(LookupError, match=f"pod {namespace}/it has no container 'other'"):
        kubelet.log_file(namespace, "it", "other")
    with pytest.raises(LookupError, match="tf-ctl"):
        kubelet.volume(namespace, "it", "tf-ctl")
