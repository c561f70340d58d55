"""Whatever happens in whatever order: never too many workers, and in the end those wanted."""

from contextlib import suppress

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from autoscaler.errors import ApiUnavailableError
from autoscaler.workloads.pod_state import is_live
from autoscaler.workloads.worker_pods.worker_pods import WorkerPods
from tests.autoscaler.workloads.serving import ServingWorld

MOST = 4
SURGE = 1


class WorkersOfOneWorkload(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.world = ServingWorld(replicas=1)
        self.world.box.show()
        self.version = self.most = 1

    @rule(replicas=st.integers(0, MOST))
    def somebody_scales(self, replicas):
        self.most = max(self.most, replicas)
        self.world.set_spec(replicas=replicas)

    @rule()
    def the_pool_gets_another_image(self):
        self.version += 1
        self.world.set_pool(image=f"worker:{self.version}")

    @rule(looks=st.lists(st.booleans(), min_size=1, max_size=6))
    def the_workload_is_looked_at_with_fresh_and_old_caches(self, looks):
        for is_shown in looks:
            self.world.look(is_shown=is_shown)

    @rule(is_written=st.booleans(), method=st.sampled_from(["POST", "DELETE"]))
    def an_answer_is_lost(self, is_written, method):
        def lose(asked, path):
            if asked == method:
                raise ApiUnavailableError("no answer")

        api = self.world.api
        before, after = api.before, api.after
        if is_written:
            api.after = lose
        else:
            api.before = lose
        with suppress(ApiUnavailableError):
            self.world.look()
        api.before, api.after = before, after

    @rule()
    def another_process_takes_over(self):
        self.world.worker_pods = WorkerPods(self.world.box.tools)

    @rule(is_ready=st.booleans())
    def workers_run(self, is_ready):
        self.world.run(is_ready=is_ready)

    @precondition(lambda self: self.world.names())
    @rule(data=st.data())
    def a_worker_fails(self, data):
        name = data.draw(st.sampled_from(self.world.names()))
        self.world.run(name)
        self.world.fail(name)

    @rule()
    def the_kubelet_ends_what_is_deleted(self):
        self.world.end_deleted()

    @rule(duration_s=st.sampled_from([1, 15, 120]))
    def time_passes(self, duration_s):
        self.world.box.advance(duration_s)

    @invariant()
    def there_are_never_more_than_were_ever_wanted_at_once(self):
        assert sum(map(is_live, self.world.workers())) <= self.most + SURGE

    def teardown(self):
        for _ in range(30):
            self.world.box.advance(301)
            self.world.look()
            self.world.end_deleted()
            self.world.run()
        wanted = self.world.look().wanted
        workers = self.world.workers()
        assert len(workers) == wanted
        images = {each["spec"]["containers"][0]["image"] for each in workers}
        assert images <= {f"worker:{self.version}"}


TestWorkersOfOneWorkload = WorkersOfOneWorkload.TestCase
TestWorkersOfOneWorkload.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
