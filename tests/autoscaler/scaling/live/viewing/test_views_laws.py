"""Views that follow changes are those that somebody would make who looks for the first time."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from autoscaler.kube.resource import GPUS, HPAS, NAMESPACES, PODS, POOLS, QUOTAS, WORKLOADS
from autoscaler.scaling.cluster import amounts
from autoscaler.scaling.external.answers import ExternalAnswer
from tests.autoscaler.scaling.live.live_objects import (
    A100,
    DEPLOYMENT,
    ENROLLED,
    L4,
    desired,
    gpu,
    hpa,
    in_force,
    namespace,
    pool,
    quota,
    worker,
    workload,
)
from tests.autoscaler.scaling.live.live_world import LiveWorld

NAMES = st.sampled_from(["chat", "web"])
PODS_DRAWN = st.sampled_from(["p1", "p2", "p3", "p4"])
GPUS_DRAWN = st.sampled_from(["GPU-1", "GPU-2", "GPU-3"])
POOLS_DRAWN = st.sampled_from(["pool", "other"])
NUMBERS = st.integers(0, 60)
ASKED = {**ENROLLED, "externalScaler": {"enable": True, "url": "https://scaler.example.test"}}


class FollowedViews(RuleBasedStateMachine):
    """A cluster that changes at random; its views are looked at after each change."""

    def __init__(self):
        super().__init__()
        self.world = LiveWorld(namespace_selector="tier=gold")
        self.world.put(NAMESPACES, namespace("team"))

    @rule(
        name=NAMES,
        config=st.sampled_from([None, ENROLLED, ASKED]),
        owners=st.integers(0, 2),
        pool_name=st.none() | POOLS_DRAWN,
        model=st.sampled_from([None, "A100", "L4"]),
        replicas=st.none() | st.integers(0, 3),
        status=st.sampled_from([{}, desired(requests={"tflops": "30"}, limits={"tflops": "50"})]),
    )
    def put_workload(self, name, config, owners, pool_name, model, replicas, status):
        owned_by = [{**DEPLOYMENT, "name": f"{name}{i or ''}"} for i in range(owners)]
        self.world.put(
            WORKLOADS,
            workload(
                name,
                owners=owned_by,
                autoScalingConfig=config,
                poolName=pool_name,
                gpuModel=model,
                replicas=replicas,
                status=status,
            ),
        )

    @rule(name=NAMES)
    def remove_workload(self, name):
        self.world.remove(WORKLOADS, name)

    @rule(
        pod=PODS_DRAWN,
        of=NAMES,
        uuid=st.sampled_from(["", "GPU-1", "GPU-2", "GPU-3"]),
        tflops=NUMBERS,
        unit=st.sampled_from(["tflops", "compute_percent"]),
        is_going=st.booleans(),
        ready_s=st.none() | st.integers(60, 70),
    )
    def put_worker(self, pod, of, uuid, tflops, unit, is_going, ready_s):
        going = {"deletionTimestamp": "2026-01-01T01:00:00Z"} if is_going else {}
        self.world.put(
            PODS,
            worker(
                pod,
                of=of,
                gpus=(uuid,) if uuid else (),
                amounts=in_force(**{f"{unit}_limit": str(tflops)}),
                metadata=going,
                ready_s=ready_s if uuid else None,
            ),
        )

    @rule(pod=PODS_DRAWN)
    def remove_worker(self, pod):
        self.world.remove(PODS, pod)

    @rule(
        uuid=GPUS_DRAWN,
        in_pool=POOLS_DRAWN,
        model=st.sampled_from([(A100, "A100"), (L4, "L4")]),
        free=NUMBERS,
    )
    def put_gpu(self, uuid, in_pool, model, free):
        self.world.put(
            GPUS, gpu(uuid, pool=in_pool, gpu_model=model[0], model=model[1], free=(free, "9Gi"))
        )

    @rule(uuid=GPUS_DRAWN)
    def remove_gpu(self, uuid):
        self.world.remove(GPUS, uuid.lower(), namespace="")

    @rule(name=POOLS_DRAWN, is_paused=st.booleans())
    def put_pool(self, name, is_paused):
        self.world.put(POOLS, pool(name, is_paused=is_paused))

    @rule(
        most=NUMBERS, used=NUMBERS, single=st.sampled_from([{}, {"maxRequests": {"tflops": "20"}}])
    )
    def put_quota(self, most, used, single):
        self.world.put(
            QUOTAS,
            quota(
                single=single,
                total={"requests": {"tflops": str(most)}},
                used={"requests": {"tflops": str(used)}},
            ),
        )

    @rule()
    def remove_quota(self):
        self.world.remove(QUOTAS, "quota")

    @rule(name=NAMES, is_there=st.booleans())
    def put_rival(self, name, is_there):
        if is_there:
            self.world.put(HPAS, hpa(name, target=name))
        else:
            self.world.remove(HPAS, name)

    @rule(name=NAMES, stated=st.none() | st.integers(1, 5))
    def remember(self, name, stated):
        self.world.guards.remember(name, stated=stated)

    @rule(name=NAMES, tflops=NUMBERS)
    def answer(self, name, tflops):
        uid = f"uid-of-tensorfusionworkload-{name}"
        wanted = amounts({"tflops_pct": float(tflops)})
        self.world.answers[uid] = ExternalAnswer(request=wanted)

    @rule(mode=st.sampled_from(["apply", "recommend"]), paused=st.sampled_from(["true", "false"]))
    def switch(self, mode, paused):
        self.world.switch(mode=mode, paused=paused)

    @rule(is_chosen=st.booleans())
    def choose_namespace(self, is_chosen):
        if is_chosen:
            self.world.put(NAMESPACES, namespace("team"))
        else:
            self.world.remove(NAMESPACES, "team", namespace="")

    @invariant()
    def views_are_as_if_made_anew(self):
        followed, anew = self.world.views, self.world.new_views()
        assert followed.snapshot() == anew.snapshot()
        again = followed.snapshot()
        assert all(one is other for one, other in zip(followed.snapshot(), again, strict=True))
        for key in (("team", "chat"), ("team", "web")):
            assert followed.problem_of(key) == anew.problem_of(key)
            assert followed.held_of(key) == anew.held_of(key)


FollowedViews.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestFollowedViews = FollowedViews.TestCase
