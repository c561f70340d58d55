import string

from hypothesis import given
from hypothesis import strategies as st

from autoscaler.api.naming import LONGEST, derived_workload_name

NAMES = st.from_regex(r"[a-z0-9]([-a-z0-9.]{0,120}[a-z0-9])?", fullmatch=True)
KINDS = st.sampled_from(["", "Deployment", "StatefulSet", "Job", "CronJob", "LeaderWorkerSet"])
LABEL = set(string.ascii_lowercase + string.digits + "-.")


def test_a_deployment_passes_its_name_on():
    assert derived_workload_name("Deployment", "chat") == "chat"


def test_any_other_owner_is_named_with_its_kind():
    assert derived_workload_name("StatefulSet", "chat") == "chat-statefulset"
    assert derived_workload_name("CronJob", "nightly") == "nightly-cronjob"


def test_a_bare_pod_passes_its_name_or_the_prefix_of_its_generated_name_on():
    assert derived_workload_name("", "chat") == "chat"
    assert derived_workload_name("", "chat-") == "chat"


def test_what_is_too_long_is_cut_and_told_apart_by_a_digest():
    name = derived_workload_name("Deployment", "a" * 64)

    assert name == "a" * 54 + "-ffe054fe"


def test_a_cut_leaves_no_separator_before_the_digest():
    name = derived_workload_name("Deployment", "a" * 53 + "." + "b" * 20)

    assert name.rpartition("-")[0] == "a" * 53


@given(KINDS, NAMES)
def test_a_name_is_a_label_value_and_an_object_name(kind, owner):
    name = derived_workload_name(kind, owner)

    assert 0 < len(name) <= LONGEST
    assert set(name) <= LABEL
    assert not {name[0], name[-1]} & {"-", "."}


@given(NAMES, NAMES)
def test_owners_of_one_kind_have_different_names(first, second):
    names = {derived_workload_name("Job", owner) for owner in (first, second)}

    assert len(names) == len({first, second})
