import pytest

from autoscaler.api.condition_reasons import ReplicasReason
from autoscaler.api.names import GENERATED_FROM
from autoscaler.scaling.live.replicas.replica_state import Held, owner_text, replica_state
from tests.autoscaler.scaling.live.live_objects import DEPLOYMENT, workload


def state(obj, *, remembered=None, held=None):
    found = replica_state(obj, remembered=remembered, held=held)
    return found.replicas, found.stated


def written(value, **fields):
    effective = {"replicas": {"value": value, "source": "annotation tensor-fusion.ai/replicas"}}
    return workload(status={"effective": effective}, **fields)


def test_the_number_that_there_is_counts_where_nobody_stated_one():
    assert state(workload(replicas=3)) == (3, 3)


def test_what_somebody_set_last_counts_before_the_number_that_there_is():
    assert state(workload(replicas=6), remembered=2) == (6, 2)


def test_what_somebody_wrote_down_counts_before_all():
    assert state(written("4", replicas=6), remembered=2) == (6, 4)


def test_a_written_number_that_cannot_be_read_does_not_count():
    assert state(written("four", replicas=6), remembered=2) == (6, 2)


def test_of_a_workload_that_its_user_wrote_the_number_is_not_a_statement():
    own = written("6", replicas=6, metadata={"annotations": {GENERATED_FROM: None}})
    assert state(own, remembered=2) == (6, 2)


def test_zero_is_a_number():
    assert state(workload(replicas=0)) == (0, 0)


def test_without_a_number_none_is_known():
    assert state(workload(replicas=None)) == (None, None)


@pytest.mark.parametrize("kind", ["Job", "DaemonSet", "Pod", "CronJob"])
def test_what_has_no_replicas_gets_none(kind):
    assert state(workload(owners=[{**DEPLOYMENT, "kind": kind}], replicas=3)) == (None, None)


def test_who_holds_the_replicas_is_kept():
    held = Held(reason=ReplicasReason.FORBIDDEN, text="no rights")
    assert replica_state(workload(), remembered=None, held=held).held is held


def test_the_owner_is_the_first_one():
    other = {**DEPLOYMENT, "name": "other"}
    assert owner_text(workload(owners=[DEPLOYMENT, other])) == "Deployment/chat"


def test_a_workload_that_was_just_made_names_its_owner_by_annotation():
    just_made = workload(owners=[], metadata={"annotations": {GENERATED_FROM: "Job.batch/train"}})
    assert owner_text(just_made) == "Job/train"
    assert state(just_made) == (None, None)
    assert owner_text(workload(owners=[], metadata={"annotations": {GENERATED_FROM: None}})) == ""
