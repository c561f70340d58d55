import pytest

from autoscaler.webhook.inject import InjectionPlan, inject
from tests.autoscaler.webhook.pods import container, pod

EMBEDDED = InjectionPlan(
    containers=("main",), is_limited=True, is_gated=True, limiter_image="limiter:1"
)
CLIENT = InjectionPlan(containers=("main",), is_limited=False, is_gated=False)


def mount(name, path):
    return [{"name": name, "mountPath": path}]


@pytest.mark.parametrize(
    ("old", "problem"),
    [
        (
            pod(os={"name": "windows"}),
            "spec.os.name: 'windows' is not supported with a shared GPU; allowed: 'linux'",
        ),
        (
            pod(nodeName="n1"),
            ("spec.nodeName: 'n1' cannot be set on a pod that waits for a GPU; allowed: nothing, "
            "or spec.nodeSelector with kubernetes.io/hostname"),
        ),
        (
            pod(volumes=[{"name": "a"}, {"name": "tf-ctl", "hostPath": {"path": "/"}}]),
            ("spec.volumes[1].name: 'tf-ctl' is reserved for the limiter; allowed: any name other "
            "than tf-lib, tf-ctl, tf-use"),
        ),
        (
            pod(container(), container("spy", volumeMounts=mount("tf-ctl", "/x"))),
            ("spec.containers 'spy': mounts 'tf-ctl', which is reserved for the limiter; allowed: "
            "volumes other than tf-lib, tf-ctl, tf-use"),
        ),
        (
            pod(initContainers=[container("i", volumeMounts=mount("tf-use", "/"))]),
            ("spec.initContainers 'i': mounts 'tf-use', which is reserved for the limiter; "
            "allowed: volumes other than tf-lib, tf-ctl, tf-use"),
        ),
        (
            pod(container(volumeMounts=mount("tf-ctl", "/tensor-fusion/ctl"))),
            ("spec.containers 'main': mounts 'tf-ctl' at '/tensor-fusion/ctl' in another way than "
            "the limiter does; allowed: leave the mount out, it is added"),
        ),
        (
            pod(container(volumeMounts=mount("data", "/tensor-fusion/./ctl/"))),
            ("spec.containers 'main': mounts 'data' at '/tensor-fusion/./ctl/'; allowed: paths "
            "outside of /tensor-fusion, which is the limiter's"),
        ),
        (
            pod(container(), container("tf-limiter")),
            ("spec.containers 'tf-limiter': the name is reserved for the limiter; allowed: any "
            "other name"),
        ),
        (
            pod(initContainers=[container("tf-limiter", command=["sleep"])]),
            ("spec.initContainers 'tf-limiter': the name is reserved for the limiter; allowed: any "
            "other name"),
        ),
    ],
)  # fmt: skip
def test_a_pod_that_cannot_carry_the_limiter_is_refused_with_the_reason(old, problem):
    assert list(map(str, inject(old, EMBEDDED)[1])) == [problem]


def test_all_problems_are_named_at_once():
    old = pod(
        container(volumeMounts=[{"name": "tf-lib", "mountPath": "/lib"}]),
        container("tf-limiter"),
        os={"name": "windows"},
    )

    assert len(inject(old, EMBEDDED)[1]) == 3


def test_names_that_merely_begin_like_ours_belong_to_the_user():
    old = pod(
        container(volumeMounts=[{"name": "tf-models", "mountPath": "/tensor-fusion-models"}]),
        volumes=[{"name": "tf-models", "persistentVolumeClaim": {"claimName": "m"}}],
    )

    assert inject(old, EMBEDDED)[1] == ()


def test_a_client_may_use_any_name():
    old = pod(volumes=[{"name": "tf-ctl", "persistentVolumeClaim": {"claimName": "m"}}])

    assert inject(old, CLIENT)[1] == ()
