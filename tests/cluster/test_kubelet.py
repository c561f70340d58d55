"""The kubelet of the tests runs pods as a real one does, as far as anybody can see in the API."""

import json

import pytest

from tests.cluster.pods import PYTHON, SERVE, condition_of, phase_is, pod, python
from tests.components.processes import until


def test_the_pods_of_a_deployment_get_ready(cluster):
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": pod()["spec"]}
    cluster.apply(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "web"},
            "spec": {"replicas": 3, "selector": {"matchLabels": labels}, "template": template},
        }
    )

    found = cluster.shows("deployment", "web", lambda it: it["status"].get("readyReplicas") == 3)
    assert found["status"]["availableReplicas"] == 3


def test_a_running_pod_has_an_address_a_container_id_and_the_usual_conditions(cluster):
    cluster.apply(pod())
    status = cluster.shows("pod", "it", phase_is("Running"))["status"]

    assert {each["type"]: each["status"] for each in status["conditions"]} == dict.fromkeys(
        ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"],
        "True",
    )
    assert status["podIP"].startswith("127.1.")
    assert status["hostIP"] == "127.0.0.1"
    assert status["containerStatuses"][0]["containerID"] == "process://main-1"
    assert cluster.column() == "Running"


def test_a_job_completes_and_its_pod_has_succeeded(cluster):
    template = {
        "spec": pod(container=python("print('done')"), restartPolicy="Never")["spec"],
    }
    cluster.apply(
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": "train"},
            "spec": {"template": template},
        }
    )

    found = cluster.shows("job", "train", lambda it: it["status"].get("succeeded") == 1)
    assert condition_of(found, "Complete") == "True"


def test_init_containers_end_one_after_the_other_before_the_others_begin(cluster):
    mounts = [{"name": "scratch", "mountPath": "/scratch"}]

    def noting(name):
        text = f"open('/scratch/order', 'a').write('{name} ')"
        return {"name": name, "volumeMounts": mounts, **python(text)}

    main = {
        "name": "main",
        "volumeMounts": mounts,
        **python("print(open('/scratch/order').read()); " + SERVE),
    }
    cluster.apply(
        pod(
            container=main,
            initContainers=[noting("one"), {"name": "two", "image": "pretended"}, noting("three")],
            volumes=[{"name": "scratch", "emptyDir": {}}],
        )
    )

    cluster.logs("one three \nup")
    status = cluster.shows("pod", "it", phase_is("Running"))["status"]
    assert [
        (each["name"], each["ready"], each["state"]["terminated"]["reason"])
        for each in status["initContainerStatuses"]
    ] == [(name, True, "Completed") for name in ("one", "two", "three")]


def test_a_failing_init_container_is_shown_and_holds_the_others_back(cluster):
    init = [{"name": "install", **python("raise SystemExit('no library')")}]
    cluster.apply(pod(initContainers=init))

    cluster.shows_column("Init:CrashLoopBackOff")
    status = cluster.get("pod", "it")["status"]
    assert status["phase"] == "Pending"
    assert status["containerStatuses"][0]["state"] == {"waiting": {"reason": "PodInitializing"}}
    cluster.logs("no library", container="install")


def test_a_failing_init_container_that_is_not_run_again_fails_the_pod(cluster):
    init = [{"name": "install", **python("raise SystemExit(3)")}]
    cluster.apply(pod(initContainers=init, restartPolicy="Never"))

    found = cluster.shows("pod", "it", phase_is("Failed"))
    assert found["status"]["initContainerStatuses"][0]["state"]["terminated"]["exitCode"] == 3
    assert cluster.column() == "Init:Error"


def test_a_container_that_crashes_is_started_again_and_keeps_its_last_state(cluster):
    cluster.apply(pod(container=python("raise SystemExit(7)")))

    found = cluster.shows(
        "pod", "it", lambda it: it["status"]["containerStatuses"][0]["restartCount"] >= 2
    )
    status = found["status"]["containerStatuses"][0]
    assert status["lastState"]["terminated"]["exitCode"] == 7
    assert found["status"]["phase"] == "Running"
    cluster.shows_column("CrashLoopBackOff")


