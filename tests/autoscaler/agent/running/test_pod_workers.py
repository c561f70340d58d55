import pytest

from autoscaler.agent.pages.folders import folders_of_pod
from autoscaler.agent.running.pod_workers import PodWorkers
from autoscaler.api.names import COMPONENT, GPU_IDS, POOL_LABEL, PREFIX, WORKLOAD_LABEL
from autoscaler.kube.store import Store
from tests.autoscaler.agent.running.moments import GIB, UUID, device
from tests.autoscaler.api_double import ApiDouble

CARDS = {UUID: device()}


class Watched:
    """Pods as the watch of a node would show them."""

    def __init__(self, folder):
        self.store = Store()
        self.now_ns = 1000
        self.version = 0
        self.workers = PodWorkers(
            ApiDouble(),
            node="node-1",
            pods_folder=folder,
            store=self.store,
            monotonic_ns=lambda: self.now_ns,
        )

    def show(self, name="chat-0", *, phase="Running", labels=(), **annotations):
        self.version += 1
        self.now_ns += 1000
        stated = {f"{PREFIX}{key.replace('_', '-')}": text for key, text in annotations.items()}
        pod = {
            "metadata": {
                "namespace": "team",
                "name": name,
                "uid": f"uid-of-{name}",
                "resourceVersion": str(self.version),
                "labels": {COMPONENT: "worker", WORKLOAD_LABEL: "chat", POOL_LABEL: "p"}
                | dict(labels),
                "annotations": {GPU_IDS: UUID, f"{PREFIX}tflops-limit": "156"} | stated,
            },
            "spec": {"containers": [{"name": "main"}]},
            "status": {
                "phase": phase,
                "containerStatuses": [{"containerID": "containerd://" + "a" * 64}],
                "hostIP": "192.0.2.1",
            },
        }
        self.store.put(self.workers._keep(pod))
        return pod

    def roster(self, cards=CARDS):
        return self.workers.roster(cards)


@pytest.fixture
def watched(tmp_path):
    return Watched(tmp_path)


def test_a_worker_pod_is_served_in_its_volumes(watched, tmp_path):
    watched.show(vram_limit="20Gi")

    [served] = watched.roster().served

    assert (served.worker.workload, served.worker.tflops_limit) == ("chat", 156.0)
    assert served.worker.vram_limit_bytes == 20 * GIB
    assert served.folders == folders_of_pod("uid-of-chat-0", tmp_path)
    assert served.identity.container_ids == frozenset({"a" * 64})
    assert served.seen_ns == 2000


def test_the_roster_is_made_anew_only_where_pods_or_gpus_changed(watched):
    watched.show()
    first = watched.roster()
    again = watched.roster(dict(CARDS))
    watched.show(name="chat-1")
    changed = watched.roster()

    assert again is first
    assert len(changed.served) == 2
    assert watched.roster({}) is not changed


def test_a_change_of_a_limit_is_seen_when_it_came(watched):
    watched.show()
    watched.roster()
    watched.show(tflops_limit="234")
    watched.now_ns += 500

    [served] = watched.roster().served

    assert (served.worker.tflops_limit, served.seen_ns) == (234.0, 3000)


def test_a_change_of_something_else_is_no_change_of_a_worker(watched):
    watched.show()
    first = watched.roster()
    watched.show(labels={"team": "blue"})

    again = watched.roster()

    assert again == first


def test_a_pod_that_is_shown_again_keeps_when_it_came(watched):
    watched.show()
    [first] = watched.roster().served
    # A list after an outage shows all pods anew, unchanged.
    watched.now_ns += 10_000
    pod = watched.store.get("team", "chat-0")
    watched.workers._keep({**pod, "metadata": dict(pod["metadata"])})

    assert watched.roster().served == (first,)


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_worker_that_has_ended_is_not_served(watched, phase):
    watched.show(phase=phase)

    assert watched.roster().served == ()


def test_a_worker_on_a_gpu_of_somebody_else_is_not_served_and_the_log_says_so_once(watched, caplog):
    watched.show("forged", gpu_ids="GPU-of-another-node")
    watched.show("chat-0")

    for _ in range(3):
        roster = watched.roster()

    assert [each.worker.name for each in roster.served] == ["chat-0"]
    assert list(roster.unserved) == ["team/forged"]
    assert "GPU-of-another-node" in roster.unserved["team/forged"]
    assert caplog.text.count("it is not served") == 1


def test_a_limit_that_cannot_be_read_is_told_with_what_is_allowed(watched):
    watched.show(tflops_limit="plenty")

    [reason] = watched.roster().unserved.values()

    assert f"{PREFIX}tflops-limit: 'plenty' is not valid" in reason


def test_workers_are_read_again_when_the_gpus_of_the_node_change(watched):
    watched.show(compute_percent_limit="50")
    assert list(watched.roster({}).unserved) == ["team/chat-0"]

    [served] = watched.roster().served
    [halved] = watched.roster({UUID: device(tflops=100.0)}).served

    assert (served.worker.tflops_limit, halved.worker.tflops_limit) == (156.0, 50.0)


def test_what_is_kept_of_a_pod_is_little(watched):
    watched.show()

    kept = watched.store.get("team", "chat-0")

    assert kept["spec"] == {}
    assert set(kept["status"]) == {"phase", "containerStatuses"}


def test_events_and_evictions_name_the_pod(watched):
    watched.show()

    found = watched.workers.reference("uid-of-chat-0")

    assert (found.kind, found.namespace, found.name) == ("Pod", "team", "chat-0")
    assert watched.workers.reference("another") is None


def test_before_the_pods_were_listed_nothing_is_relied_on(watched):
    assert watched.workers.problems() != ()
