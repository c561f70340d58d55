"""What pods take of nodes, kept while pods come, move and go."""

from collections import Counter

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from autoscaler.workloads.books.inventory import card_of
from autoscaler.workloads.nodes.node_books import NodeBooks, NodeTaken
from autoscaler.workloads.nodes.node_needs import needs_of
from autoscaler.workloads.nodes.pod_requests import HostPort
from tests.autoscaler.workloads.objects import gpu, node, placed, pod, pool, worker

ONE_CPU = {"cpu": "1"}


def books(*cards):
    made = NodeBooks()
    for uuid, name in cards:
        made.observe_card(card_of(gpu(uuid, node=name), node(name), pool()))
    return made


def uid_of(obj):
    return obj["metadata"]["uid"]


def cpu(made, name="n1"):
    return made.taken(name).amounts.get("cpu", 0)


def test_nothing_is_taken_of_a_node_without_pods():
    assert books().taken("n1") == NodeTaken()


def test_bound_pods_of_anybody_count():
    made = books()
    made.observe(pod("a", nodeName="n1", requests=ONE_CPU))
    made.observe(pod("b", nodeName="n1", requests={"cpu": "500m", "memory": "1Ki"}))
    taken = made.taken("n1")
    assert (taken.pods, taken.amounts) == (2, {"cpu": 1500, "memory": 1024})


def test_a_pod_that_ended_or_went_gives_its_share_back_and_names_the_node():
    made = books()
    ended, gone = pod("a", nodeName="n1", requests=ONE_CPU), pod("b", nodeName="n2")
    assert [made.observe(obj) for obj in (ended, gone)] == ["", ""]
    assert made.observe({**ended, "status": {"phase": "Succeeded"}}) == "n1"
    assert made.observe_gone(gone) == "n2"
    assert made.observe_gone(gone) == ""
    assert (made.taken("n1"), made.taken("n2")) == (NodeTaken(), NodeTaken())


def test_a_terminating_pod_still_takes_its_share():
    made = books()
    leaving = {"deletionTimestamp": "2026-01-01T00:00:00Z"}
    made.observe(pod("a", nodeName="n1", requests=ONE_CPU, metadata=leaving))
    assert cpu(made) == 1000


def test_a_pod_that_takes_less_gives_the_rest_back():
    made = books()
    obj = pod("a", nodeName="n1", requests={"cpu": "2"})
    made.observe(obj)
    assert made.observe(pod("a", nodeName="n1", requests=ONE_CPU)) == "n1"
    assert made.observe(pod("a", nodeName="n1", requests=ONE_CPU)) == ""
    assert (cpu(made), made.taken("n1").pods) == (1000, 1)


def test_a_placed_worker_counts_on_the_node_of_its_gpu_before_it_is_bound():
    made = books(("GPU-1", "n1"))
    obj = placed("a", is_bound=False, requests=ONE_CPU)
    made.observe(obj)
    assert cpu(made) == 1000
    made.observe(placed("a", requests=ONE_CPU))
    assert (cpu(made), made.taken("n1").pods) == (1000, 1)


def test_a_placed_worker_counts_once_the_node_of_its_gpu_is_known():
    made = books()
    made.observe(placed("a", is_bound=False, requests=ONE_CPU))
    made.observe(placed("b", gpus=("GPU-2",), is_bound=False, requests=ONE_CPU))
    assert cpu(made) == 0
    made.observe_card(card_of(gpu("GPU-1", node="n1"), node(), pool()))
    assert (cpu(made), made.taken("n1").pods) == (1000, 1)


def test_a_gated_worker_takes_nothing():
    made = books()
    made.observe(worker("a", requests=ONE_CPU))
    assert made.taken("n1") == NodeTaken()


def test_what_is_held_counts_until_the_pod_is_seen_placed():
    made = books()
    gated = worker("a", requests=ONE_CPU)
    made.hold(uid_of(gated), "n1", needs_of(gated, ()))
    made.observe(gated)
    assert cpu(made) == 1000
    made.observe(placed("a", is_bound=False, requests=ONE_CPU))
    made.drop(uid_of(gated))
    assert (cpu(made), made.taken("n1").pods) == (1000, 1)


def test_what_is_held_and_not_placed_after_all_is_given_back():
    made = books()
    gated = worker("a", requests=ONE_CPU)
    made.hold(uid_of(gated), "n1", needs_of(gated, ()))
    made.drop(uid_of(gated))
    assert made.taken("n1") == NodeTaken()


