"""What the status of workloads shows after a tick, and how seldom it is written."""

from types import SimpleNamespace

import pytest

from autoscaler.api.condition_reasons import ExternalReason
from autoscaler.api.names import PAUSED
from autoscaler.errors import ForbiddenError
from autoscaler.kube.resource import GPUS, PODS, WORKLOADS
from autoscaler.scaling.cluster import Outcome
from autoscaler.scaling.holding import Hold
from autoscaler.scaling.live.showing.recommended import PACE_S
from recommender.decision import Code
from recommender.policy.model import Mode
from tests.autoscaler.api_double import START_S
from tests.autoscaler.scaling.live.deciding import tick
from tests.autoscaler.scaling.live.live_objects import A100, ENROLLED, GIB, L4, gpu, worker
from tests.autoscaler.scaling.live.writing_world import WritingWorld, change
from tests.autoscaler.workloads.objects import TEAM
from tests.components.processes import until

USED = {"request": (12.0, 5 * GIB), "limit": (24.0, 9 * GIB)}
PAGE = {"requests": {"tflops": "12", "vram": "5Gi"}, "limits": {"tflops": "24", "vram": "9Gi"}}


class Shown:
    """A process whose ticks are shown, in a world with one workload."""

    def __init__(self, **options):
        self.world = WritingWorld(**options)
        self.world.add()
        self.process = self.world.process()

    def tick(self, *, after_s=15, applied=None, **decided):
        """Show a tick, and wait until all of it was written."""
        self.world.advance(after_s)
        self.process.see()
        views = self.process.cluster.snapshot()
        now_s = self.world.clock.now_s()
        self.process.showing(tick(views, now_s=now_s, applied=applied, **(decided or USED)))
        until(self._is_idle, what="all is written")
        self.process.see()
        return self.world.writes()

    def _is_idle(self):
        queue = self.process.stating.snapshot().queue
        return not any(queue.backlog.values()) and queue.in_hand == 0


@pytest.fixture
def shown():
    shown = Shown()
    yield shown
    shown.world.close()


def test_a_recommendation_and_conditions_are_shown_and_not_written_again(shown):
    assert len(shown.tick()) == 1

    assert shown.world.status()["recommendation"] == PAGE
    assert shown.world.conditions() == {
        "RecommendationProvided": ("True", "Recommended"),
        "ResourceUpdate": ("True", "Updated"),
    }
    for _ in range(3):
        assert shown.tick() == []
    assert shown.tick(after_s=PACE_S) == []


def test_a_recommendation_that_hardly_moved_is_not_written(shown):
    shown.tick()
    nearly = {"request": (13.0, 5.2 * GIB), "limit": (25.0, 9 * GIB)}

    assert shown.tick(after_s=PACE_S, **nearly) == []


def test_a_recommendation_that_moved_by_a_tenth_is_written_when_its_time_has_come(shown):
    shown.tick()
    moved = {"request": (13.2, 5 * GIB), "limit": (24.0, 9 * GIB)}

    assert shown.tick(after_s=PACE_S - 30, **moved) == []
    assert len(shown.tick(after_s=30, **moved)) == 1
    assert shown.world.status()["recommendation"]["requests"]["tflops"] == "13200m"


def test_slow_drift_is_shown_once_it_adds_up(shown):
    shown.tick()
    written = [
        bool(shown.tick(after_s=PACE_S, request=(12.0 + i / 4, 5 * GIB), limit=USED["limit"]))
        for i in range(1, 8)
    ]
    assert written == [False] * 4 + [True] + [False] * 2


def test_what_is_no_longer_known_is_no_longer_recommended(shown):
    shown.tick()
    shown.tick(after_s=PACE_S, unknown=Code.NoSamples)

    assert "recommendation" not in shown.world.status()
    assert shown.world.conditions()["RecommendationProvided"] == ("False", "NoSamples")


def test_while_the_history_is_read_what_was_recommended_stays(shown):
    shown.tick()
    shown.process.switches.hold = Hold.WARMING
    shown.tick(after_s=PACE_S, unknown=Code.NotEnoughHistory)

    assert shown.world.status()["recommendation"] == PAGE
    assert shown.world.conditions() == {
        "RecommendationProvided": ("True", "Recommended"),
        "ResourceUpdate": ("False", "Held"),
    }


