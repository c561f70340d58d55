import pytest

from autoscaler.agent.accounting.finding import SUSTAINED_S, Finding, FindingKind, Findings
from autoscaler.agent.accounting.inspection import Suspect, inspect, page_finding
from autoscaler.agent.pages.errors import PageTamperedError
from tests.autoscaler.agent.accounting.looks import GIB, UUID, look, process

OWNERS = {1001: "a", 1002: "b"}


def _suspect(**changes):
    known = {
        "uid": "a",
        "name": "team/serve-0",
        "uuid": UUID,
        "share": 0.3,
        "is_time_shared": True,
        "slot_bytes": GIB,
    }
    return Suspect(**(known | changes))


def _alone(busy_percent, *, metered=(1001,), memory_bytes=GIB):
    return look(
        process(1001, busy_percent, memory_bytes),
        owners={1001: "a"},
        metered=metered,
        busy_percent=busy_percent,
    )


def _kinds(seen, charged=None, **changes):
    return [each.kind for each in inspect(_suspect(**changes), seen, charged or {"a": 0.3})]


def test_a_worker_within_its_share_is_fine():
    assert _kinds(_alone(33.0)) == []


def test_a_process_without_a_slot_is_outside_the_limiter():
    [found] = inspect(_suspect(slot_bytes=GIB), _alone(20.0, metered=()), {"a": 0.0})

    assert (found.kind, found.pids, found.is_proof) == (FindingKind.UNACCOUNTED, (1001,), False)
    assert "worker team/serve-0: processes 1001 use GPU GPU-a without the limiter" in found.text


def test_alone_more_time_than_the_share_is_found_whatever_the_page_says():
    [found] = inspect(_suspect(), _alone(90.0), {"a": 0.3})

    assert found.kind is FindingKind.OVER_SHARE
    assert "it used 90% of its time; its share is 30%" in found.text


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5, 0.75, 1.0])
def test_a_driver_that_reads_a_tenth_too_much_accuses_nobody(share):
    assert _kinds(_alone(min(110.0 * share, 100.0)), {"a": share}, share=share) == []


def test_beside_a_neighbour_the_figure_of_the_driver_accuses_nobody():
    seen = look(
        process(1001, 99.0),
        process(1002, 99.0),
        owners=OWNERS,
        metered=[1001, 1002],
        busy_percent=100.0,
    )

    assert _kinds(seen, {"a": 0.2, "b": 0.2}) == []


def test_where_a_share_is_none_of_time_none_is_exceeded():
    assert _kinds(_alone(90.0), is_time_shared=False) == []


def test_memory_far_beyond_the_slots_is_found():
    assert _kinds(_alone(30.0, memory_bytes=4 * GIB)) == [FindingKind.MEMORY]


def test_what_drivers_take_for_themselves_is_not_found():
    assert _kinds(_alone(30.0, memory_bytes=GIB + GIB // 2)) == []


def test_a_counter_that_fell_is_proof():
    [found] = inspect(_suspect(fell=("charged_ns",)), _alone(20.0), {"a": 0.2})

    assert (found.kind, found.is_proof) == (FindingKind.TAMPERED, True)
    assert "charged_ns of GPU GPU-a went down" in found.text


def test_launches_that_were_not_waited_for_are_found_beside_neighbours_too():
    assert _kinds(_alone(30.0), unpaid_s=3.0) == [FindingKind.TAMPERED]


def test_a_charge_that_the_card_was_not_busy_for_is_forged():
    seen = look(process(1001, 0.0), owners={1001: "a"}, metered=[1001], busy_percent=10.0)

    assert _kinds(seen, {"a": 0.3}) == [FindingKind.TAMPERED]
    assert _kinds(seen, {"a": 0.3}, is_time_shared=False) == []


def test_processes_that_are_each_charged_for_slices_of_the_other_have_forged_nothing():
    both = look(
        process(1001, 99.0),
        process(1002, 99.0),
        owners={1001: "a", 1002: "a"},
        metered=[1001, 1002],
        busy_percent=99.0,
    )

    assert _kinds(both, {"a": 1.95}, share=1.0) == []
    assert _kinds(both, {"a": 2.5}, share=1.0) == [FindingKind.TAMPERED]


@pytest.mark.parametrize("charged", [0.0, 0.1, 0.5, 0.9])
def test_a_driver_that_reads_a_tenth_too_little_calls_no_charge_forged(charged):
    assert _kinds(_alone(90.0 * charged), {"a": charged}, share=1.0) == []


def test_a_page_that_cannot_be_read_is_proof():
    found = page_finding("a", "team/serve-0", PageTamperedError("use: has 3 bytes"))

    assert (found.uid, found.kind, found.is_proof) == ("a", FindingKind.TAMPERED, True)
    assert found.text == "worker team/serve-0: use: has 3 bytes"


def _finding(kind=FindingKind.UNACCOUNTED, *, is_proof=False):
    return Finding(kind=kind, uid="a", uuid=UUID, text="", is_proof=is_proof)


def test_what_lasts_is_let_through():
    findings = Findings()

    passed = [len(findings.sustained([_finding()], at_s / 5)) for at_s in range(12)]

    assert passed == [0] * round(SUSTAINED_S * 5) + [1, 1]


def test_what_stopped_in_between_begins_anew():
    findings = Findings()
    findings.sustained([_finding()], 0.0)
    findings.sustained([_finding(FindingKind.MEMORY)], 1.0)

    assert findings.sustained([_finding()], 2.0) == ()


def test_a_proof_is_let_through_at_once():
    assert Findings().sustained([_finding(is_proof=True)], 0.0) == (_finding(is_proof=True),)
