import pytest

from autoscaler.api.injection import INIT_COMMAND, LIBRARY
from autoscaler.webhook.environment import FieldRef
from autoscaler.webhook.inject import InjectionPlan, inject
from tests.autoscaler.webhook.pods import container, named, pod

GATE = "tensor-fusion.ai/gpu-placement"
EMBEDDED = InjectionPlan(
    containers=("main",), is_limited=True, is_gated=True, limiter_image="limiter:1"
)
CLIENT = InjectionPlan(
    containers=("main",),
    is_limited=False,
    is_gated=False,
    client_environment={
        "TENSOR_FUSION_CONNECTION_NAME": FieldRef("metadata.name"),
        "URL": "http://controller?name=$(TENSOR_FUSION_CONNECTION_NAME)",
    },
)


def plan(**fields) -> InjectionPlan:
    """Return the plan of an embedded pod with these fields."""
    whole = {"containers": ("main",), "is_limited": True, "is_gated": True, "limiter_image": "l"}
    return InjectionPlan(**whole | fields)


def injected(old, what=EMBEDDED):
    """Return the spec of an injected pod that has no problem."""
    new, problems = inject(old, what)
    assert problems == ()
    return new["spec"]


def by_annotation(name, key):
    path = f"metadata.annotations['tensor-fusion.ai/{key}']"
    return {"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}}


OURS = [
    by_annotation("NVIDIA_VISIBLE_DEVICES", "gpu-ids"),
    by_annotation("TF_LIMIT_TFLOPS", "tflops-limit"),
    by_annotation("TF_LIMIT_COMPUTE_PERCENT", "compute-percent-limit"),
    by_annotation("TF_LIMIT_VRAM", "vram-limit"),
    by_annotation("TF_GPU_PEAK_TFLOPS", "gpu-peak-tflops"),
    by_annotation("TF_GPU_PEAK_VRAM", "gpu-peak-vram"),
]


def test_an_injected_pod_has_three_empty_volumes_of_which_two_are_memory():
    assert injected(pod(volumes=[{"name": "data", "emptyDir": {}}]))["volumes"] == [
        {"name": "data", "emptyDir": {}},
        {"name": "tf-lib", "emptyDir": {"sizeLimit": "16Mi"}},
        {"name": "tf-ctl", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
        {"name": "tf-use", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
    ]


def test_an_injected_container_mounts_library_and_control_page_read_only():
    old = pod(container(volumeMounts=[{"name": "data", "mountPath": "/data"}]))

    assert injected(old)["containers"][0]["volumeMounts"] == [
        {"name": "data", "mountPath": "/data"},
        {"name": "tf-lib", "mountPath": "/tensor-fusion/lib", "readOnly": True},
        {"name": "tf-ctl", "mountPath": "/tensor-fusion/ctl", "readOnly": True},
        {"name": "tf-use", "mountPath": "/tensor-fusion/use"},
    ]


def test_limits_reach_the_container_by_the_downward_api_before_the_users_entries():
    old = pod(container(env=[{"name": "MINE", "value": "$(TF_LIMIT_VRAM)"}]))

    assert injected(old)["containers"][0]["env"] == [
        *OURS,
        {"name": "LD_PRELOAD", "value": LIBRARY},
        {"name": "MINE", "value": "$(TF_LIMIT_VRAM)"},
    ]


def test_a_users_choice_of_visible_devices_is_replaced_wherever_it_stands():
    entries = [
        {"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"},
        {"name": "A", "value": "1"},
        {"name": "NVIDIA_VISIBLE_DEVICES", "valueFrom": {"configMapKeyRef": {"name": "x"}}},
    ]

    environment = injected(pod(container(env=entries)))["containers"][0]["env"]

    assert environment == [
        *OURS,
        {"name": "LD_PRELOAD", "value": LIBRARY},
        {"name": "A", "value": "1"},
    ]


@pytest.mark.parametrize(
    ("entries", "value"),
    [
        ([], LIBRARY),
        ([{"name": "LD_PRELOAD"}], LIBRARY),
        ([{"name": "LD_PRELOAD", "value": ""}], LIBRARY),
        ([{"name": "LD_PRELOAD", "value": "/a.so"}], f"/a.so:{LIBRARY}"),
        ([{"name": "LD_PRELOAD", "value": "/a.so $(B)"}], f"/a.so $(B):{LIBRARY}"),
        ([{"name": "LD_PRELOAD", "value": f"{LIBRARY}:/a.so"}], f"{LIBRARY}:/a.so"),
        ([{"name": "LD_PRELOAD", "value": f"/a.so {LIBRARY}"}], f"/a.so {LIBRARY}"),
        ([{"name": "LD_PRELOAD", "value": f"{LIBRARY}2"}], f"{LIBRARY}2:{LIBRARY}"),
    ],
)
def test_the_library_is_preloaded_once_after_what_the_user_preloads(entries, value):
    environment = injected(pod(container(env=entries)))["containers"][0]["env"]

    assert named(environment, "LD_PRELOAD") == {"name": "LD_PRELOAD", "value": value}


def test_what_a_user_preloads_stays_behind_the_entries_that_it_refers_to():
    entries = [{"name": "B", "value": "/b.so"}, {"name": "LD_PRELOAD", "value": "$(B)"}]

    environment = injected(pod(container(env=entries)))["containers"][0]["env"]

    assert environment[-2:] == [
        {"name": "B", "value": "/b.so"},
        {"name": "LD_PRELOAD", "value": f"$(B):{LIBRARY}"},
    ]


def test_of_several_preload_entries_the_last_one_counts_as_in_kubernetes():
    entries = [
        {"name": "LD_PRELOAD", "valueFrom": {"secretKeyRef": {"name": "x", "key": "y"}}},
        {"name": "LD_PRELOAD", "value": "/a.so"},
    ]

    environment = injected(pod(container(env=entries)))["containers"][0]["env"]

    assert environment[-1] == {"name": "LD_PRELOAD", "value": f"/a.so:{LIBRARY}"}


def test_a_preload_value_from_elsewhere_is_refused():
    entry = {"name": "LD_PRELOAD", "valueFrom": {"configMapKeyRef": {"name": "x", "key": "y"}}}

    [problem] = inject(pod(container(env=[entry])), EMBEDDED)[1]

    assert str(problem) == (
        "spec.containers 'main': env LD_PRELOAD takes its value from elsewhere (valueFrom), so "
        "that the limiter cannot be added to it; allowed: a literal value, or no such entry"
    )


def test_the_limiter_comes_before_the_init_containers_of_the_user():
    spec = injected(pod(initContainers=[container("setup")]))

    assert [item["name"] for item in spec["initContainers"]] == ["tf-limiter", "setup"]
    assert spec["initContainers"][1] == container("setup")


def test_the_limiter_may_run_wherever_pod_security_is_restricted():
    limiter = injected(pod(securityContext={"runAsUser": 0}))["initContainers"][0]

    assert limiter == {
        "name": "tf-limiter",
        "image": "limiter:1",
        "imagePullPolicy": "IfNotPresent",
        "command": list(INIT_COMMAND),
        "resources": {},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
            "runAsGroup": 65532,
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "volumeMounts": [
            {"name": "tf-lib", "mountPath": "/tensor-fusion/lib"},
            {"name": "tf-ctl", "mountPath": "/tensor-fusion/ctl", "readOnly": True},
        ],
    }


def amounts(cpu=None, memory=None, **others):
    return {key: value for key, value in {"cpu": cpu, "memory": memory, **others}.items() if value}


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        # BestEffort stays BestEffort.
        ([{}], {}),
        ([None, {"requests": None}], {}),
        # Guaranteed stays Guaranteed: both amounts, and requests equal to limits.
        ([{"requests": amounts("1", "1Gi"), "limits": amounts("1", "1Gi")}], amounts("1", "1Gi")),
        # Burstable: only the amounts that somebody states.
        ([{"requests": amounts(memory="1Gi")}], amounts(memory="1Gi")),
        # The least request, which every LimitRange has accepted.
        ([{"requests": amounts("2")}, {"limits": amounts("500m")}], amounts("500m")),
        ([{"requests": amounts("200m"), "limits": amounts("4")}], amounts("200m")),
        # Never too little to work.
        ([{"requests": amounts("1m", "1Mi")}], amounts("50m", "32Mi")),
        ([{"requests": {"ephemeral-storage": "1Gi"}}], {"ephemeral-storage": "1Gi"}),
        ([{"limits": {"nvidia.com/gpu": "1"}}], {}),
    ],
)
def test_the_limiter_asks_for_what_the_other_containers_state(resources, expected):
    containers = [
        container(name, resources=each)
        for name, each in zip(("main", "side"), resources, strict=False)
    ]

    limiter = injected(pod(*containers))["initContainers"][0]

    assert limiter["resources"] == ({"requests": expected, "limits": expected} if expected else {})


@pytest.mark.parametrize(
    "stated",
    [
        {"requests": {"cpu": "10m"}, "limits": {"cpu": "1", "memory": "64Mi"}},
        {"requests": {"cpu": "1"}, "limits": {"memory": "64Mi"}},
        {"requests": {"cpu": "1", "memory": "64Mi"}},
    ],
)
def test_a_pool_may_say_what_the_limiter_asks_for_and_requests_equal_limits(stated):
    limiter = injected(pod(), plan(limiter_resources=stated))["initContainers"][0]

    both = {"cpu": "1", "memory": "64Mi"}
    assert limiter["resources"] == {"requests": both, "limits": both}


def test_pull_policy_and_pull_secrets_come_from_the_pool():
    old = pod(imagePullSecrets=[{"name": "mine"}, {"name": "shared"}])
    what = plan(limiter_pull_policy="Always", limiter_pull_secrets=("shared", "pool"))

    spec = injected(old, what)

    assert spec["initContainers"][0]["imagePullPolicy"] == "Always"
    assert spec["imagePullSecrets"] == [{"name": "mine"}, {"name": "shared"}, {"name": "pool"}]


@pytest.mark.parametrize("what", [EMBEDDED, CLIENT], ids=["embedded", "client"])
def test_native_gpus_are_removed_from_injected_containers_only(what):
    resources = {
        "requests": {"cpu": "1", "nvidia.com/gpu": "2"},
        "limits": {"amd.com/gpu": "1", "nvidia.com/gpu": "2", "nvidia.com/mig-1g.5gb": "1"},
        "claims": [{"name": "c"}],
    }
    old = pod(container(resources=resources), container("other", gpus="1"))

    main, other = injected(old, what)["containers"]

    assert main["resources"] == {
        "requests": {"cpu": "1"},
        "limits": {"nvidia.com/mig-1g.5gb": "1"},
        "claims": [{"name": "c"}],
    }
    assert other == container("other", gpus="1")


@pytest.mark.parametrize(
    ("stated", "expected"), [(None, "nvidia"), ("", "nvidia"), ("kata", "kata")]
)
def test_the_runtime_class_of_the_pool_is_set_where_the_pod_names_none(stated, expected):
    spec = injected(pod(runtimeClassName=stated), plan(runtime_class_name="nvidia"))

    assert spec["runtimeClassName"] == expected


def test_the_gate_is_added_once_beside_others():
    assert injected(pod(schedulingGates=[{"name": "x"}]))["schedulingGates"] == [
        {"name": "x"},
        {"name": GATE},
    ]
    assert injected(pod(schedulingGates=[{"name": GATE}]))["schedulingGates"] == [{"name": GATE}]


def test_a_priority_class_replaces_the_priority_that_was_filled_in_for_none():
    old = pod(priority=0, preemptionPolicy="PreemptLowerPriority")
    what = plan(priority_class="tensor-fusion-high")

    first = injected(old, what)
    assert first["priorityClassName"] == "tensor-fusion-high"
    assert "priority" not in first
    assert "preemptionPolicy" not in first

    recomputed = pod(priorityClassName="tensor-fusion-high", priority=100, preemptionPolicy="Never")
    again = injected(recomputed, what)
    assert (again["priority"], again["preemptionPolicy"]) == (100, "Never")


def test_a_priority_class_stays_where_none_is_planned():
    old = pod(priorityClassName="mine", priority=7)

    spec = injected(old, plan(priority_class=None))

    assert (spec["priorityClassName"], spec["priority"]) == ("mine", 7)


def test_a_planned_priority_class_replaces_another_with_its_priority():
    spec = injected(pod(priorityClassName="filled-in", priority=7), plan(priority_class="high"))

    assert (spec["priorityClassName"], "priority" in spec) == ("high", False)


def test_annotations_and_labels_are_stripped_before_they_are_set():
    old = pod(
        annotations={"gone": "1", "kept": "2", "set": "old"}, labels={"gone": "1", "again": "x"}
    )
    what = plan(
        annotations={"set": "new"},
        labels={"again": "y"},
        stripped_annotations=("gone",),
        stripped_labels=("gone", "again"),
    )

    metadata = inject(old, what)[0]["metadata"]

    assert metadata["annotations"] == {"kept": "2", "set": "new"}
    assert metadata["labels"] == {"again": "y"}


def test_a_client_gets_environment_and_nothing_else():
    old = pod(container(env=[{"name": "A", "value": "1"}, {"name": "URL", "value": "old"}]))

    reference = {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}
    expected = pod(
        container(
            env=[
                {"name": "TENSOR_FUSION_CONNECTION_NAME", "valueFrom": reference},
                {"name": "URL", "value": "http://controller?name=$(TENSOR_FUSION_CONNECTION_NAME)"},
                {"name": "A", "value": "1"},
            ]
        )
    )
    assert inject(old, CLIENT) == (expected, ())


def test_other_containers_of_the_pod_are_left_as_they_are():
    other = container("log", env=[{"name": "NVIDIA_VISIBLE_DEVICES", "value": "void"}])

    assert injected(pod(container(), other))["containers"][1] == other
