"""Counters of a page of use that its own worker forges, beside an honest neighbour."""

import pytest

from autoscaler.agent.accounting.finding import SUSTAINED_S, FindingKind
from autoscaler.agent.pages.abi import ONE_Q32
from autoscaler.agent.sharing.demand import MEMORY_S
from autoscaler.agent.sharing.leftover import SWITCHED_SHARE
from autoscaler.agent.sharing.slices import Neighbour, share_beside
from autoscaler.agent.sharing.trim import LEAST_K
from tests.autoscaler.agent.attacks.scene import NS, TURN_S, Scene
from tests.autoscaler.agent.running.moments import GIB

LOOK_S = 0.2
MOST_WORD = 2**64 - 1


@pytest.fixture
def scene(tmp_path):
    return Scene(tmp_path / "pods")


@pytest.mark.parametrize(
    "name", ["charged_ns", "launches", "blocked_ns", "denied_bytes", "waited_ns"]
)
def test_a_counter_that_falls_is_found_at_the_next_look(scene, name):
    forger = scene.tenant(wanted=0.3)
    setattr(scene.page(forger).gpu[0], name, 10**6)
    scene.run(2.0)
    scene.begin_attack()
    forger.attack = lambda page, now_ns: setattr(page.gpu[0], name, 0)

    scene.run(1.0)

    assert scene.found_after_s(forger, FindingKind.TAMPERED) <= LOOK_S


def test_the_largest_numbers_change_nothing_for_a_neighbour_and_are_shown_bounded(scene):
    def write(page, now_ns):
        for name, _ in page.gpu[0]._fields_:
            setattr(page.gpu[0], name, MOST_WORD)
        page.process[0].memory_bytes[0] = MOST_WORD

    forger = scene.tenant(wanted=0.1, request=0.2, limit=1.0, qos="critical")
    honest = scene.tenant(wanted=0.4, request=0.5, limit=0.5, qos="low")
    scene.run(6.0)
    before = scene.shown(honest)
    scene.begin_attack()
    forger.attack = write
    scene.run(6.0)

    shown, after = scene.shown(forger), scene.shown(honest)
    assert shown.compute_share <= 1.0
    assert shown.memory_bytes == scene.devices[shown.uuid].vram_bytes
    assert shown.device_s == MOST_WORD / NS
    assert after.compute_share == pytest.approx(before.compute_share)
    assert (after.memory_bytes, scene.share(honest)) == (GIB, 0.5)
    assert scene.kinds(honest) == set()


def test_a_counter_that_overflows_has_fallen(scene):
    forger = scene.tenant(wanted=0.3)
    scene.page(forger).gpu[0].charged_ns = MOST_WORD - NS
    scene.run(2.0)
    scene.begin_attack()

    scene.run(10.0)

    assert FindingKind.TAMPERED in scene.kinds(forger)


@pytest.mark.parametrize("factor", [2, 10, 1000])
def test_charges_that_are_written_too_high_gain_no_more_than_the_least_trim(scene, factor):
    def inflate(page, now_ns):
        page.gpu[0].charged_ns += int((factor - 1) * forger.used * TURN_S * NS)

    forger = scene.tenant(wanted=0.5)
    scene.run(3.0)
    scene.begin_attack()
    forger.attack = inflate
    scene.run(20.0)

    assert scene.trim_k(forger) >= LEAST_K
    assert scene.share(forger) / scene.trim_k(forger) <= 0.5 / LEAST_K
    assert scene.found_after_s(forger, FindingKind.TAMPERED) <= SUSTAINED_S + 2 * LOOK_S


def test_charges_beyond_what_the_card_was_busy_for_are_found_beside_neighbours(scene):
    def inflate(page, now_ns):
        page.gpu[0].charged_ns += int(TURN_S * NS)

    forger = scene.tenant(wanted=0.1)
    honest = scene.tenant(wanted=0.3)
    scene.run(3.0)
    scene.begin_attack()
    forger.attack = inflate
    scene.run(5.0)

    assert scene.found_after_s(forger, FindingKind.TAMPERED) <= SUSTAINED_S + 2 * LOOK_S
    assert (scene.kinds(honest), scene.shown(honest).compute_share) == (set(), pytest.approx(0.3))