def test_what_is_held_for_a_pod_that_went_is_given_back():
    made = books()
    gated = worker("a", requests=ONE_CPU)
    made.hold(uid_of(gated), "n1", needs_of(gated, ()))
    assert made.observe_gone(gated) == "n1"
    assert made.taken("n1") == NodeTaken()


def test_a_bound_pod_counts_where_it_is_bound_whatever_was_held():
    made = books()
    obj = worker("a", requests=ONE_CPU, nodeName="n2")
    made.hold(uid_of(obj), "n1", needs_of(obj, ()))
    made.observe(obj)
    made.hold(uid_of(obj), "n1", needs_of(obj, ()))
    assert (cpu(made, "n1"), cpu(made, "n2")) == (0, 1000)


def test_host_ports_are_taken_while_a_pod_has_them():
    made = books()
    obj = pod("a", nodeName="n1")
    obj["spec"]["containers"][0]["ports"] = [{"hostPort": 80}]
    made.observe(obj)
    assert made.taken("n1").host_ports == {HostPort("TCP", "0.0.0.0", 80)}
    made.observe_gone(obj)
    assert made.taken("n1").host_ports == frozenset()


def test_what_is_taken_without_some_pods_is_told():
    made = books()
    pods = [pod(name, nodeName="n1", requests=ONE_CPU) for name in ("a", "b")]
    elsewhere = pod("c", nodeName="n2", requests=ONE_CPU)
    for obj in (*pods, elsewhere):
        made.observe(obj)
    before = made.taken("n1")

    rest = made.taken("n1", {uid_of(pods[0]), uid_of(elsewhere), "unknown"})
    assert (rest.pods, rest.amounts) == (1, {"cpu": 1000})
    assert made.taken("n1", {uid_of(obj) for obj in pods}) == NodeTaken()
    assert made.taken("n1") == before


def test_what_was_taken_does_not_change_in_the_hands_of_a_reader():
    made = books()
    made.observe(pod("a", nodeName="n1", requests=ONE_CPU))
    before = made.taken("n1")
    made.observe(pod("b", nodeName="n1", requests=ONE_CPU))
    assert (before.pods, before.amounts) == (1, {"cpu": 1000})


NAMES, NODES, AMOUNTS = st.sampled_from("abc"), st.sampled_from(("n1", "n2")), st.integers(0, 3)


class AnyOrder(RuleBasedStateMachine):
    """Events of three pods in any order, against a plain list of what counts."""

    def __init__(self):
        super().__init__()
        self.books = books(("GPU-n1", "n1"), ("GPU-n2", "n2"))
        self.seen, self.held = {}, {}

    @rule(name=NAMES, at=NODES, amount=AMOUNTS)
    def bound(self, name, at, amount):
        self.books.observe(pod(name, nodeName=at, requests={"cpu": str(amount)}))
        self.seen[name] = (at, amount)
        self.held.pop(name, None)

    @rule(name=NAMES, at=NODES, amount=AMOUNTS)
    def placed(self, name, at, amount):
        made = placed(name, gpus=(f"GPU-{at}",), is_bound=False, requests={"cpu": str(amount)})
        self.books.observe(made)
        self.seen[name] = (at, amount)
        self.held.pop(name, None)

    @rule(name=NAMES)
    def gated(self, name):
        self.books.observe(worker(name))
        self.seen.pop(name, None)

    @rule(name=NAMES)
    def gone(self, name):
        self.books.observe_gone(pod(name))
        self.seen.pop(name, None)
        self.held.pop(name, None)

    @rule(name=NAMES)
    def ended(self, name):
        self.books.observe(pod(name, nodeName="n1", phase="Failed"))
        self.seen.pop(name, None)
        self.held.pop(name, None)

    @rule(name=NAMES, at=NODES, amount=AMOUNTS)
    def hold(self, name, at, amount):
        obj = pod(name, requests={"cpu": str(amount)})
        self.books.hold(uid_of(obj), at, needs_of(obj, ()))
        if name not in self.seen:
            self.held[name] = (at, amount)

    @rule(name=NAMES)
    def drop(self, name):
        self.books.drop(uid_of(pod(name)))
        self.held.pop(name, None)

    @invariant()
    def what_is_taken_is_what_counts(self):
        cpus, pods = Counter(), Counter()
        for at, amount in {**self.held, **self.seen}.values():
            cpus[at] += 1000 * amount
            pods[at] += 1
        taken = {at: self.books.taken(at) for at in ("n1", "n2")}
        found = {at: (each.amounts.get("cpu", 0), each.pods) for at, each in taken.items()}
        assert found == {at: (cpus[at], pods[at]) for at in ("n1", "n2")}


TestAnyOrder = AnyOrder.TestCase
