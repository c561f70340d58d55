"""Laws of admission over pods as tenants may send them."""

import copy

from hypothesis import event, given
from hypothesis import strategies as st

from autoscaler.api.names import AMOUNT_KEYS, PREFIX, SYSTEM_ANNOTATIONS
from autoscaler.webhook.admission import Admission
from recommender.gpu_models import find_gpu_model
from recommender.quantities import parse_quantity
from tests.autoscaler.webhook.asking import asked, patched
from tests.autoscaler.webhook.clusters import NAMESPACE, MemorySnapshot
from tests.autoscaler.webhook.submissions import sensible_pods, wild_pods
from tests.autoscaler.webhook.surroundings import clusters

PODS = sensible_pods() | wild_pods()
FOREIGN_CONTAINER = {"name": "sidecar", "image": "mesh"}
FOREIGN_ITEMS = {
    "env": {"name": "MESH", "value": "on"},
    "volumeMounts": {"name": "mesh", "mountPath": "/mesh"},
}


def outcome(admission: Admission) -> str:
    return "refused" if admission.error else "admitted"


@given(PODS, clusters())
def test_an_answer_is_a_patch_or_a_refusal_and_the_pod_stays_as_it_was(obj, snapshot):
    before = copy.deepcopy(obj)
    admission = asked(obj, snapshot)
    event(outcome(admission))
    assert obj == before
    assert bool(admission.patch) != bool(admission.error)


@given(PODS, clusters())
def test_the_same_question_has_the_same_answer(obj, snapshot):
    assert asked(obj, snapshot) == asked(copy.deepcopy(obj), snapshot)


@given(sensible_pods(), clusters())
def test_admitting_an_admitted_pod_changes_nothing(obj, snapshot):
    first = asked(obj, snapshot)
    event(outcome(first))
    if first.error:
        return
    again = asked(patched(obj, first), snapshot)
    assert (again.error, again.patch) == ("", ())


@given(sensible_pods(), clusters(), st.sampled_from(("first", "last")))
def test_what_another_webhook_adds_in_between_is_kept_and_changes_nothing_else(
    obj, snapshot, place
):
    first = asked(obj, snapshot)
    event(outcome(first))
    if first.error:
        return
    between = patched(obj, first)
    at = 0 if place == "first" else len(between["spec"]["containers"])
    for each in between["spec"]["containers"]:
        for key, item in FOREIGN_ITEMS.items():
            each[key] = list(each.get(key) or ())
            each[key].insert(0 if at == 0 else len(each[key]), item)
    between["spec"]["containers"].insert(at, FOREIGN_CONTAINER)
    between["metadata"]["annotations"]["mesh.example/injected"] = "true"
    again = asked(between, snapshot)
    assert (again.error, again.patch) == ("", ())


def most_of(snapshot: MemorySnapshot, side: str, name: str) -> list[float]:
    found = [
        (quota["spec"]["single"].get(side) or {}).get(name) for quota in snapshot.quotas(NAMESPACE)
    ]
    return [float(parse_quantity(value)) for value in found if value and value != "0"]


@given(sensible_pods(), clusters())
def test_nothing_in_force_is_above_what_the_quotas_allow(obj, snapshot):
    first = asked(obj, snapshot)
    event(outcome(first))
    if first.error:
        return
    found = patched(obj, first)["metadata"]["annotations"]
    for end, side in (("request", "maxRequests"), ("limit", "maxLimits")):
        for name in ("tflops", "vram"):
            value = found.get(f"{PREFIX}{name}-{end}")
            percent = found.get(f"{PREFIX}compute-percent-{end}")
            if value is None and percent is not None and name == "tflops":
                model = find_gpu_model(found.get(f"{PREFIX}gpu-model", ""))
                peak = model.fp16_tflops if model else float("inf")
                value = str(float(parse_quantity(percent)) * peak / 100)
            for most in most_of(snapshot, side, name):
                assert value is not None or end == "request", f"{name}-{end} has no bound"
                assert value is None or float(parse_quantity(value)) <= most * (1 + 1e-9)


@given(sensible_pods(), clusters())
def test_a_request_in_force_is_never_above_its_limit(obj, snapshot):
    first = asked(obj, snapshot)
    event(outcome(first))
    if first.error:
        return
    found = patched(obj, first)["metadata"]["annotations"]
    amounts = {
        key: parse_quantity(found[f"{PREFIX}{key}"])
        for key in AMOUNT_KEYS
        if f"{PREFIX}{key}" in found
    }
    for name in ("tflops", "compute-percent", "vram"):
        if f"{name}-request" in amounts and f"{name}-limit" in amounts:
            assert amounts[f"{name}-request"] <= amounts[f"{name}-limit"]


@given(sensible_pods(), clusters())
def test_keys_of_the_system_come_from_the_system(obj, snapshot):
    without = copy.deepcopy(obj)
    for key in SYSTEM_ANNOTATIONS:
        (without["metadata"].get("annotations") or {}).pop(key, None)
    first, plain = asked(obj, snapshot), asked(without, snapshot)
    assert first.error == plain.error
    if not first.error:
        assert patched(obj, first) == patched(without, plain)