def test_a_new_process_does_not_show_again_what_an_earlier_one_showed(shown):
    shown.tick()
    shown.process.end()
    shown.process = shown.world.process(epoch=2)

    assert shown.tick() == []
    moved = {"request": (20.0, 5 * GIB), "limit": (24.0, 9 * GIB)}
    assert len(shown.tick(after_s=PACE_S, **moved)) == 1


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (None, "NotEnrolled"),
        ({"autoSetRequests": {"enable": True, "mode": "recommend"}}, "NotEnrolled"),
        ({"autoSetReplicas": {"enable": True}}, "Updated"),
        ({"autoSetLimits": {"enable": True, "lookBackPeriod": "soon"}, **ENROLLED}, "Updated"),
    ],
)
def test_whether_anything_is_changed_is_said_by_the_settings(config, reason):
    shown = Shown(config=config or {})
    try:
        shown.tick()
        assert shown.world.conditions()["ResourceUpdate"][1] == reason
    finally:
        shown.world.close()


def test_settings_that_cannot_be_read_are_said_and_told():
    shown = Shown(config={"autoSetLimits": {"enable": True, "extraTFlopsBufferRatio": "much"}})
    try:
        shown.tick()
        assert shown.world.conditions()["ResourceUpdate"] == ("False", "InvalidAutoScalingConfig")
        [(reason, note)] = shown.process.told()
        assert reason == "InvalidAutoScalingConfig"
        assert "extraTFlopsBufferRatio" in note
        assert "'much'" in note
    finally:
        shown.world.close()


def test_switches_and_pauses_are_said_when_they_change(shown):
    shown.tick()
    shown.process.switches.mode = Mode.RECOMMEND
    shown.tick()
    assert shown.world.conditions()["ResourceUpdate"] == ("False", "RecommendOnly")

    shown.process.switches.mode = Mode.APPLY
    shown.process.switches.hold = Hold.UNHEALTHY
    shown.tick()
    assert shown.world.conditions()["ResourceUpdate"] == ("False", "Held")

    shown.process.switches.hold = None
    shown.world.api.edit(
        WORKLOADS, TEAM, "chat", lambda obj: obj["metadata"]["annotations"].update({PAUSED: "true"})
    )
    shown.tick()
    assert shown.world.conditions()["ResourceUpdate"] == ("False", "Paused")


def test_the_reasons_of_a_hold_are_said_as_it_began(shown):
    shown.process.switches.hold = Hold.UNHEALTHY
    shown.process.hold_reasons = ("no webhook answers",)
    shown.tick()
    shown.process.hold_reasons = ("one webhook answers",)

    assert shown.tick() == []
    [said] = [c for c in shown.world.status()["conditions"] if c["type"] == "ResourceUpdate"]
    assert said["message"] == f"only raises pass: {Hold.UNHEALTHY}: no webhook answers"


def test_stale_metrics_are_said_and_told_while_they_last(shown):
    shown.tick(is_stale=True, **USED)
    assert shown.world.conditions()["StaleMetrics"] == ("True", "StaleMetrics")
    shown.tick()

    assert "StaleMetrics" not in shown.world.conditions()
    assert [reason for reason, _ in shown.process.told()] == ["StaleMetrics"]


