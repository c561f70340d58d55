import pytest

from autoscaler.cli.backtest_policies import BUILT_IN, compared_policies
from autoscaler.cli.terminal import Terminal
from autoscaler.errors import InputError, UsageError
from autoscaler.scaling.cluster import WorkloadView
from recommender.policy.model import Dimension
from tests.builders import policy

PROFILE = """\
apiVersion: tensor-fusion.ai/v1
kind: WorkloadProfile
metadata:
  name: small
  namespace: team
spec:
  autoScalingConfig:
    autoSetRequests:
      enable: true
      percentileForAutoRequests: 0.8
"""
QUIET = Terminal(verbosity=-1)


def view(name="chat", **columns):
    return WorkloadView(namespace="team", workload=name, uid=name, policy=policy(), **columns)


@pytest.fixture
def write(tmp_path):
    def write(text, name="small.yaml"):
        path = tmp_path / name
        path.write_text(text)
        return str(path)

    return write


def read(*texts):
    return compared_policies(texts, QUIET)


def failure(*texts, error=UsageError):
    with pytest.raises(error) as raised:
        read(*texts)
    return str(raised.value)


def test_nothing_to_compare_is_no_comparison():
    assert read() == ()


def test_one_policy_is_compared_with_the_workloads_own():
    assert [side.name for side in read("vpa")] == ["own", "vpa"]


def test_two_built_in_policies_keep_their_order():
    assert [side.name for side in read("stated", "defaults")] == ["stated", "defaults"]


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_built_in_policy_has_a_contender(name):
    other = "own" if name != "own" else "tf"
    contender = read(other, name)[1].contender([view()])
    kinds = (contender.policies is not None, contender.rule is not None)
    expected = {"own": (True, False), "defaults": (True, False), "stated": (False, False)}
    assert kinds == expected.get(name, (False, True))


def test_a_file_is_the_policy_of_every_workload(write):
    views = [view("a"), view("b", qos="critical"), view("c", owner="Job/c")]
    contender = read(write(PROFILE))[1].contender(views)
    assert contender.name == "small"
    assert [p.requests[Dimension.COMPUTE].percentile for p in contender.policies] == [0.8] * 3


def test_workloads_that_do_not_differ_share_one_policy(write):
    contender = read(write(PROFILE))[1].contender([view("a"), view("b")])
    assert contender.policies[0] is contender.policies[1]


def test_the_default_policy_is_enrolled_so_that_next_amounts_move():
    contender = read("stated", "defaults")[1].contender([view()])
    assert contender.policies[0].requests[Dimension.VRAM].is_enrolled


def test_a_file_may_be_given_a_name(write):
    assert [side.name for side in read("own", f"wide={write(PROFILE)}")] == ["own", "wide"]


def test_more_than_two_policies_are_refused():
    assert failure("own", "tf", "vpa") == "--compare: 3 policies; allowed: one or two"


def test_two_policies_of_one_name_are_refused(write):
    path = write(PROFILE)
    assert "both policies are called 'small'" in failure(path, path)
    assert "both policies are called 'own'" in failure("own")


def test_a_name_that_is_neither_built_in_nor_a_file_is_named_with_what_is_allowed():
    text = failure("defalts")
    assert "'defalts' is not valid; allowed: own, defaults, stated, tf, vpa, or a file" in text
    assert text.endswith("did you mean defaults?")


def test_a_file_cannot_take_the_name_of_a_built_in_policy(write):
    assert "the name 'vpa' of" in failure(f"vpa={write(PROFILE)}")


def test_problems_of_a_file_are_named_with_line_field_and_what_is_allowed(write):
    path = write(PROFILE.replace("0.8", "nine").replace("enable:", "enabel:"))
    first, second = failure(path).splitlines()
    at = "spec.autoScalingConfig.autoSetRequests"
    assert first == f"{path}:9: {at}.enabel: unknown setting; did you mean enable?"
    assert second.startswith(
        f"{path}:10: {at}.percentileForAutoRequests: 'nine' is not valid; allowed:"
    )


def test_problems_of_settings_together_are_named_too(write):
    both = PROFILE + "    autoSetResources:\n      enable: true\n      targetResource: all\n"
    path = write(both)
    with pytest.raises(UsageError, match=r"small.yaml:12: .*enable: autoSetResources and"):
        read(path)[1].contender([view()])


def test_problems_in_a_list_of_rules_have_their_line(write):
    rules = "    cronScalingRules:\n      - enable: true\n        start: 'often'\n"
    path = write(PROFILE + rules)
    with pytest.raises(UsageError, match=r"small.yaml:1[23]: .*cronScalingRules\[0\]"):
        read(path)[1].contender([view()])


def test_a_list_object_is_looked_into(write):
    indented = "".join(f"    {line}\n" for line in PROFILE.replace("0.8", "nine").splitlines())
    path = write("apiVersion: v1\nkind: List\nitems:\n  -\n" + indented)
    assert failure(path).startswith(f"{path}:14: spec.autoScalingConfig")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("kind: ConfigMap\n", "holds no WorkloadProfile; allowed: one"),
        (f"{PROFILE}---\n{PROFILE.replace('small', 'large')}", "holds 2 manifests"),
        (PROFILE.partition("spec:")[0], "profile team/small has no spec.autoScalingConfig"),
    ],
)
def test_a_file_without_exactly_one_policy_is_refused(write, text, words):
    assert words in failure(write(text), error=InputError)


def test_a_file_that_is_no_yaml_is_named_with_its_line(write):
    path = write("kind: [\n")
    assert failure(path).startswith(f"{path}:2:1: is no YAML")


def test_amounts_of_a_profile_are_said_to_be_no_part_of_its_policy(write, capsys):
    path = write(PROFILE + "  resources:\n    requests:\n      tflops: 10\n")
    compared_policies([path], Terminal())
    assert (
        "resources of profile team/small are no part of the comparison" in capsys.readouterr().err
    )
