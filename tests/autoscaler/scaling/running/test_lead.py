"""Names of candidates, and what a process that does not lead says."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.errors import UsageError
from autoscaler.scaling.running.lead import (
    absence_of,
    address_of,
    elector_of,
    elsewhere,
    host_of,
)
from autoscaler.scaling.running.rules import AutoscalerRules


class Caches:
    def __init__(self, *problems):
        self._problems = problems

    def problems(self):
        return self._problems


class Elected:
    def __init__(self, holder="", *, is_leader=False, last_error=""):
        self._holder = holder
        self._last_error = last_error
        self._is_leader = is_leader

    def is_leader(self):
        return self._is_leader

    def snapshot(self):
        return SimpleNamespace(holder=self._holder, last_error=self._last_error)


@pytest.mark.parametrize("address", ["10.0.0.7", "fd00::7"])
def test_a_candidate_tells_its_host_and_its_address(address):
    elector = elector_of(None, AutoscalerRules(), page_address=address)

    assert address_of(elector.identity) == address
    assert host_of(elector.identity) != ""
    assert host_of(elector.identity) in elector.identity


def test_a_candidate_without_an_address_tells_none():
    assert address_of(elector_of(None, AutoscalerRules()).identity) == ""


def test_no_two_candidates_have_one_name():
    names = {elector_of(None, AutoscalerRules(), page_address="10.0.0.7").identity for _ in "ab"}

    assert len(names) == 2


def test_an_address_that_is_none_is_refused():
    with pytest.raises(UsageError, match="--page-address: 'pod-7' is not valid; allowed: an IPv4"):
        elector_of(None, AutoscalerRules(), page_address="pod-7")


@given(st.text())
def test_whoever_wrote_the_lease_an_address_is_an_address_or_none(text):
    found = address_of(text)

    assert found == "" or set(found) <= set("0123456789abcdef.:%")


def test_the_page_is_elsewhere_while_another_process_leads():
    leader = "pod-a_1_10.0.0.7"

    assert elsewhere(Elected(leader))() == "10.0.0.7"
    assert elsewhere(Elected(leader, is_leader=True))() == ""
    assert elsewhere(Elected())() == ""


@pytest.mark.parametrize(
    ("elected", "caches", "text"),
    [
        (Elected(is_leader=True), Caches(), ""),
        (Elected(), Caches("pods are not listed yet"), "is not ready: pods are not listed yet"),
        (Elected("pod-a_1"), Caches(), "does not decide; at present pod-a does"),
        (Elected(), Caches(), "does not decide; at present nobody is known to"),
    ],
)
def test_a_process_says_why_it_decides_nothing(elected, caches, text):
    assert absence_of(caches, elected)().endswith(text)
    assert bool(absence_of(caches, elected)()) is bool(text)


def test_a_process_that_cannot_have_its_lease_says_so():
    absence = absence_of(Caches(), Elected(last_error="403 Forbidden"))()

    assert absence == (
        "this process does not decide, because its Lease cannot be had: 403 Forbidden; at present "
        "nobody is known to"
    )