def test_replicas_that_nobody_may_set_are_said_with_the_reason(shown):
    owner = [{"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "chat", "uid": "u"}]
    shown.world.api.edit(WORKLOADS, TEAM, "chat", lambda obj: obj["status"].update(owners=owner))
    shown.tick()

    assert shown.world.conditions()["ReplicasNotScaled"] == ("True", "OwnerHasNoScale")
    assert [reason for reason, _ in shown.process.told()] == ["ReplicasNotScaled"]


def test_how_an_external_scaler_answers_is_said_and_told():
    url = {"enable": True, "url": "https://scaler.example/"}
    shown = Shown(config={"externalScaler": url})
    states, uid = shown.process.external_states, "uid-of-tensorfusionworkload-chat"
    try:
        states[uid] = (ExternalReason.NOT_ASKED_YET, "is asked soon")
        shown.tick()
        assert shown.world.conditions()["ExternalScaler"] == ("Unknown", "NotAskedYet")
        states[uid] = (ExternalReason.FAILED, "scaler.example does not answer")
        shown.tick()
        assert shown.world.conditions()["ExternalScaler"] == ("False", "Failed")
        states[uid] = (ExternalReason.ANSWERED, "answers")
        shown.tick()
        assert shown.world.conditions()["ExternalScaler"] == ("True", "Answered")
        assert shown.tick() == []
        assert shown.process.told() == [("ExternalScalerFailed", "scaler.example does not answer")]
    finally:
        shown.world.close()


def test_the_open_window_of_a_cron_rule_is_shown_and_told():
    rule = {"name": "noon", "enable": True, "start": "1 0 * * *", "end": "3 0 * * *"}
    rule["desiredReplicas"] = 3
    shown = Shown(config={"cronScalingRules": [rule]})
    try:
        shown.tick(after_s=15)
        assert "activeCronScalingRule" not in shown.world.status()
        shown.tick(after_s=60)
        assert shown.world.status()["activeCronScalingRule"] == rule
        shown.tick(after_s=120)
        assert "activeCronScalingRule" not in shown.world.status()
        assert [reason for reason, _ in shown.process.told()] == [
            "CronRuleActive",
            "CronRuleInactive",
        ]
    finally:
        shown.world.close()


def test_a_roll_back_that_was_applied_is_told(shown):
    effect = SimpleNamespace(code=Code.RolledBack, reason="trouble: 10 -> 20 TFLOPS")
    plan = SimpleNamespace(effects=(effect,), change=change(limit={"tflops": 20.0}))
    applied = SimpleNamespace(outcomes=((plan, Outcome(change=plan.change, applied=True)),))
    shown.tick(applied=applied, **USED)

    assert shown.process.told() == [("RolledBack", "trouble: 10 -> 20 TFLOPS")]


def test_what_somebody_broke_in_the_status_is_mended_within_ten_minutes(shown):
    shown.tick()
    shown.world.api.edit(WORKLOADS, TEAM, "chat", lambda obj: obj["status"].pop("recommendation"))
    for _ in range(PACE_S // 15):
        shown.tick()

    assert shown.world.status()["recommendation"] == PAGE


def test_amounts_of_a_layer_that_left_are_taken_back_and_others_stay(shown):
    shown.process.tick(change(request={"tflops": 12.0}, limit={"tflops": 30.0}))
    shown.tick()
    config = {"autoSetLimits": {"enable": True}}
    shown.world.api.edit(
        WORKLOADS, TEAM, "chat", lambda obj: obj["spec"].update(autoScalingConfig=config)
    )
    shown.tick()

    assert shown.world.desired() == {"limits": {"tflops": "30"}}
    assert shown.world.status()["desiredResources"]["sequence"] == 2
    shown.world.api.edit(WORKLOADS, TEAM, "chat", lambda obj: obj["spec"].pop("autoScalingConfig"))
    shown.tick()
    assert "desiredResources" not in shown.world.status()
    assert shown.tick() == []


def test_under_recommend_nothing_that_is_stated_is_touched(shown):
    shown.process.tick(change(request={"tflops": 12.0}))
    shown.process.switches.mode = Mode.RECOMMEND
    shown.world.api.edit(WORKLOADS, TEAM, "chat", lambda obj: obj["spec"].pop("autoScalingConfig"))
    shown.tick()
    assert shown.world.desired() == {"requests": {"tflops": "12"}}

    shown.process.switches.mode = Mode.APPLY
    shown.tick()
    assert shown.world.desired() == {}


def test_a_second_gpu_model_gets_what_stood_there_as_its_own(shown):
    shown.process.tick(change(request={"tflops": 12.0}))
    shown.world.api.add(GPUS, gpu("GPU-2", gpu_model=L4, model="L4", tflops="121"))
    shown.world.api.add(PODS, worker("chat-on-l4", gpus=("GPU-2",)))
    shown.tick()

    assert shown.world.desired() == {
        "byGPUModel": {A100: {"requests": {"tflops": "12"}}, L4: {"requests": {"tflops": "12"}}}
    }


def capped(shown, wanted):
    """State a limit of which workers get less, and let the controller say so."""
    shown.process.tick(change(limit={"tflops": wanted}))
    order = {"epoch": 1, "sequence": 1}
    applied = {**order, "workers": 0, "capped": [{"worker": "chat-0", "reason": "GPUFull"}]}
    shown.world.api.edit(WORKLOADS, TEAM, "chat", lambda obj: obj["status"].update(applied=applied))


def test_a_raise_that_there_was_no_room_for_is_taken_back_when_it_is_wanted_no_longer(shown):
    capped(shown, 60.0)
    shown.tick(next_limit=(60.0, 8 * GIB), **USED)
    assert shown.world.desired()["limits"]["tflops"] == "60"

    shown.tick(next_limit=(20.0, 8 * GIB), evaluated=(), **USED)
    assert shown.world.desired()["limits"]["tflops"] == "60"

    shown.tick(next_limit=(20.0, 8 * GIB), **USED)
    assert shown.world.desired()["limits"]["tflops"] == "20"


def test_under_a_hold_nobody_knows_that_a_raise_is_wanted_no_longer(shown):
    capped(shown, 60.0)
    shown.process.switches.hold = Hold.WARMING
    shown.tick(next_limit=(20.0, 8 * GIB), **USED)
    assert shown.world.desired()["limits"]["tflops"] == "60"

    shown.process.switches.hold = None
    shown.tick(next_limit=(20.0, 8 * GIB), **USED)
    assert shown.world.desired()["limits"]["tflops"] == "20"


def test_what_is_stated_of_a_paused_workload_stays_whatever_becomes_of_it(shown):
    capped(shown, 60.0)
    shown.world.api.edit(
        WORKLOADS, TEAM, "chat", lambda obj: obj["metadata"]["annotations"].update({PAUSED: "true"})
    )
    shown.tick(next_limit=(20.0, 8 * GIB), **USED)
    shown.world.api.edit(
        WORKLOADS, TEAM, "chat", lambda obj: obj["spec"].update(autoScalingConfig={})
    )
    shown.tick(next_limit=(20.0, 8 * GIB), **USED)
    assert shown.world.desired()["limits"]["tflops"] == "60"

    shown.world.api.edit(
        WORKLOADS, TEAM, "chat", lambda obj: obj["metadata"]["annotations"].pop(PAUSED)
    )
    shown.tick(next_limit=(20.0, 8 * GIB), **USED)
    assert shown.world.desired() == {}


def test_the_guard_of_replicas_goes_when_they_are_automatic_no_longer(shown):
    shown.process.tick(change(replicas=2))
    shown.world.follow()
    shown.tick()
    assert shown.world.status()["guard"] == {"replicas": {"stated": 1, "scaled": 2}}
    shown.world.api.edit(
        WORKLOADS, TEAM, "chat", lambda obj: obj["spec"]["autoScalingConfig"].pop("autoSetReplicas")
    )
    shown.tick()

    assert "guard" not in shown.world.status()


def test_the_guard_of_a_scaling_that_was_refused_is_taken_back(shown):
    def forbid(method, path):
        if path.endswith("/scale") and method == "PATCH":
            raise ForbiddenError("no right", http_status=403)

    shown.world.api.before = forbid
    shown.process.tick(change(replicas=2))
    assert "guard" in shown.world.status()
    shown.tick()

    assert "guard" not in shown.world.status()
    assert shown.world.conditions()["ReplicasNotScaled"] == ("True", "Forbidden")


def test_a_workload_that_is_made_anew_is_shown_anew(shown):
    shown.process.tick(change(request={"tflops": 12.0}))
    shown.tick()
    shown.world.api.remove(WORKLOADS, TEAM, "chat")
    shown.tick()
    shown.world.add_again("chat")
    shown.tick()

    assert shown.world.status()["recommendation"] == PAGE
    assert shown.world.desired() == {}


def test_a_workload_that_cannot_be_shown_costs_no_other(shown, caplog):
    shown.world.add("bad")
    stated = {"epoch": 1, "sequence": 1, "limits": {"tflops": "30"}}
    shown.world.api.edit(
        WORKLOADS,
        TEAM,
        "bad",
        lambda obj: obj["status"].update(desiredResources=stated, applied="nonsense"),
    )
    shown.tick(**USED)

    assert shown.world.status()["recommendation"] == PAGE
    assert caplog.messages == ["workload team/bad cannot be shown"]


def test_nothing_is_shown_by_a_tick_that_could_not_decide(shown):
    shown.process.showing(SimpleNamespace(observed=None, decisions=None))
    assert shown.process.stating.snapshot().queue.handed_out == 0


def test_after_a_start_the_turns_of_workloads_are_spread():
    shown = Shown()
    try:
        names = [f"w{i}" for i in range(20)]
        for name in names:
            shown.world.add(name)
        shown.tick()
        shown.process.end()
        shown.process = shown.world.process(epoch=2)
        moved = {"request": (99.0, 5 * GIB), "limit": (99.0, 9 * GIB)}
        counts = [len(shown.tick(after_s=60, **moved)) for _ in range(11)]
    finally:
        shown.world.close()

    assert sum(counts) == 21
    assert max(counts) < 10
    assert shown.world.clock.now_s() == START_S + 15 + 660
