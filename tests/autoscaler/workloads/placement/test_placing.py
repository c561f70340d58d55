import pytest

from autoscaler.api.names import GPU_PEAK_TFLOPS, GPU_PEAK_VRAM, PLACEMENT_GATE, EventReason
from autoscaler.errors import ApiUnavailableError, ConflictError, InvalidError
from autoscaler.kube.lanes import Priority
from autoscaler.kube.resource import PODS, POOLS, QUOTAS
from autoscaler.kube.writer import NotLeadingError
from autoscaler.workloads.work import WorkKey, WorkKind
from tests.autoscaler.workloads.entries import GIB, amounts
from tests.autoscaler.workloads.objects import TEAM, gpu, node, placed, quota, worker
from tests.autoscaler.workloads.placing_world import PlacingWorld


def key(name="job"):
    return WorkKey(WorkKind.POD, TEAM, name)


@pytest.fixture
def world():
    return PlacingWorld()


def lose_answers(world):
    """Let writes be carried out, and their answers be lost."""

    def lose(method, _path):
        if method == "PATCH":
            raise ApiUnavailableError("the connection ended")

    world.api.after = lose


def lose_requests(world):
    """Let writes not arrive, so that nobody knows whether they did."""

    def lose(method, _path):
        if method == "PATCH":
            raise ApiUnavailableError("the connection ended")

    world.api.before = lose


def heal(world):
    world.api.before = world.api.after = lambda _method, _path: None


def test_a_gated_pod_is_placed_by_one_patch(world):
    world.place(worker())

    pod = world.pod()
    assert world.gpus_of() == "GPU-1"
    assert pod["metadata"]["annotations"][GPU_PEAK_TFLOPS] == "100"
    assert pod["metadata"]["annotations"][GPU_PEAK_VRAM] == str(80 * GIB)
    assert pod["spec"]["nodeSelector"] == {"kubernetes.io/hostname": "n1"}
    assert pod["spec"].get("schedulingGates", []) == []
    assert world.patches() == [f"/api/v1/namespaces/{TEAM}/pods/job"]
    assert world.reasons() == [EventReason.PLACED]
    assert world.shortage() is None


def test_what_is_placed_is_held_before_and_after_the_cache_shows_it(world):
    world.add(worker())
    world.reconcile()
    before = world.tools.books.used("gpu-1")
    world.show()

    assert before == amounts(10, 4)
    assert world.tools.books.used("gpu-1") == before
    assert not world.tools.books.is_in_flight(world.pod()["metadata"]["uid"])


def test_a_pod_that_the_cache_still_shows_gated_is_not_placed_again(world):
    world.add(worker())
    world.reconcile()
    world.reconcile()

    assert len(world.patches()) == 1


def test_a_pod_waits_while_another_gate_keeps_it_anyway(world):
    world.place(worker(gates=(PLACEMENT_GATE, "other")))

    assert world.patches() == []
    assert world.shortage() is None


