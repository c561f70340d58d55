"""What is held of every GPU, from the reservation to the end of the pod."""

import contextlib
import threading

import pytest

from autoscaler.workloads.books.books_snapshot import PoolCards
from autoscaler.workloads.books.freed import Freed
from autoscaler.workloads.books.quota_use import QuotaUse
from autoscaler.workloads.errors import OverbookedError
from tests.autoscaler.workloads.entries import amounts, books_with, card, claim, place, resized

UID = "uid-of-job"


def heard_by(books):
    heard = []
    books.on_freed(heard.append)
    return heard


def test_a_reservation_takes_room_of_each_of_its_gpus():
    books = books_with(card("gpu-1"), card("gpu-2", index=1), card("gpu-3", index=2))
    books.reserve(claim(tflops=30, gib=20, gpus=("gpu-1", "gpu-2")))
    assert [amounts(70, 60), amounts(70, 60), amounts(100, 80)] == [
        books.free(gpu) for gpu in ("gpu-1", "gpu-2", "gpu-3")
    ]


def test_oversold_compute_may_be_requested_and_no_more():
    books = books_with(card(oversold=2))
    books.reserve(claim("a", tflops=150, gib=1))
    with pytest.raises(OverbookedError) as raised:
        books.reserve(claim("b", tflops=51, gib=1))
    assert str(raised.value) == "pod team/b: GPU gpu-1 cannot give 51 of tflops where 50 is free"


def test_a_refusal_names_every_amount_that_is_missing_and_holds_nothing():
    books = books_with(card("gpu-1"), card("gpu-2", tflops=5, gib=2))
    with pytest.raises(OverbookedError) as raised:
        books.reserve(claim(gpus=("gpu-1", "gpu-2")))
    assert str(raised.value) == (
        "pod team/job: GPU gpu-2 cannot give 10 of tflops where 5 is free and 4Gi of vram where "
        "2Gi is free"
    )
    assert books.claim(UID) is None
    assert books.free("gpu-1") == amounts(100, 80)


def test_a_gpu_that_is_not_there_cannot_be_reserved():
    with pytest.raises(OverbookedError, match=r"^pod team/job: GPU gpu-9 is not there$"):
        books_with().reserve(claim(gpus=("gpu-9",)))


def test_a_pod_cannot_reserve_twice():
    books = books_with()
    books.reserve(claim())
    with pytest.raises(OverbookedError, match=r"^pod team/job holds GPUs already$"):
        books.reserve(claim())


def test_a_failed_placement_gives_everything_back():
    books = books_with()
    books.observe(UID, None, 5)
    books.reserve(claim())
    books.cancel(UID)
    assert books.claim(UID) is None
    assert books.free("gpu-1") == amounts(100, 80)


def test_what_was_written_is_held_until_the_cache_shows_it():
    books = books_with()
    books.observe(UID, None, 5)
    books.reserve(claim())
    books.settle(UID, claim(), "10")
    books.observe(UID, None, "9")
    assert books.is_in_flight(UID)
    assert books.claim(UID) == claim()
    books.observe(UID, claim(), "10")
    assert not books.is_in_flight(UID)


def test_the_cache_may_show_a_write_before_its_answer_comes():
    books = books_with()
    books.reserve(claim())
    books.observe(UID, claim(), 12)
    books.settle(UID, claim(), 10)
    assert not books.is_in_flight(UID)
    assert books.used("gpu-1") == amounts(10, 4)


def test_versions_are_compared_as_numbers():
    books = books_with()
    books.observe(UID, claim(), "9")
    books.observe(UID, None, "10")
    assert books.claim(UID) is None


def test_an_older_view_of_a_pod_changes_nothing():
    books = books_with()
    books.observe(UID, None, 12)
    books.observe(UID, claim(), 11)
    assert books.claim(UID) is None


def test_the_same_version_counts_again_because_amounts_depend_on_the_card():
    books = books_with()
    books.observe(UID, claim(tflops=50), 10)
    books.observe(UID, claim(tflops=20), 10)
    assert books.used("gpu-1") == amounts(20, 4)


def test_a_raise_holds_the_larger_of_each_amount_until_it_is_shown():
    books = books_with()
    placed = place(books, claim(tflops=10, gib=8))
    books.raise_claim(UID, amounts(30, 2), amounts(60, 2))
    assert (amounts(30, 8), amounts(60, 8)) == (books.claim(UID).request, books.claim(UID).limit)
    wanted = resized(placed, 30, 2)
    books.settle(UID, wanted, 11)
    assert books.used("gpu-1") == amounts(30, 8)
    books.observe(UID, wanted, 11)
    assert books.used("gpu-1") == amounts(30, 2)


