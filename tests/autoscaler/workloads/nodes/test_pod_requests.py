"""What pods take of their nodes, as the scheduler counts it."""

from hypothesis import given
from hypothesis import strategies as st

from autoscaler.workloads.nodes.pod_requests import HostPort, is_terminal, requests_of
from tests.autoscaler.workloads.objects import GIB, pod

CPUS = st.integers(0, 8)


def container(cpu=None, *, name="main", is_sidecar=False, **fields):
    resources = {} if cpu is None else {"resources": {"requests": {"cpu": cpu}}}
    restart = {"restartPolicy": "Always"} if is_sidecar else {}
    return {"name": name, "image": "cuda", **resources, **restart, **fields}


def milli_cpu(*containers, inits=(), **spec):
    obj = pod(**spec)
    obj["spec"] |= {"containers": list(containers), "initContainers": list(inits)}
    return requests_of(obj).amounts.get("cpu", 0)


def test_cpu_is_counted_in_thousandths_and_memory_in_bytes_rounded_up():
    amounts = requests_of(pod(requests={"cpu": "1500u", "memory": "1500m"})).amounts
    assert amounts == {"cpu": 2, "memory": 2}


def test_extended_resources_and_storage_are_counted_too():
    found = requests_of(pod(requests={"nvidia.com/gpu": "2", "ephemeral-storage": "1Gi"})).amounts
    assert found == {"nvidia.com/gpu": 2, "ephemeral-storage": GIB}


def test_containers_add_up():
    assert milli_cpu(container("1"), container("250m")) == 1250


def test_init_containers_run_one_by_one_before_the_others():
    assert milli_cpu(container("1"), inits=[container("2"), container("3")]) == 3000
    assert milli_cpu(container("4"), inits=[container("2"), container("3")]) == 4000


def test_sidecars_run_beside_the_containers_and_beside_later_init_containers():
    sidecar = container("1", is_sidecar=True)
    assert milli_cpu(container("2"), inits=[sidecar]) == 3000
    assert milli_cpu(container("2"), inits=[sidecar, container("3")]) == 4000
    assert milli_cpu(container("2"), inits=[container("3"), sidecar]) == 3000


def test_the_overhead_of_a_runtime_is_added():
    assert milli_cpu(container("1"), overhead={"cpu": "500m"}) == 1500


def test_what_is_stated_for_the_whole_pod_takes_the_place_of_the_sum():
    whole = {"requests": {"cpu": "4", "memory": "1Gi", "hugepages-2Mi": "2Mi", "a.com/b": "1"}}
    found = requests_of(pod(requests={"cpu": "1", "a.com/b": "7"}, resources=whole)).amounts
    expected = {"cpu": 4000, "memory": GIB, "hugepages-2Mi": 2 * 2**20, "a.com/b": 7}
    assert found == expected


def test_the_overhead_is_added_to_what_is_stated_for_the_whole_pod():
    whole = {"requests": {"cpu": "4"}}
    assert milli_cpu(container("1"), resources=whole, overhead={"cpu": "1"}) == 5000


def test_a_pod_that_requests_nothing_takes_nothing_but_its_place():
    assert requests_of(pod()).amounts == {}
    assert requests_of(pod(requests={"cpu": "0"})).amounts == {}


def ports_of(*ports, **fields):
    obj = pod()
    obj["spec"]["containers"] = [container(ports=list(ports), **fields)]
    return requests_of(obj).host_ports


def test_host_ports_are_those_of_containers_and_sidecars():
    assert ports_of({"containerPort": 80}) == frozenset()
    assert ports_of({"containerPort": 80, "hostPort": 0}) == frozenset()
    assert ports_of({"hostPort": 80}) == {HostPort("TCP", "0.0.0.0", 80)}
    obj = pod()
    obj["spec"]["initContainers"] = [
        container(ports=[{"hostPort": 1}]),
        container(ports=[{"hostPort": 2}], is_sidecar=True),
    ]
    assert requests_of(obj).host_ports == {HostPort("TCP", "0.0.0.0", 2)}


def test_host_ports_conflict_on_the_same_address_and_on_all_addresses():
    all_addresses, one = HostPort("TCP", "0.0.0.0", 80), HostPort("TCP", "10.0.0.1", 80)
    assert all_addresses.conflicts_with(one)
    assert one.conflicts_with(all_addresses)
    assert one.conflicts_with(one)
    assert not one.conflicts_with(HostPort("TCP", "10.0.0.2", 80))
    assert not one.conflicts_with(HostPort("UDP", "10.0.0.1", 80))
    assert not one.conflicts_with(HostPort("TCP", "10.0.0.1", 81))


def test_a_pod_that_has_ended_is_terminal():
    phases = ("Pending", "Running", "Succeeded", "Failed", "Unknown")
    ended = [phase for phase in phases if is_terminal(pod(phase=phase))]
    assert ended == ["Succeeded", "Failed"]


@given(st.lists(CPUS, min_size=1), st.lists(st.tuples(CPUS, st.booleans())))
def test_a_pod_never_takes_less_than_runs_at_any_moment(running, inits):
    found = milli_cpu(
        *[container(str(cpu)) for cpu in running],
        inits=[container(str(cpu), is_sidecar=is_sidecar) for cpu, is_sidecar in inits],
    )
    moments, sidecars = [], 0
    for cpu, is_sidecar in inits:
        moments.append(sidecars + cpu)
        sidecars += cpu if is_sidecar else 0
    moments.append(sidecars + sum(running))
    assert found == 1000 * max(moments)