@pytest.mark.parametrize(
    "pod",
    [
        worker(metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"}),
        worker(labels={"tensor-fusion.ai/component": "client"}),
        worker(phase="Failed"),
    ],
    ids=["deleted", "client", "failed"],
)
def test_other_pods_are_left_alone(world, pod):
    world.place(pod)

    assert world.patches() == []
    assert world.reasons() == []


def test_a_pod_without_room_waits_with_an_event_and_comes_again_by_itself(world):
    world.place(worker(amounts={"tflops-request": "101", "vram-request": "1Gi"}))

    shortage = world.shortage()
    assert shortage.reason == EventReason.NO_GPU_AVAILABLE
    assert shortage.missing_gpus == 1
    assert world.reasons() == [EventReason.NO_GPU_AVAILABLE]
    assert (key(), world.tools.rules.waiting_s) in world.box.work.delayed
    assert world.placing.snapshot().missing_gpus == {("pool", ""): 1}


def test_a_pod_whose_pool_is_not_there_waits_for_it_by_its_name(world):
    pools = world.api.find(POOLS, None, "pool")
    world.api.remove(POOLS, None, "pool")
    world.place(worker())

    assert world.shortage().message == "there is no GPUPool pool"
    assert world.placing.snapshot().missing_gpus == {("pool", ""): 1}

    world.api.add(POOLS, pools)
    world.show()
    world.reconcile()
    assert world.gpus_of() == "GPU-1"


def test_its_workload_is_looked_at_when_a_pod_begins_or_ends_to_wait(world):
    world.place(worker("big", amounts={"tflops-request": "100", "vram-request": "1Gi"}))
    world.add(worker(workload="job"))
    world.box.work.keys()

    def workloads():
        return [each for each in world.box.work.keys() if each.kind is WorkKind.WORKLOAD]  # noqa: SIM118

    world.reconcile()
    began = workloads()
    world.reconcile()
    went_on = workloads()
    world.api.remove(PODS, TEAM, "big")
    world.show()
    workloads()
    world.reconcile()

    assert (began, went_on, workloads()) == (
        [WorkKey(WorkKind.WORKLOAD, TEAM, "job")],
        [],
        [WorkKey(WorkKind.WORKLOAD, TEAM, "job")],
    )


def test_pods_that_wait_come_again_in_their_order_when_room_is_freed(world):
    world.place(worker("big", amounts={"tflops-request": "100", "vram-request": "1Gi"}))
    world.place(worker("low", qos="low"), worker("high", qos="high"))
    world.box.work.keys()

    world.api.remove(PODS, TEAM, "big")
    world.show()

    pods = [
        each
        for each in world.box.work.keys()  # noqa: SIM118
        if each.kind is WorkKind.POD and each.name != "big"
    ]
    assert pods == [key("high"), key("low")]


def test_where_many_wait_the_first_come_at_once_and_the_others_one_after_the_other(world):
    amounts_of_all = {"tflops-request": "101"}
    world.place(*(worker(f"w{number:02}", amounts=amounts_of_all) for number in range(12)))
    world.box.work.added.clear()
    world.box.work.delayed.clear()

    world.placing.retry()

    assert [each.name for each, _ in world.box.work.added] == [f"w{n:02}" for n in range(8)]
    assert [(each.name, round(delay_s, 3)) for each, delay_s in world.box.work.delayed] == [
        ("w08", 0.05),
        ("w09", 0.1),
        ("w10", 0.15),
        ("w11", 0.2),
    ]


def test_pods_of_other_pools_are_not_tried_again(world):
    world.place(worker(amounts={"tflops-request": "101"}), worker("other", pool="elsewhere"))
    world.box.work.added.clear()

    world.placing.retry(["elsewhere"])
    world.placing.retry()

    assert world.box.work.added == [
        (key("other"), Priority.RAISE),
        (key("job"), Priority.RAISE),
        (key("other"), Priority.RAISE),
    ]


def test_annotations_that_cannot_be_read_are_told_and_nothing_is_reserved(world):
    world.place(worker(annotations={"tensor-fusion.ai/gpu-count": "two"}))

    assert world.shortage().reason == EventReason.INVALID_WORKER
    assert "gpu-count" in world.shortage().message
    assert world.reasons() == [EventReason.INVALID_WORKER]
    assert world.tools.books.used("gpu-1") == amounts()


def test_a_quota_keeps_a_pod_waiting_until_it_is_raised(world):
    world.api.add(QUOTAS, quota(total={"requests": {"tflops": "15"}}))
    world.place(worker("first"), worker())

    assert world.gpus_of("first") == "GPU-1"
    assert world.shortage().reason == EventReason.QUOTA_EXCEEDED
    assert world.placing.snapshot().missing_gpus == {}

    def raised(obj):
        obj["spec"]["total"]["requests"]["tflops"] = "20"

    world.api.edit(QUOTAS, TEAM, "quota", raised)
    world.show()
    world.reconcile()
    assert world.gpus_of() == "GPU-1"


def test_workers_with_several_gpus_get_them_on_one_node():
    world = PlacingWorld(
        nodes=(node("n1"), node("n2")),
        gpus=(
            gpu("GPU-1", node="n1"),
            gpu("GPU-2", node="n2"),
            gpu("GPU-3", node="n2", index=1),
        ),
    )

    world.place(worker(count=2))

    assert world.gpus_of() == "GPU-2,GPU-3"
    assert world.pod()["spec"]["nodeSelector"] == {"kubernetes.io/hostname": "n2"}


def test_room_on_the_node_that_is_being_given_is_not_given_twice():
    world = PlacingWorld(nodes=(node(allocatable={"cpu": "1"}),))
    world.add(worker("a", requests={"cpu": "600m"}), worker("b", requests={"cpu": "600m"}))

    world.reconcile("a")
    world.reconcile("b")

    assert world.gpus_of("b") is None
    assert "cpu" in world.shortage("b").message


@pytest.mark.parametrize("error", [NotLeadingError("no leader"), InvalidError("refused")])
def test_what_was_surely_not_written_is_given_back(world, error):
    def refuse(_method, _path):
        raise error

    world.add(worker())
    world.api.before = refuse
    with pytest.raises(type(error)):
        world.reconcile()

    assert world.tools.books.used("gpu-1") == amounts()
    assert world.node_books.taken("n1").pods == 0


def test_a_pod_that_changed_meanwhile_is_placed_at_the_next_look(world):
    world.add(worker())
    world.api.edit(PODS, TEAM, "job", lambda pod: pod["metadata"]["labels"].update(new="1"))

    with pytest.raises(ConflictError):
        world.reconcile()
    assert world.tools.books.used("gpu-1") == amounts()
    world.show()
    world.reconcile()
    assert world.gpus_of() == "GPU-1"


def test_a_write_whose_answer_got_lost_is_known_when_it_is_made_again(world):
    world.add(worker())
    lose_answers(world)
    with pytest.raises(ApiUnavailableError):
        world.reconcile()
    assert world.tools.books.used("gpu-1") == amounts(10, 4)
    heal(world)

    with pytest.raises(ConflictError):
        world.reconcile()

    assert world.tools.books.used("gpu-1") == amounts(10, 4)
    world.show()
    assert not world.tools.books.is_in_flight(world.pod()["metadata"]["uid"])
    assert world.tools.books.used("gpu-1") == amounts(10, 4)


def test_a_write_that_may_come_through_keeps_its_reservation_until_it_is_made_again(world):
    world.add(worker(), worker("big", amounts={"tflops-request": "95", "vram-request": "1Gi"}))
    lose_requests(world)
    with pytest.raises(ApiUnavailableError):
        world.reconcile()
    heal(world)

    world.reconcile("big")
    assert world.gpus_of("big") is None
    world.reconcile()
    assert world.gpus_of() == "GPU-1"


def test_the_reservation_of_a_pod_that_is_gone_is_given_back(world):
    world.add(worker())
    lose_requests(world)
    with pytest.raises(ApiUnavailableError):
        world.reconcile()
    heal(world)

    world.api.remove(PODS, TEAM, "job")
    world.show()
    world.reconcile()

    assert world.tools.books.used("gpu-1") == amounts()
    assert world.node_books.taken("n1").pods == 0


def test_a_pod_made_anew_under_its_name_is_placed_on_its_own(world):
    world.add(worker())
    lose_requests(world)
    with pytest.raises(ApiUnavailableError):
        world.reconcile()
    heal(world)

    world.api.remove(PODS, TEAM, "job")
    world.add(worker(metadata={"uid": "another"}))
    world.reconcile()
    world.show()

    assert world.gpus_of() == "GPU-1"
    assert world.tools.books.used("gpu-1") == amounts(10, 4)


def test_what_the_api_server_refuses_is_told(world):
    def refuse(method, _path):
        if method == "PATCH":
            raise InvalidError("spec.nodeSelector: it is wrong")

    world.add(worker())
    world.api.before = refuse
    with pytest.raises(InvalidError):
        world.reconcile()

    assert world.shortage().reason == EventReason.INVALID_WORKER
    assert "it is wrong" in world.shortage().message


def test_the_time_from_creation_to_placement_is_counted(world):
    world.add(worker())
    world.box.advance(3)
    world.reconcile()

    assert world.tools.counts.snapshot().placements.sum_s == 3.0


def test_a_placed_pod_of_before_is_held_and_left_alone(world):
    world.place(placed())

    assert world.patches() == []
    assert world.tools.books.used("gpu-1") == amounts(10, 4)