def test_a_raise_that_does_not_fit_changes_nothing():
    books = books_with()
    place(books, claim("other", tflops=80))
    place(books, claim(tflops=10))
    with pytest.raises(OverbookedError, match="cannot give 11 of tflops where 10 is free"):
        books.raise_claim(UID, amounts(21, 4), amounts(21, 4))
    assert books.used("gpu-1") == amounts(90, 8)
    assert not books.is_in_flight(UID)


def test_a_failed_raise_goes_back_to_what_was_written_before_it():
    books = books_with()
    books.observe(UID, None, 5)
    books.reserve(claim(tflops=10))
    books.settle(UID, claim(tflops=10), 10)
    books.raise_claim(UID, amounts(30, 4), amounts(30, 4))
    books.cancel(UID)
    assert books.claim(UID) == claim(tflops=10)


def test_what_holds_nothing_cannot_be_raised():
    with pytest.raises(OverbookedError, match=r"UID uid-of-job holds no GPU"):
        books_with().raise_claim(UID, amounts(1, 1), amounts(1, 1))


def test_a_limit_grows_and_vram_too_where_compute_is_overbooked():
    books = books_with(card(tflops=100))
    place(books, claim(tflops=80, gib=4))
    books.set_card(card(tflops=50))
    books.raise_claim(UID, amounts(80, 8), amounts(100, 8))
    assert books.free("gpu-1") == amounts(-30, 72)
    with pytest.raises(OverbookedError, match="cannot give 1 of tflops where 0 is free"):
        books.raise_claim(UID, amounts(81, 8), amounts(100, 8))


def test_a_limit_grows_on_a_gpu_that_is_gone_and_a_request_does_not():
    books = books_with()
    place(books, claim())
    books.remove_card("gpu-1")
    books.raise_claim(UID, amounts(10, 4), amounts(20, 4))
    with pytest.raises(OverbookedError, match="GPU gpu-1 is not there"):
        books.raise_claim(UID, amounts(11, 4), amounts(20, 4))


def test_a_pod_that_is_gone_holds_nothing_even_if_its_write_succeeds_later():
    books = books_with()
    books.observe(UID, None, 5)
    books.reserve(claim())
    books.observe_gone(UID)
    books.settle(UID, claim(), 10)
    assert books.claim(UID) is None
    assert not books.is_in_flight(UID)
    assert books.free("gpu-1") == amounts(100, 80)


def test_claims_stay_when_their_card_goes_and_count_when_it_comes_back():
    books = books_with()
    place(books, claim())
    books.remove_card("gpu-1")
    assert amounts() == books.free("gpu-1")
    assert books.used("gpu-1") == amounts(10, 4)
    books.set_card(card())
    assert books.free("gpu-1") == amounts(90, 76)


def test_what_a_quota_counts_is_per_gpu_and_namespace():
    books = books_with(card("gpu-1"), card("gpu-2"))
    place(books, claim("a", tflops=10, gib=4, gpus=("gpu-1", "gpu-2"), limit=amounts(20, 8)))
    place(books, claim("b", tflops=1, gib=1))
    place(books, claim("c", namespace="other"))
    assert books.quota_use("team") == QuotaUse(
        requests=amounts(21, 9), limits=amounts(41, 17), workers=2
    )
    assert books.quota_use("nobody") == QuotaUse()


def test_a_settle_must_be_of_its_own_pod():
    with pytest.raises(ValueError, match="uid-of-a cannot settle that of uid-of-job"):
        books_with().settle(UID, claim("a"), 10)


def test_claims_on_a_gpu_are_told_in_a_stable_order():
    books = books_with()
    for pod, namespace in (("b", "team"), ("a", "team"), ("z", "alpha")):
        books.observe(f"uid-of-{pod}", claim(pod, namespace=namespace), 1)
    assert [each.pod for each in books.claims_on("gpu-1")] == ["z", "a", "b"]


def test_whoever_waits_hears_of_room_after_the_books_are_open_again():
    books = books_with()
    open_again = []

    def try_from_elsewhere(freed):
        thread = threading.Thread(target=lambda: open_again.append((freed, books.snapshot())))
        thread.start()
        thread.join(10.0)

    place(books, claim())
    books.on_freed(try_from_elsewhere)
    with books.deciding():
        books.observe_gone(UID)
        assert open_again == []
    [(freed, _)] = open_again
    assert freed == Freed(gpus=frozenset({"gpu-1"}), namespaces=frozenset({"team"}))


def test_what_was_freed_before_an_error_is_told_too():
    books = books_with()
    place(books, claim())
    heard = heard_by(books)
    with contextlib.suppress(ZeroDivisionError), books.deciding():
        books.observe_gone(UID)
        raise ZeroDivisionError
    assert [Freed(gpus=frozenset({"gpu-1"}), namespaces=frozenset({"team"}))] == heard


