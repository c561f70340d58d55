import pytest

from autoscaler.agent.accounting.finding import Finding, FindingKind
from autoscaler.agent.devices.node_devices import Inventory
from autoscaler.agent.running import cluster_node
from autoscaler.agent.running.cluster_node import ClusterNode
from autoscaler.errors import ApiUnavailableError, DisruptionError
from autoscaler.kube.resource import PODS
from autoscaler.kube.store import Store
from tests.autoscaler.api_double import ApiDouble
from tests.components.processes import until

FINDING = Finding(kind=FindingKind.UNACCOUNTED, uid="", uuid="GPU-1", text="it is past the limiter")


class Node:
    """A node with one worker pod, in an API server in memory."""

    def __init__(self, folder):
        self.api = ApiDouble()
        template = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "chat-0", "namespace": "team"},
            "spec": {"containers": [{"name": "main", "image": "any"}]},
        }
        self.pod = self.api.create(PODS, template)
        self.api.requests.clear()
        self.pods = Store()
        self.pods.put(self.pod)
        self.cluster = ClusterNode(self.api, node="node-1", kubelet_root=folder, pods=self.pods)

    @property
    def uid(self):
        return self.pod["metadata"]["uid"]

    def written(self, ending):
        return [body for _, path, body in self.api.requests if path.endswith(ending)]


@pytest.fixture
def node(tmp_path):
    made = Node(tmp_path)
    made.cluster._recorder.start()
    yield made
    made.cluster.stop()


def finding(uid):
    return Finding(kind=FINDING.kind, uid=uid, uuid=FINDING.uuid, text=FINDING.text)


def test_a_finding_becomes_an_event_on_the_pod(node):
    node.cluster.tell_finding(finding(node.uid))

    until(lambda: node.written("/events"), what="the event is written")
    [event] = node.written("/events")
    told = {key: event[key] for key in ("type", "reason", "note", "reportingController")}
    assert told == {
        "type": "Warning",
        "reason": "LimiterBypassed",
        "note": FINDING.text,
        "reportingController": "tensor-fusion-agent",
    }
    assert (event["regarding"]["name"], event["reportingInstance"]) == ("chat-0", "node-1")


def test_a_pod_is_evicted_by_its_uid_and_told_so(node):
    node.cluster.evict(node.uid)

    until(lambda: node.written("/events"), what="the event is written")
    [eviction] = node.written("/eviction")
    assert eviction["deleteOptions"]["preconditions"] == {"uid": node.uid}
    assert node.written("/events")[0]["reason"] == "EvictedForBypass"


def test_a_disruption_budget_is_told_of_and_holds(node, caplog):
    def refuse(_method, path):
        if path.endswith("/eviction"):
            raise DisruptionError("the budget allows no eviction")

    node.api.before = refuse
    node.cluster.evict(node.uid)

    until(lambda: "the budget allows no eviction" in caplog.text, what="it is told")
    assert node.written("/events") == []


def test_a_pod_that_is_gone_is_left_alone(node):
    node.cluster.evict("another")
    node.cluster.tell_finding(finding("another"))

    assert node.api.requests == []


def test_gpus_are_told_once_the_objects_were_listed(node, monkeypatch):
    monkeypatch.setattr(cluster_node, "SYNCED_S", 0.01)

    with pytest.raises(ApiUnavailableError, match="could not be listed yet"):
        node.cluster.tell_gpus(Inventory())
