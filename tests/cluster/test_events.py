"""Events as kubectl shows them, written with no more rights than to create and patch them."""

import pytest

from autoscaler.errors import ForbiddenError
from autoscaler.kube.api_server import ApiServer
from autoscaler.kube.event import EventType, reference_of
from autoscaler.kube.event_recorder import EventRecorder
from autoscaler.kube.resource import CONFIG_MAPS, EVENTS, NODES
from autoscaler.kube.write_budget import WriteBudget
from tests.cluster.identities import USERS
from tests.cluster.nodes import temporary_node
from tests.cluster.rest import Rest

USER = "alice"
RIGHTS = f"""
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: events}}
rules:
- {{apiGroups: [events.k8s.io], resources: [events], verbs: [create, patch]}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: events}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: events}}
subjects: [{{kind: User, name: "{USERS[USER][0]}"}}]
"""


def grant(control_plane, namespace):
    control_plane.kubectl("apply", "-n", namespace, "-f", "-", stdin=RIGHTS).well()


def recorder_of(control_plane):
    api = ApiServer.from_environment(
        kubeconfig=control_plane.kubeconfig(USER), user_agent="test-events"
    )
    return EventRecorder(
        api, controller="tensor-fusion.ai/autoscaler", instance="pod_1", budget=WriteBudget()
    )


def record(recorder, regarding, note="tflops 2 -> 3", **others):
    fields = {"reason": "ResourceScaledUp", "action": "StateResources"} | others
    recorder.record(regarding, note=note, **fields)


@pytest.fixture
def thing(control_plane, namespace):
    """Return a reference to an object that events can be about."""
    grant(control_plane, namespace)
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "thing"}}
    made = Rest(control_plane).request("POST", CONFIG_MAPS.path(namespace), body)
    return reference_of(CONFIG_MAPS, made)


@pytest.fixture
def recorder(control_plane, thing):
    return recorder_of(control_plane)


def events_in(control_plane, namespace):
    return Rest(control_plane).get(EVENTS.path(namespace))["items"]


def test_events_and_series_are_accepted_with_the_rights_to_create_and_patch_alone(
    control_plane, namespace, recorder, thing
):
    recorder.start()
    record(recorder, thing)
    record(recorder, thing, note="pool a has no GPU left", type=EventType.WARNING, related=thing)
    for _ in range(5):
        record(recorder, thing)
    recorder.stop(deadline_s=30.0)

    shown = recorder.snapshot()
    assert (shown.failed, shown.dropped, shown.last_error) == (0, 0, "")
    normal, warning = sorted(events_in(control_plane, namespace), key=lambda each: each["type"])
    assert normal["series"]["count"] == 6
    assert (warning["note"], warning["related"]["name"]) == ("pool a has no GPU left", "thing")
    assert normal["reportingController"] == "tensor-fusion.ai/autoscaler"


def test_kubectl_shows_an_event_with_its_object(control_plane, namespace, recorder, thing):
    record(recorder, thing)
    recorder.write_due()

    described = control_plane.kubectl("events", "-n", namespace, "--for", "configmap/thing").out
    assert "ResourceScaledUp" in described
    assert "tflops 2 -> 3" in described


def test_a_note_of_any_length_and_alphabet_is_accepted(control_plane, namespace, recorder, thing):
    record(recorder, thing, note="größer als erlaubt ⚠ " * 200)
    recorder.write_due()

    assert recorder.snapshot().failed == 0
    (event,) = events_in(control_plane, namespace)
    assert event["note"].endswith("…")


def test_an_event_about_a_node_stands_in_the_default_namespace(control_plane):
    grant(control_plane, "default")
    recorder = recorder_of(control_plane)
    with temporary_node(control_plane, "told-of") as node:
        record(recorder, reference_of(NODES, node))
        recorder.write_due()

    assert (recorder.snapshot().written, recorder.snapshot().last_error) == (1, "")
    # Events of other parts stand there too, some of them about nothing that has a name.
    about = [each["regarding"].get("name") for each in events_in(control_plane, "default")]
    assert "told-of" in about


def test_an_event_without_the_right_to_write_it_is_counted_and_nothing_else(
    control_plane, namespace, caplog
):
    recorder = recorder_of(control_plane)
    body = {"metadata": {"namespace": namespace, "name": "thing"}}
    record(recorder, reference_of(CONFIG_MAPS, body))
    recorder.write_due()

    assert recorder.snapshot().failed == 1
    assert "is forbidden" in recorder.snapshot().last_error
    assert "could not be written" in caplog.text


def test_the_rights_are_no_more_than_that(control_plane, namespace, thing):
    api = ApiServer.from_environment(
        kubeconfig=control_plane.kubeconfig(USER), user_agent="test-events"
    )
    with pytest.raises(ForbiddenError):
        list(api.pages(EVENTS, namespace=namespace))
