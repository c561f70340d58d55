import pytest

from autoscaler.agent.pages.abi import CTL_BYTES, ONE_Q16
from autoscaler.agent.running.enforcing import Enforcement
from autoscaler.agent.running.limits import LimitRules
from autoscaler.agent.running.snapshot import APPLY_BUCKETS_S
from autoscaler.agent.running.turn_counts import TurnCounts
from autoscaler.agent.sharing.trim import LEAST_K, MOST_K
from tests.autoscaler.agent.running.moments import GIB, UUID, device
from tests.autoscaler.agent.running.roster_double import NS, Pods, changed

DEVICES = {UUID: device()}
PERIOD_NS = NS // 10


class Turns:
    """Turns ten times a second, in time that a test lets pass."""

    def __init__(self, rules=LimitRules()):  # noqa: B008 - it is frozen
        self.counts = TurnCounts()
        self.enforcement = Enforcement(rules, self.counts)
        self.now_ns = 50 * NS

    def __call__(self, *served, devices=DEVICES, is_whole=True):
        self.now_ns += PERIOD_NS
        self.enforcement.turn(
            served, devices, now_ns=self.now_ns, now_s=self.now_ns / NS, is_whole=is_whole
        )

    def share(self, served):
        [kept] = [each for each in self.enforcement.workers if each.worker == served.worker]
        return self.enforcement.share_of(kept, UUID)


@pytest.fixture
def pods(tmp_path):
    return Pods(tmp_path / "pods")


@pytest.fixture
def turn():
    return Turns()


def test_a_worker_gets_its_limits_before_it_has_begun(pods, turn):
    chat = pods.served()

    turn(chat)

    page = pods.ctl(chat)
    assert (page.gpu_count, page.gpu[0].uuid.decode()) == (1, UUID)
    assert (pods.share(chat), page.gpu[0].memory_limit_bytes) == (0.5, 20 * GIB)
    assert page.pod_uid.decode() == chat.worker.uid


@pytest.mark.parametrize("is_whole", [True, False])
def test_a_new_limit_is_in_force_after_one_turn_and_its_delay_is_counted(pods, turn, is_whole):
    chat = pods.served()
    turn(chat)
    raised = changed(chat, tflops_limit=234.0, vram_limit_bytes=40 * GIB, seen_ns=turn.now_ns)

    turn(raised, is_whole=is_whole)

    assert (pods.share(chat), pods.ctl(chat).gpu[0].memory_limit_bytes) == (0.75, 40 * GIB)
    counts = turn.counts.snapshot()
    assert counts.apply_buckets[APPLY_BUCKETS_S.index(0.1)] == 1
    assert (sum(counts.apply_buckets), counts.apply_sum_s) == (1, pytest.approx(0.1))


def test_what_is_in_force_from_the_beginning_counts_as_no_change(pods, turn):
    chat = pods.served()
    for _ in range(3):
        turn(chat)

    assert sum(turn.counts.snapshot().apply_buckets) == 0


def test_a_volume_that_comes_later_is_waited_for(pods, turn):
    chat = pods.served(has_volumes=False)
    turn(chat)
    assert not chat.folders.control.exists()

    pods.served()
    turn(chat)

    assert pods.share(chat) == 0.5
    assert turn.counts.snapshot().page_errors == 0


def test_a_full_card_is_shared_by_requests_and_by_quality_of_service(pods, turn):
    low = pods.served(0, qos="low", tflops_request=78.0, tflops_limit=312.0)
    high = pods.served(1, qos="critical", tflops_request=156.0, tflops_limit=312.0)
    charged_ns = 0
    for _ in range(20):
        charged_ns += PERIOD_NS // 2
        for each in (low, high):
            pods.use(each, charged_ns=charged_ns, blocked_ns=charged_ns, tat_ns=turn.now_ns)
        turn(low, high)

    # Requests are 0.25 and 0.5; of the rest, critical gets eight times as much as low.
    assert pods.share(high) == pytest.approx(0.5 + 0.25 * 8 / 9, abs=0.01)
    assert pods.share(low) == pytest.approx(0.25 + 0.25 / 9, abs=0.01)
    assert turn.enforcement.granted_share(UUID) == pytest.approx(1.0, abs=0.02)


def test_a_worker_that_is_alone_may_use_its_whole_limit(pods, turn):
    chat = pods.served()
    for _ in range(5):
        turn(chat)

    assert (pods.share(chat), turn.share(chat)) == (0.5, 0.5)


def test_a_worker_that_is_gone_keeps_its_page_as_it_is(pods, turn):
    chat = pods.served()
    turn(chat)
    before = (chat.folders.control / "ctl").read_bytes()

    turn()

    assert (chat.folders.control / "ctl").read_bytes() == before
    assert turn.enforcement.workers == ()


