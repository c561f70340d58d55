import pytest

from autoscaler.api.names import PREFIX
from autoscaler.api.object_key import ObjectKey
from autoscaler.webhook.admission import Admission
from autoscaler.webhook.admit import admit
from autoscaler.webhook.validate_templates import TEMPLATE_PATHS, validate_template
from tests.autoscaler.webhook.clusters import cluster, made, owned, profile
from tests.autoscaler.webhook.pods import container

ENABLED = {f"{PREFIX}enabled": "true"}
SOUND = {f"{PREFIX}tflops-request": "10", f"{PREFIX}is-local-gpu": "true"}
VERSIONS = {"Job": "batch/v1", "CronJob": "batch/v1"}


def templated(kind="Deployment", *, annotations=None, labels=None, own=None, containers=None):
    """Return an object of a kind with a pod template."""
    template = {
        "metadata": {"annotations": annotations, "labels": labels},
        "spec": {"containers": [container()] if containers is None else containers},
    }
    spec = {"template": template}
    if kind == "CronJob":
        spec = {"jobTemplate": {"spec": spec}}
    api_version = VERSIONS.get(kind, "apps/v1")
    return made(kind, "web", api_version=api_version, spec=spec, metadata={"labels": own or {}})


def warnings_of(obj, *others) -> tuple[str, ...]:
    return validate_template(obj["kind"], obj, cluster(*others), admit)


@pytest.mark.parametrize("kind", TEMPLATE_PATHS)
def test_a_sound_template_brings_no_warning(kind):
    assert warnings_of(templated(kind, annotations=SOUND, labels=ENABLED)) == ()


@pytest.mark.parametrize("kind", TEMPLATE_PATHS)
def test_a_template_whose_pods_will_be_refused_is_warned_about(kind):
    bad = templated(kind, annotations=SOUND | {f"{PREFIX}qos": "superb"}, labels=ENABLED)

    [warning] = warnings_of(bad)

    assert warning == (
        f"pods of this template will be refused: annotation {PREFIX}qos: 'superb' is not valid; "
        "allowed: low, medium, high, critical"
    )


def test_each_reason_is_a_warning_of_its_own():
    bad = SOUND | {f"{PREFIX}qos": "superb", f"{PREFIX}gpu-count": "two"}

    warnings = warnings_of(templated(annotations=bad, labels=ENABLED))

    head = "pods of this template will be refused: annotation"
    assert [warning.partition(": '")[0] for warning in warnings] == [
        f"{head} {PREFIX}gpu-count",
        f"{head} {PREFIX}qos",
    ]


def test_a_profile_that_does_not_exist_yet_may_come_before_the_pods():
    late = templated(annotations=SOUND | {f"{PREFIX}workload-profile": "small"}, labels=ENABLED)

    [warning] = warnings_of(late)

    assert warning.startswith(
        "pods of this template will be refused (unless WorkloadProfile small exists by then): "
    )
    assert warnings_of(late, profile("small")) == ()


def test_warnings_of_admission_are_passed_on():
    odd = templated(annotations=SOUND | {f"{PREFIX}bogus": "1"}, labels=ENABLED)

    assert warnings_of(odd) == (f"annotation {PREFIX}bogus: has no effect",)


def test_a_template_that_was_copied_from_an_admitted_pod_is_told_which_amounts_count():
    copied = {f"{PREFIX}declared-tflops-request": "5", f"{PREFIX}declared-vram-request": "1Gi"}

    assert warnings_of(templated(annotations=SOUND | copied, labels=ENABLED)) == (
        (
            f"annotation {PREFIX}declared-tflops-request and 1 more: counts in place of the "
            "amounts without declared-; allowed, but better left out here"
        ),
    )


@pytest.mark.parametrize("labels", [None, {}, {"app": "x"}])
def test_annotations_without_the_label_have_no_effect(labels):
    forgotten = templated(annotations=SOUND | {"other": "x"}, labels=labels)

    assert warnings_of(forgotten) == (
        (
            f"{PREFIX}is-local-gpu, {PREFIX}tflops-request: no effect without the label "
            f"{PREFIX}enabled: 'true' in spec.template.metadata.labels"
        ),
    )


def test_the_label_belongs_into_the_template():
    misplaced = templated("CronJob", own=ENABLED)

    assert warnings_of(misplaced) == (
        (
            f"label {PREFIX}enabled of the object itself: no effect without the label "
            f"{PREFIX}enabled: 'true' in spec.jobTemplate.spec.template.metadata.labels"
        ),
    )


def test_many_annotations_without_the_label_are_not_all_named():
    many = {f"{PREFIX}key-{index}": "1" for index in range(9)}

    [warning] = warnings_of(templated(annotations=many))

    assert f"{PREFIX}key-4 and 4 more: no effect" in warning


def test_a_forged_worker_is_warned_about():
    forged = templated(labels={f"{PREFIX}component": "worker"})

    assert warnings_of(forged) == (
        (
            f"pods of this template will be refused: label {PREFIX}component is refused without "
            f"the label {PREFIX}enabled: 'true' in spec.template.metadata.labels"
        ),
    )


def test_a_label_with_another_value_is_a_warning():
    assert warnings_of(templated(labels={f"{PREFIX}enabled": "yes"})) == (
        f"label {PREFIX}enabled: 'yes' has no effect; allowed: true, false",
    )


@pytest.mark.parametrize("labels", [{f"{PREFIX}enabled": "false"}, {"app": "x"}, None])
def test_a_template_that_is_none_of_ours_brings_no_warning(labels):
    annotations = SOUND if labels == {f"{PREFIX}enabled": "false"} else None

    assert warnings_of(templated(annotations=annotations, labels=labels)) == ()


def test_what_a_controller_made_brings_no_warning():
    bad = templated("Job", annotations={f"{PREFIX}qos": "superb"}, labels=ENABLED)

    assert warnings_of(owned(bad, templated("CronJob"))) == ()


@pytest.mark.parametrize("kind", ["Pod", "ReplicaSet", "Rollout"])
def test_other_kinds_are_not_looked_at(kind):
    assert validate_template(kind, templated(kind), cluster(), admit) == ()


@pytest.mark.parametrize(
    "obj", [{}, {"spec": None}, {"spec": {"template": None}, "metadata": None}]
)
def test_an_object_without_a_template_brings_no_warning(obj):
    assert validate_template("Deployment", obj, cluster(), admit) == ()


def test_the_template_is_asked_about_as_the_pod_that_it_will_become():
    asked = []

    def refusing(request, snapshot):
        asked.append((request, snapshot))
        owner = ObjectKey("apps/v1", "StatefulSet", "team", "web")
        return Admission(error="no", warnings=("careful",), missing=(owner,))

    obj, snapshot = templated("StatefulSet", annotations=SOUND, labels=ENABLED), cluster()

    assert validate_template("StatefulSet", obj, snapshot, refusing) == (
        "pods of this template will be refused: no",
        "careful",
    )
    [(request, given)] = asked
    assert given is snapshot
    assert request.namespace == "team"
    assert request.pod == {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "annotations": SOUND,
            "labels": ENABLED,
            "namespace": "team",
            "generateName": "web-",
            "ownerReferences": [
                {
                    "apiVersion": "apps/v1",
                    "kind": "StatefulSet",
                    "name": "web",
                    "uid": "",
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        },
        "spec": obj["spec"]["template"]["spec"],
    }