@pytest.mark.parametrize("name", ["blocked_ns", "waited_ns"])
def test_time_that_is_claimed_leaves_a_neighbour_its_request_and_soon_the_rest(scene, name):
    def claim(page, now_ns):
        record = page.gpu[0]
        setattr(record, name, getattr(record, name) + int(TURN_S * NS))

    idle = scene.tenant(wanted=0.01, request=0.3, limit=1.0, qos="critical", attack=claim)
    busy = scene.tenant(wanted=1.0, request=0.5, limit=1.0, qos="low")
    scene.run(2 * TURN_S)
    shares = []
    for _ in range(round(2 * MEMORY_S / TURN_S)):
        scene.run(TURN_S)
        shares.append(scene.share(busy))

    assert min(shares) >= 0.5
    # From then on its claim is not believed: it has what the idle one does not use, but for some
    # room above that use.
    assert min(shares[-50:]) >= 1.0 - 0.01 * 1.2 - 0.1 - 0.001
    assert scene.share(idle) <= 1.0


def test_a_claim_that_is_backed_by_use_takes_what_an_honest_worker_would_take(scene):
    def claim(page, now_ns):
        page.gpu[0].blocked_ns += int(TURN_S * NS)

    scene.tenant(wanted=0.2, request=0.2, limit=1.0, attack=claim)
    busy = scene.tenant(wanted=1.0, request=0.4, limit=1.0)
    scene.run(10.0)

    # Of what both requests leave, equals get equal parts.
    assert scene.share(busy) == pytest.approx(0.4 + 0.4 / 2, abs=0.011)


def test_charges_that_are_left_out_are_found_while_the_worker_is_alone(scene):
    def hide(page, now_ns):
        page.gpu[0].charged_ns = 0

    forger = scene.tenant(wanted=0.9, limit=0.3, is_limited=False, attack=hide)
    scene.run(5.0)

    assert scene.found_after_s(forger, FindingKind.OVER_SHARE) <= SUSTAINED_S + 2 * LOOK_S
    assert scene.shown(forger).unaccounted_share == pytest.approx(0.9)


def test_beside_a_neighbour_only_the_sum_shows_that_charges_are_left_out(scene):
    forger = scene.tenant(wanted=0.6, limit=0.3, is_limited=False)
    honest = scene.tenant(wanted=0.4, request=0.4)
    scene.run(6.0)

    charged = [scene.shown(each).compute_share for each in (forger, honest)]
    assert (scene.kinds(forger), scene.kinds(honest)) == (set(), set())
    assert charged == [0.0, pytest.approx(0.4, abs=0.01)]
    assert scene.share(honest) == 0.5


@pytest.mark.parametrize("limit", [0.1, 0.3, 0.6])
def test_a_claim_makes_long_kernels_of_another_cheaper_by_no_more_than_its_own_share(scene, limit):
    def claim(page, now_ns):
        page.gpu[0].charged_ns += int(TURN_S * NS)
        page.gpu[0].launches += 1000

    claimer = scene.tenant(wanted=0.05, request=0.1, limit=limit, attack=claim)
    other = scene.tenant(wanted=0.2, request=0.3, limit=0.3)
    scene.run(5.0)

    left = scene.pods.ctl(other.served).gpu[0].left_q32 / ONE_Q32
    kernel_part = left * (1 - min((1 - left) / 2, SWITCHED_SHARE))
    using_it_all = Neighbour(share=scene.share(claimer), launch_s=1e-6, processes=1)
    assert kernel_part >= share_beside([using_it_all]) - 0.005
    assert scene.share(claimer) <= limit + 1e-9


def test_a_busy_process_that_shows_no_charges_does_not_pass_for_absent(scene):
    hider = scene.tenant(wanted=0.5, limit=0.5, is_limited=False)
    honest = scene.tenant(wanted=0.2, request=0.3, limit=0.3)
    scene.run(5.0)

    # 0: nothing is known. "All of the card" would price its long kernels with the other's slices.
    assert scene.pods.ctl(honest.served).gpu[0].left_q32 == 0
    assert scene.shown(hider).compute_share == 0.0