def test_the_end_of_an_agent_changes_no_page(pods, turn):
    chat = pods.served()
    turn(chat)
    before = (chat.folders.control / "ctl").read_bytes()

    turn.enforcement.close()

    assert (chat.folders.control / "ctl").read_bytes() == before


def test_an_agent_that_starts_again_leaves_shares_until_it_knows_the_demand(pods, turn):
    low = pods.served(0, qos="low", tflops_request=78.0, tflops_limit=312.0)
    high = pods.served(1, qos="critical", tflops_request=156.0, tflops_limit=312.0)
    charged_ns = 0
    shares = []
    turn(low, high)
    for number in range(40):
        charged_ns += PERIOD_NS // 2
        for each in (low, high):
            pods.use(each, charged_ns=charged_ns, blocked_ns=charged_ns, tat_ns=turn.now_ns)
        if number == 20:
            turn.enforcement.close()
            now_ns, turn = turn.now_ns, Turns()
            turn.now_ns = now_ns
        turn(low, high)
        shares.append((pods.share(low), pods.share(high)))

    assert shares[19:] == [pytest.approx(shares[19], abs=0.01)] * 21


@pytest.mark.parametrize(("left_k", "k"), [(1.5, 1.5), (100.0, MOST_K), (0.1, LEAST_K)])
def test_an_agent_that_starts_again_takes_over_how_wrong_costs_are(pods, turn, left_k, k):
    chat = pods.served()
    turn(chat)
    page = pods.ctl(chat)
    page.gpu[0].trim_k_q16 = round(left_k * ONE_Q16)
    (chat.folders.control / "ctl").write_bytes(bytes(page).ljust(CTL_BYTES, b"\0"))

    again = Turns()
    again(chat)

    [kept] = again.enforcement.workers
    assert kept.meters[UUID].trim.k == k


def test_a_page_of_another_version_is_not_taken_over(pods, turn):
    chat = pods.served()
    turn(chat)
    page = pods.ctl(chat)
    page.abi_version, page.gpu[0].trim_k_q16 = 99, 2 * ONE_Q16
    (chat.folders.control / "ctl").write_bytes(bytes(page).ljust(CTL_BYTES, b"\0"))

    again = Turns()
    again(chat)

    [kept] = again.enforcement.workers
    assert kept.meters[UUID].trim.k == 1.0
    assert again.counts.snapshot().page_errors == 1


def test_a_page_that_cannot_be_used_keeps_nobody_else_from_being_served(pods, turn, tmp_path):
    broken, fine = pods.served(0), pods.served(1)
    broken.folders.control.rmdir()
    broken.folders.control.symlink_to(tmp_path)

    turn(broken, fine)

    assert pods.share(fine) == 0.5
    assert turn.counts.snapshot().page_errors == 1
    assert [bool(kept.refusal) for kept in turn.enforcement.workers] == [True, False]


def test_a_page_of_use_that_was_cut_is_told_once_and_limits_stay(pods, turn, caplog):
    chat = pods.served()
    pods.use(chat, charged_ns=5)
    turn(chat)
    turn(chat)

    (chat.folders.use / "use").write_bytes(b"short")
    turn(chat)
    turn(chat)

    [kept] = turn.enforcement.workers
    assert "team/chat-0" in caplog.text
    assert kept.page_error is not None
    assert pods.share(chat) == 0.5
    assert turn.counts.snapshot().page_errors >= 1


def test_a_control_page_that_somebody_changed_is_put_right(pods, turn):
    chat = pods.served()
    turn(chat)
    with (chat.folders.control / "ctl").open("r+b") as file:
        file.seek(128 + 64)
        file.write((1 << 32).to_bytes(8, "little"))

    turn(chat)

    [kept] = turn.enforcement.workers
    assert pods.share(chat) == 0.5
    assert "control page" in str(kept.page_error)


def test_a_worker_on_two_gpus_has_a_share_of_each(pods, turn):
    other = UUID[:-1] + "2"
    devices = {UUID: device(), other: device(uuid=other, tflops=156.0)}
    chat = pods.served(uuids=(UUID, other))

    turn(chat, devices=devices)

    assert [pods.share(chat, gpu) for gpu in (0, 1)] == [0.5, 1.0]


def test_an_instance_of_mig_is_not_trimmed(pods, turn):
    instance = device(is_mig=True)
    chat = pods.served()

    turn(chat, devices={UUID: instance})

    assert (pods.ctl(chat).gpu[0].flags, pods.ctl(chat).gpu[0].trim_k_q16) == (1, 0)


def test_the_rules_of_the_installation_are_in_every_page(pods):
    turn = Turns(LimitRules(burst_s=0.05, inflight_s=0.02, counts_contexts=False))
    chat = pods.served()

    turn(chat)

    page = pods.ctl(chat)
    assert (page.gpu[0].burst_ns, page.gpu[0].inflight_ns) == (NS // 20, NS // 50)
    assert page.flags == 1 | 2
