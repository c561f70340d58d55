import pytest

from autoscaler.webhook.containers import Choice, choose_containers, native_gpus
from tests.autoscaler.webhook.pods import container, pod

KEY = "tensor-fusion.ai/inject-container"


def chosen(*names: str, warnings: tuple[str, ...] = ()) -> Choice:
    return Choice(names, (), warnings)


def told(choice: Choice) -> tuple[str, ...]:
    return tuple(map(str, choice.problems))


@pytest.mark.parametrize(
    ("annotation", "names"),
    [
        ("a", ("a",)),
        (" b , a ", ("b", "a")),
        ("a,,a,", ("a",)),
    ],
)
def test_the_annotation_names_containers_separated_by_commas(annotation, names):
    assert choose_containers(pod(container("a"), container("b")), annotation) == chosen(*names)


@pytest.mark.parametrize("annotation", [None, "", "  ", ",", " , "])
def test_the_only_container_needs_no_annotation(annotation):
    assert choose_containers(pod(container("only")), annotation) == chosen("only")


def test_of_several_containers_those_with_native_gpu_limits_are_taken():
    several = pod(container("a", gpus="2"), container("log"), container("b", gpus=1))

    assert choose_containers(several, None) == chosen("a", "b")


def test_several_containers_without_gpus_need_the_annotation():
    several = pod(container("a"), container("b", gpus="0"))

    choice = choose_containers(several, "")

    assert (choice.names, choice.warnings) == ((), ())
    assert told(choice) == (
        (
            f"{KEY}: not set, and the pod has 2 containers of which none has a native GPU limit; "
            "allowed: some of a, b, separated by commas"
        ),
    )


def test_every_name_that_does_not_exist_is_a_problem_that_names_those_that_do():
    choice = choose_containers(pod(container("a"), container("b")), "x,a,y")

    assert (choice.names, choice.warnings) == ((), ())
    assert told(choice) == (
        f"{KEY}: 'x' is no container of this pod; allowed: a, b",
        f"{KEY}: 'y' is no container of this pod; allowed: a, b",
    )


def test_a_message_does_not_grow_with_the_number_of_containers():
    many = pod(*(container(f"c{i}") for i in range(1000)))
    few = ", ".join(f"c{i}" for i in range(20))

    assert told(choose_containers(many, "x,y")) == (
        f"{KEY}: 'x' is no container of this pod; allowed: {few} and 980 more",
        f"{KEY}: 'y' is no container of this pod; allowed: {few} and 980 more",
    )


def test_init_containers_and_sidecars_are_never_chosen_and_the_message_says_what_they_are():
    inits = [container("setup"), container("proxy", restartPolicy="Always")]

    assert told(choose_containers(pod(initContainers=inits), "setup,proxy")) == (
        f"{KEY}: 'setup' is an init container; allowed: main",
        f"{KEY}: 'proxy' is a sidecar (an init container with restartPolicy Always); allowed: main",
    )


def test_an_ephemeral_container_is_no_container_to_choose():
    debugged = pod(ephemeralContainers=[container("debug")])

    assert told(choose_containers(debugged, "debug")) == (
        f"{KEY}: 'debug' is no container of this pod; allowed: main",
    )


@pytest.mark.parametrize("spec", [{}, {"containers": []}, {"containers": None}, None])
def test_a_pod_without_containers_is_a_problem(spec):
    choice = choose_containers({"metadata": {}, "spec": spec}, "a")

    assert (choice.names, choice.warnings) == ((), ())
    assert told(choice) == ("spec.containers: empty; allowed: at least one container",)


def test_whoever_keeps_native_gpus_outside_of_the_choice_is_warned_about():
    several = pod(
        container("a"), container("b", gpus=1), initContainers=[container("setup", gpus="2")]
    )

    assert choose_containers(several, "a") == chosen(
        "a",
        warnings=(
            (
                "container 'b' keeps 1 GPU of the device plugin besides the shared GPU of this "
                f"pod; name it in {KEY} or remove its GPU limit"
            ),
            (
                "container 'setup' keeps 2 GPUs of the device plugin besides the shared GPU of "
                "this pod; remove its GPU limit"
            ),
        ),
    )


@pytest.mark.parametrize(
    ("gpus", "count"), [(3, 3), ("3", 3), ("1k", 1000), ("1500m", 2), ("-1", 0), ("many", 0)]
)
def test_native_gpus_are_read_as_quantities(gpus, count):
    assert native_gpus(pod(container(gpus=gpus))) == count


def test_native_gpus_are_summed_over_containers_and_over_the_resources_of_every_vendor():
    several = pod(
        container("a", gpus="2"),
        container("b", resources={"limits": {"amd.com/gpu": "1", "cpu": "4"}}),
        container("c", resources={"limits": None}),
        container("d", resources=None),
        initContainers=[container("setup", gpus="8")],
    )

    assert native_gpus(several) == 3


def test_an_empty_pod_asks_for_no_gpus():
    assert native_gpus({}) == 0
