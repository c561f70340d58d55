"""Whatever changes in whatever order, and in whatever order caches see it, the books end right."""

from hypothesis import event, given
from hypothesis import strategies as st

from autoscaler.kube.resource import GPUS, NODES, PODS, POOLS
from autoscaler.workloads.books.observed_claims import observed_claims
from autoscaler.workloads.nodes.node_books import NodeBooks
from autoscaler.workloads.watching import watch
from tests.autoscaler.workloads.objects import IN_POOL, gpu, node, placed, pod, pool, worker
from tests.autoscaler.workloads.test_watching import CappedDouble, WaitingDouble
from tests.autoscaler.workloads.toolbox import Toolbox

UUIDS, NAMES, PODS_OF = ("GPU-1", "GPU-2"), ("n1", "n2"), ("a", "b", "c")
WATCHED = (PODS, NODES, GPUS, POOLS)


def _pods(name):
    return st.one_of(
        st.builds(worker, st.just(name)),
        st.builds(
            placed,
            st.just(name),
            gpus=st.sampled_from((("GPU-1",), ("GPU-2",), UUIDS)),
            node=st.sampled_from(NAMES),
            is_bound=st.booleans(),
            amounts=st.sampled_from(
                (
                    {"tflops-request": "10", "vram-request": "4Gi"},
                    {"compute-percent-request": "30"},
                    {"tflops-request": "many"},
                )
            ),
        ),
        st.builds(placed, st.just(name), phase=st.sampled_from(("Running", "Failed"))),
        st.builds(pod, st.just(name), nodeName=st.sampled_from(NAMES)),
    )


_STATES = st.one_of(
    st.sampled_from(PODS_OF).flatmap(_pods).map(lambda obj: (PODS, obj)),
    st.builds(
        gpu,
        st.sampled_from(UUIDS),
        node=st.sampled_from(NAMES),
        tflops=st.sampled_from(("50", "100")),
        phase=st.sampled_from(("Running", "Unknown")),
    ).map(lambda obj: (GPUS, obj)),
    st.builds(
        node,
        st.sampled_from(NAMES),
        labels=st.sampled_from(({}, {"pool": "none"})),
        allocatable=st.sampled_from(({}, {"nvidia.com/gpu": "1"})),
    ).map(lambda obj: (NODES, obj)),
    st.builds(
        pool,
        st.sampled_from(("pool", "other")),
        node_selector=st.sampled_from((IN_POOL, {})),
        reservedUUIDs=st.sampled_from(([], ["gpu-1"])),
    ).map(lambda obj: (POOLS, obj)),
)
_DELETIONS = st.one_of(
    st.sampled_from(PODS_OF).map(lambda name: (PODS, name)),
    st.sampled_from(UUIDS).map(lambda name: (GPUS, name.lower())),
    st.sampled_from(NAMES).map(lambda name: (NODES, name)),
    st.sampled_from(("pool", "other")).map(lambda name: (POOLS, name)),
)
CHANGES = st.lists(st.one_of(_STATES, _STATES, _DELETIONS), max_size=25)


class _Watched:
    def __init__(self, api=None):
        self.box = Toolbox(api=api)
        self.node_books = NodeBooks()
        watch(self.box.tools, self.node_books, waiting=WaitingDouble(), capped=CappedDouble())

    def see(self, resource):
        """Let one cache see what is there."""
        objects = self.box.api.all(resource)
        self.box.tools.cluster.store(resource).replace(objects)

    def books(self):
        """Return all that the books say."""
        books = self.box.tools.books
        names = [uuid.lower() for uuid in UUIDS]
        taken = {name: self.node_books.taken(name) for name in NAMES}
        return (
            {name: (books.card(name), books.used(name), books.free(name)) for name in names},
            {name: (each.pods, dict(each.amounts)) for name, each in taken.items()},
            books.quota_use("team"),
        )


def _change(api, change):
    resource, what = change
    namespace = "team" if resource.is_namespaced else ""
    name = what if isinstance(what, str) else what["metadata"]["name"]
    if isinstance(what, str):
        if api.find(resource, namespace, name) is not None:
            api.remove(resource, namespace, name)
    else:
        api.add(resource, what)


@given(CHANGES, st.lists(st.sampled_from(WATCHED), max_size=40), st.permutations(WATCHED))
def test_the_books_are_those_of_one_who_starts_now(changes, seen, last):
    here = _Watched()
    seen = iter(seen)
    for change in changes:
        _change(here.box.api, change)
        resource = next(seen, None)
        if resource is not None:
            here.see(resource)
    for uuid in UUIDS:
        # Where a pod waits to be bound is remembered when its GPU is gone; who starts cannot know.
        if here.box.api.find(GPUS, "", uuid.lower()) is None:
            _change(here.box.api, (GPUS, gpu(uuid)))
    for resource in last:
        here.see(resource)
    anew = _Watched(here.box.api)
    for resource in (POOLS, NODES, GPUS, PODS):
        anew.see(resource)
    event(f"{len(here.box.api.all(PODS))} pods")
    assert here.books() == anew.books()
    claims = observed_claims(here.box.api.all(PODS), here.box.tools.books.card)
    assert here.box.tools.books.drift(claims) == ()
