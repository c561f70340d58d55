"""Decisions, workers that come and go, late caches and lost answers in any order."""

from contextlib import suppress

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from autoscaler.errors import ApiUnavailableError, ConflictError, KubeError
from autoscaler.kube.resource import PODS
from autoscaler.workloads.books.gpu_amounts import GpuAmounts
from autoscaler.workloads.books.observed_claims import observed_claims
from tests.autoscaler.workloads.adjusting_world import AdjustingWorld, amounts, decided
from tests.autoscaler.workloads.objects import GIB, gpu, quota

TFLOPS, VRAM_GIB, QUOTA_TFLOPS = 60, 40, 80
CAPACITY = GpuAmounts(microtflops=TFLOPS * 10**6, vram_bytes=VRAM_GIB * GIB)
NAMES = ("a", "b", "c", "d")
LEAST = {"tflops-request": "10", "tflops-limit": "15", "vram-request": "5Gi", "vram-limit": "8Gi"}
"""What every worker begins with: four of them fit on one GPU, and in the quota."""
BROKEN = ApiUnavailableError("the connection broke")


class AdjustingLaws(RuleBasedStateMachine):
    """Up to four workers of one workload on two GPUs."""

    def __init__(self):
        super().__init__()
        gpus = [gpu(f"GPU-{i}", index=i, tflops=str(TFLOPS), vram=f"{VRAM_GIB}Gi") for i in (0, 1)]
        self.world = AdjustingWorld(gpus=gpus)
        total = {"requests": {"tflops": str(QUOTA_TFLOPS)}, "limits": {"vram": "60Gi"}}
        self.world.limit(quota(total=total))
        self.sequence = 0

    @property
    def running(self):
        return [pod["metadata"]["name"] for pod in self.world.api.all(PODS)]

    def claims(self):
        return list(observed_claims(self.world.api.all(PODS), self.world.books.card))

    @precondition(lambda self: len(self.running) < len(NAMES) and self.sequence == 0)
    @rule(gpu_of=st.sampled_from(["GPU-0", "GPU-1"]))
    def start_a_worker(self, gpu_of):
        name = next(name for name in NAMES if name not in self.running)
        self.world.run(name, gpus=(gpu_of,), amounts=LEAST)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def end_a_worker(self, data):
        self.world.api.remove(PODS, "team", data.draw(st.sampled_from(self.running)))

    @rule(
        tflops=st.sampled_from([1, 10, 15, 25, 40, 70]),
        vram=st.sampled_from([1, 5, 8, 15, 30, 50]),
        more=st.sampled_from([0, 10, 30]),
    )
    def decide(self, tflops, vram, more):
        self.sequence += 1
        self.world.decide(
            decided(
                requests=amounts(str(tflops), f"{vram}Gi"),
                limits=amounts(str(tflops + more), f"{vram + more}Gi"),
                sequence=self.sequence,
            )
        )

    @rule(
        when=st.sampled_from(["before", "after"]),
        methods=st.sampled_from([("PATCH",), ("PATCH", "GET")]),
    )
    def adjust_while_answers_get_lost(self, when, methods):
        def break_off(method, path):
            if method in methods:
                raise BROKEN

        setattr(self.world.api, when, break_off)
        with suppress(ApiUnavailableError, ConflictError):
            self.world.adjust()
        setattr(self.world.api, when, lambda method, path: None)

    @rule()
    def adjust(self):
        with suppress(ConflictError):
            self.world.adjust()

    @rule()
    def show(self):
        self.world.show()

    @precondition(lambda self: self.running)
    @rule(data=st.data(), text=st.text("ab", max_size=2))
    def let_somebody_else_change_a_pod(self, data, text):
        name = data.draw(st.sampled_from(self.running))
        self.world.api.edit(
            PODS, "team", name, lambda pod: pod["metadata"]["annotations"].update(note=text)
        )

    @invariant()
    def no_gpu_and_no_quota_is_above_what_there_is(self):
        for name in ("gpu-0", "gpu-1"):
            on_gpu = [claim.request for claim in self.claims() if name in claim.gpus]
            assert sum(on_gpu, GpuAmounts()).fits_in(CAPACITY)
            assert self.world.books.used(name).fits_in(CAPACITY)
        claims = self.claims()
        assert sum(claim.request.microtflops for claim in claims) <= QUOTA_TFLOPS * 10**6
        assert sum(claim.limit.vram_bytes for claim in claims) <= 60 * GIB

    def teardown(self):
        self.world.show()
        self.converge()
        assert self.world.books.drift(self.claims()) == ()
        assert self.world.books.snapshot().in_flight == 0
        written = len(self.world.patches())
        before = self.world.settle()
        assert self.world.settle() == before
        assert len(self.world.patches()) == written

    def converge(self):
        """Adjust as the queue does, until no write is left whose outcome is not known."""
        for _ in range(6):
            with suppress(KubeError):
                self.world.adjust()
            self.world.box.advance(100)
            self.world.show()


AdjustingLaws.TestCase.settings = settings(deadline=None, max_examples=60, stateful_step_count=25)
TestAdjustingLaws = AdjustingLaws.TestCase