def test_taking_room_frees_nothing():
    books = books_with()
    heard = heard_by(books)
    place(books, claim())
    books.raise_claim(UID, amounts(20, 4), amounts(20, 4))
    assert heard == []


def test_a_lower_limit_frees_room_in_the_quota_alone():
    books = books_with()
    place(books, claim(limit=amounts(20, 8)))
    heard = heard_by(books)
    books.observe(UID, claim(limit=amounts(15, 8)), 11)
    assert [Freed(namespaces=frozenset({"team"}))] == heard


@pytest.mark.parametrize(
    ("changed", "is_told"),
    [
        (card(tflops=120), True),
        (card(tflops=80), False),
        (card(problem="it is cordoned"), False),
        (card(node="n2"), True),
        (card(pool="other"), True),
        (card(), False),
    ],
)
def test_a_card_that_offers_more_is_told(changed, is_told):
    books = books_with(card())
    heard = heard_by(books)
    books.set_card(changed)
    assert is_told == bool(heard)


def test_a_card_whose_problem_ends_is_told():
    books = books_with(card(problem="its node is not ready"))
    heard = heard_by(books)
    books.set_card(card())
    assert [Freed(gpus=frozenset({"gpu-1"}))] == heard


def test_drift_finds_what_the_books_missed_and_repair_mends_it():
    books = books_with(card("gpu-1"), card("gpu-2"), card("gpu-3"))
    right = place(books, claim("right", gpus=("gpu-1",)))
    grown = resized(place(books, claim("grown", gpus=("gpu-2",))), 20, 4)
    place(books, claim("gone", gpus=("gpu-3",)))
    came = claim("came", gpus=("gpu-2",))
    truth = [right, grown, came]
    assert books.drift(truth) == ("gpu-2", "gpu-3")
    heard = heard_by(books)
    books.repair(truth)
    assert books.drift(truth) == ()
    assert [amounts(90, 76), amounts(70, 72), amounts(100, 80)] == [
        books.free(gpu) for gpu in ("gpu-1", "gpu-2", "gpu-3")
    ]
    assert [frozenset({"gpu-3"})] == [freed.gpus for freed in heard]


def test_drift_finds_a_limit_that_only_the_quota_counts():
    books = books_with()
    place(books, claim(limit=amounts(20, 8)))
    assert books.drift([claim(limit=amounts(30, 8))]) == ("gpu-1",)


def test_what_is_in_flight_is_neither_drift_nor_repaired():
    books = books_with()
    books.observe(UID, None, 5)
    books.reserve(claim())
    assert books.drift([]) == ()
    books.repair([])
    assert books.claim(UID) == claim()


def test_what_was_repaired_follows_the_cache_again():
    books = books_with()
    books.repair([claim()])
    books.observe(UID, claim(tflops=20), 1)
    assert books.used("gpu-1") == amounts(20, 4)
    books.observe_gone(UID)
    assert amounts() == books.used("gpu-1")


def test_a_snapshot_tells_pools_models_and_what_is_amiss():
    books = books_with(
        card("gpu-1"),
        card("gpu-2", index=1),
        card("gpu-3", index=2, problem="it is Unknown"),
        card("gpu-4", pool="", node="n2"),
    )
    place(books, claim("a", tflops=60, gpus=("gpu-1",)))
    books.reserve(claim("b", tflops=60, gpus=("gpu-4",)))
    books.set_card(card("gpu-1", tflops=50))
    found = books.snapshot()
    model = card().gpu_model
    assert found.pools == (
        PoolCards(
            pool="",
            gpu_model=model,
            cards=1,
            usable_cards=1,
            free_cards=0,
            capacity=amounts(100, 80),
            allocatable=amounts(100, 80),
            requested=amounts(60, 4),
        ),
        PoolCards(
            pool="pool",
            gpu_model=model,
            cards=3,
            usable_cards=2,
            free_cards=1,
            capacity=amounts(250, 240),
            allocatable=amounts(150, 160),
            requested=amounts(60, 4),
        ),
    )
    assert (found.in_flight, found.overbooked) == (1, ("gpu-1",))


def test_there_are_workers_of_a_level_while_one_of_them_holds_a_gpu():
    books = books_with()
    for each in (claim("a"), claim("b")):
        place(books, each)
    books.observe_gone("uid-of-a")
    one_left = books.has_workers("pool", "medium")
    books.observe_gone("uid-of-b")

    assert one_left
    assert not books.has_workers("pool", "medium")
    assert not books.has_workers("pool", "low")
