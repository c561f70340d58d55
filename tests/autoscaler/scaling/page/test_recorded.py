from dataclasses import replace

from autoscaler.scaling.page.recorded import changes_of, decided_of, decisions_since, in_force_of
from autoscaler.scaling.records import DecisionRecord, StepRecord
from recommender.decision import REPLICAS_COLUMN, Code, Layer, Step
from recommender.report.blocks import HistoryEntry
from recommender.resources import GIB, TFLOPS, VRAM
from tests.autoscaler.scaling.builders import view
from tests.autoscaler.scaling.page.boards import watched

NAN = float("nan")
KEY = ("team", "chat", "A100")
RESOURCES = (TFLOPS, VRAM)
MARGIN = StepRecord(
    layer=Layer.REQUESTS, resource=0, step=Step(Code.Buffer, before=40.0, after=46.0, arg=NAN)
)
BURST = StepRecord(
    layer=Layer.LIMITS, resource=0, step=Step(Code.Burst, before=NAN, after=90.0, arg=NAN)
)
REPLICAS = StepRecord(
    layer=Layer.REPLICAS,
    resource=REPLICAS_COLUMN,
    step=Step(Code.ReplicaDemand, before=1.0, after=2.0, arg=1.4),
)
RECORD = DecisionRecord(
    time_s=100,
    target_request=(46.0, NAN),
    next_request=(46.0, 10 * GIB),
    target_limit=(NAN, NAN),
    next_limit=(90.0, 16 * GIB),
    target_replicas=2.0,
    next_replicas=NAN,
    steps=(MARGIN, BURST, REPLICAS),
)
RAISE = HistoryEntry(
    time_s=100, resource="tflops", layer="requests", before=40.0, after=46.0, reason="margin"
)


def test_a_decision_is_told_in_sentences_and_what_is_not_known_is_absent():
    decided = decided_of(KEY, RECORD, RESOURCES)

    assert decided.target_request == {"tflops": 46.0}
    assert decided.next_limit == {"tflops": 90.0, "vram_bytes": 16 * GIB}
    assert (decided.target_replicas, decided.next_replicas) == (2, None)
    assert [(step.layer, step.resource, step.sentence) for step in decided.steps] == [
        ("requests", "tflops", "margin: 40 -> 46 TFLOPS"),
        (
            "limits",
            "tflops",
            "demand of the last minute reaches 90 TFLOPS (EWMA of 30 s + 3 sigma, p99 of 60 s)",
        ),
        ("replicas", "replicas", "demand is 1.4 of the target per worker: 1 -> 2"),
    ]


def test_a_change_carries_the_steps_of_its_layer_and_resource():
    [change] = changes_of([RAISE], [(RECORD,)], RESOURCES)

    assert [step.sentence for step in change.steps] == ["margin: 40 -> 46 TFLOPS"]
    assert (change.before, change.after, change.outcome) == (40.0, 46.0, "applied")


def test_a_decision_that_was_recorded_earlier_explains_a_later_change():
    later = replace(RAISE, time_s=400)
    only_limits = replace(RECORD, time_s=300, steps=(BURST,))

    [change] = changes_of([later], [(RECORD, only_limits)], RESOURCES)

    assert [step.code for step in change.steps] == ["Buffer"]


def test_a_decision_of_later_explains_nothing():
    [change] = changes_of([replace(RAISE, time_s=99)], [(RECORD,)], RESOURCES)

    assert change.steps == ()


def test_of_several_gpu_models_the_one_that_made_the_amount_explains_it():
    other = replace(MARGIN, step=replace(MARGIN.step, after=80.0))
    rings = [(replace(RECORD, steps=(other,)),), (RECORD,)]

    [change] = changes_of([RAISE], rings, RESOURCES)

    assert [step.after for step in change.steps] == [46.0]


def test_changes_come_newest_first():
    entries = [RAISE, replace(RAISE, time_s=200)]

    assert [change.time_s for change in changes_of(entries, [], RESOURCES)] == [200, 100]


def test_the_newest_decisions_of_a_fleet_come_first_and_a_cut_is_told():
    views = [view(f"chat{i}", "auto-limits") for i in range(3)]
    with watched(*views) as seen:
        first = seen.tick()
        seen.tick(after_s=60)
        live = seen.board.live
        everything, is_cut = decisions_since(live, live.keys, 0, 1000)
        newest, has_more = decisions_since(live, live.keys, 0, 2)
        late, _ = decisions_since(live, live.keys, first.now_s + 1, 1000)

    times = [decided.time_s for decided in everything]
    assert times == sorted(times, reverse=True)
    assert (is_cut, has_more) == (False, True)
    assert newest == everything[:2]
    assert late == tuple(decided for decided in everything if decided.time_s > first.now_s)
    assert len(late) == 3


def test_surplus_workers_are_not_counted():
    chat = view("chat", workers=3)
    surge = replace(chat.workers[0], is_surplus=True)
    starting = replace(chat.workers[1], ready_s=None)

    force = in_force_of(replace(chat, workers=(surge, starting, chat.workers[2])), "A100")

    assert (force.workers, force.ready_workers) == (2, 1)