@pytest.mark.parametrize(("code", "phase"), [(0, "Succeeded"), (5, "Failed")])
def test_the_exit_code_decides_the_phase_where_nothing_is_run_again(cluster, code, phase):
    cluster.apply(pod(container=python(f"raise SystemExit({code})"), restartPolicy="Never"))

    found = cluster.shows("pod", "it", phase_is("Succeeded", "Failed"))
    ended = found["status"]["containerStatuses"][0]["state"]["terminated"]
    assert (found["status"]["phase"], ended["exitCode"]) == (phase, code)


def test_a_deleted_pod_is_asked_to_end(cluster, kubelet, namespace):
    script = python(
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (print('saved', flush=True), sys.exit(0)))\n"
        "print('up', flush=True); time.sleep(600)"
    )
    cluster.apply(pod(container=script))
    cluster.logs("up")
    log = kubelet.log_file(namespace, "it")

    cluster.kubectl("delete", "pod", "it").well()

    cluster.is_gone("pod", "it")
    assert log.read_text() == "up\nsaved\n"


def test_a_deleted_pod_that_does_not_listen_is_ended_by_force(cluster, kubelet, namespace):
    script = python(
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "print('deaf', flush=True); time.sleep(600)"
    )
    cluster.apply(pod(container=script))
    cluster.logs("deaf")

    cluster.kubectl("delete", "pod", "it", "--grace-period=1").well()

    cluster.is_gone("pod", "it")


def test_the_volumes_of_a_deleted_pod_are_removed_and_its_logs_stay(cluster, kubelet, namespace):
    mounts = [{"name": "tf-use", "mountPath": "/tensor-fusion/use"}]
    script = python("open('/tensor-fusion/use/page', 'w'); " + SERVE, volumeMounts=mounts)
    cluster.apply(pod(container=script, volumes=[{"name": "tf-use", "emptyDir": {}}]))
    cluster.logs("up")
    uid = cluster.get("pod", "it")["metadata"]["uid"]
    volume = kubelet.volume(namespace, "it", "tf-use")
    log = kubelet.log_file(namespace, "it")
    assert volume == kubelet.root / f"pods/{uid}/volumes/kubernetes.io~empty-dir/tf-use"
    assert [path.name for path in volume.iterdir()] == ["page"]

    cluster.kubectl("delete", "pod", "it").well()

    until(lambda: not (kubelet.root / "pods" / uid).exists(), what="its folder is gone")
    assert log.read_text() == "up\n"


def test_a_gated_pod_stays_gated_until_the_gate_is_removed(cluster):
    gate = "tensor-fusion.ai/gpu-placement"
    cluster.apply(pod("gated", schedulingGates=[{"name": gate}]), pod("free"))
    cluster.shows("pod", "free", phase_is("Running"))
    assert cluster.column("gated") == "SchedulingGated"

    patch = {"spec": {"schedulingGates": [{"$patch": "delete", "name": gate}]}}
    cluster.kubectl("patch", "pod", "gated", "--patch", json.dumps(patch)).well()

    cluster.shows("pod", "gated", phase_is("Running"))


def test_secrets_are_read_from_the_api(cluster, kubelet, namespace):
    cluster.kubectl("create", "secret", "generic", "keys", "--from-literal=token=abc").well()
    entry = {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "token"}}}
    cluster.apply(pod(container={"image": "pretended", "env": [entry]}))
    cluster.shows("pod", "it", phase_is("Running"))

    assert kubelet.environment(namespace, "it") == {"HOSTNAME": "it", "TOKEN": "abc"}


def test_a_program_stands_for_a_path_of_its_image(cluster):
    script = {
        "image": f"{PYTHON}@/tensor-fusion/install",
        "command": ["/tensor-fusion/install", "-c", "print('installed')"],
    }
    cluster.apply(pod(container=script, restartPolicy="Never"))

    cluster.shows("pod", "it", phase_is("Succeeded"))
    assert cluster.log() == "installed\n"
