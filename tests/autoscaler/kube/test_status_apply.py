import pytest

from autoscaler.kube.resource import POOLS, WORKLOADS
from autoscaler.kube.status_apply import StatusOwner, apply_status

OWNER = StatusOwner(
    field_manager="tensor-fusion-autoscaler",
    fields=frozenset({"recommendation", "desiredResources"}),
    conditions=frozenset({"StaleMetrics", "RecommendationProvided"}),
)
METADATA = {"namespace": "team", "name": "llm", "uid": "u-1", "resourceVersion": "7", "labels": {}}


class Applied:
    """An API server that notes what is applied."""

    def __init__(self):
        self.calls = []

    def apply(self, resource, obj, *, field_manager, subresource):
        self.calls.append((resource, obj, field_manager, subresource))


@pytest.fixture
def api():
    return Applied()


def shown_with(status=None):
    return {"metadata": METADATA} | ({} if status is None else {"status": status})


def of_type(kind, **others):
    return {"type": kind, "status": "True", "reason": "A", **others}


def test_the_whole_part_of_the_writer_is_applied(api):
    status = {
        "recommendation": {"tflops": "3"},
        "conditions": [of_type("StaleMetrics"), of_type("RecommendationProvided")],
    }
    assert apply_status(api, WORKLOADS, shown_with(), status, OWNER)
    assert api.calls == [
        (
            WORKLOADS,
            {
                "apiVersion": "tensor-fusion.ai/v1",
                "kind": "TensorFusionWorkload",
                "metadata": {"namespace": "team", "name": "llm", "resourceVersion": "7"},
                "status": {
                    "recommendation": {"tflops": "3"},
                    "conditions": [of_type("RecommendationProvided"), of_type("StaleMetrics")],
                },
            },
            "tensor-fusion-autoscaler",
            "status",
        )
    ]


def test_an_object_without_a_namespace_is_named_without_one(api):
    shown = {"metadata": {"name": "pool", "resourceVersion": "8"}}
    apply_status(api, POOLS, shown, {"recommendation": {}}, OWNER)
    assert api.calls[0][1]["metadata"] == {"name": "pool", "resourceVersion": "8"}


def test_what_is_shown_already_is_not_written_whatever_others_wrote(api):
    own = [of_type("StaleMetrics"), of_type("RecommendationProvided")]
    shown = shown_with(
        {
            "phase": "Running",
            "recommendation": {"tflops": "3"},
            "conditions": [own[1], of_type("Ready"), own[0]],
        }
    )
    status = {"recommendation": {"tflops": "3"}, "conditions": own}
    assert not apply_status(api, WORKLOADS, shown, status, OWNER)
    assert api.calls == []


@pytest.mark.parametrize(
    "shown",
    [
        {"recommendation": {"tflops": "3"}, "desiredResources": {"epoch": 1}},
        {"recommendation": {"tflops": "3"}, "conditions": [of_type("StaleMetrics")]},
        {"recommendation": {"tflops": "4"}},
        {},
    ],
)
def test_what_is_left_out_or_differs_is_written(api, shown):
    status = {"recommendation": {"tflops": "3"}}
    assert apply_status(api, WORKLOADS, shown_with(shown), status, OWNER)
    assert api.calls[0][1]["status"] == status


def test_nothing_to_say_about_an_object_without_status_is_not_written(api):
    assert not apply_status(api, WORKLOADS, shown_with(), {}, OWNER)


def test_fields_of_another_writer_are_a_defect(api):
    with pytest.raises(ValueError, match=r"fields \['phase'\] are another writer's; allowed: "):
        apply_status(api, WORKLOADS, shown_with(), {"phase": "Running"}, OWNER)


def test_conditions_of_another_writer_are_a_defect(api):
    with pytest.raises(ValueError, match=r"conditions \['Ready'\] are another writer's; allowed"):
        apply_status(api, WORKLOADS, shown_with(), {"conditions": [of_type("Ready")]}, OWNER)


def test_two_conditions_of_one_type_are_a_defect(api):
    twice = {"conditions": [of_type("StaleMetrics"), of_type("StaleMetrics")]}
    with pytest.raises(ValueError, match="repeat a type"):
        apply_status(api, WORKLOADS, shown_with(), twice, OWNER)
