from concurrent.futures import ThreadPoolExecutor
from threading import Lock, Thread

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from autoscaler.kube.lanes import Priority
from autoscaler.kube.work_queue import LONGEST_RETRY_S, WorkQueue
from tests.autoscaler.kube.steady_clock import SteadyClock
from tests.components.processes import until

PRIORITIES = st.sampled_from(Priority)
KEYS = st.integers(0, 5)
DELAYS_S = st.floats(0, 20)


@pytest.fixture
def clock():
    return SteadyClock()


@pytest.fixture
def queue(clock):
    return WorkQueue(monotonic_s=clock)


def test_a_key_added_many_times_comes_once(queue):
    for _ in range(10):
        queue.add("a", Priority.STATUS)
    assert queue.get(0) == "a"
    queue.done("a")
    assert queue.get(0) is None


def test_a_key_in_hand_is_not_handed_out_and_comes_once_more_where_it_was_added(queue):
    queue.add("a", Priority.RAISE)
    assert queue.get(0) == "a"
    queue.add("a", Priority.STATUS)
    queue.add("a", Priority.RAISE)
    assert queue.get(0) is None
    queue.done("a")
    assert queue.backlog()[Priority.RAISE] == 1
    assert queue.get(0) == "a"
    queue.done("a")
    assert queue.get(0) is None


def test_a_delayed_key_comes_when_its_time_has_come(queue, clock):
    queue.add_after("a", 5.0, Priority.RAISE)
    clock.wait(4.9)
    assert queue.get(0) is None
    clock.wait(0.2)
    assert queue.get(0) == "a"


def test_of_several_delays_the_shortest_counts(queue, clock):
    queue.add_after("a", 50.0, Priority.STATUS)
    queue.add_after("a", 5.0, Priority.RAISE)
    queue.add_after("a", 20.0, Priority.STATUS)
    clock.wait(5.0)
    assert queue.backlog()[Priority.RAISE] == 1
    assert queue.get(0) == "a"
    queue.done("a")
    clock.wait(100.0)
    assert queue.get(0) is None


def test_retries_wait_twice_as_long_each_time_up_to_five_minutes(queue, clock):
    queue.add("a", Priority.RAISE)
    for failures in range(20):
        wait_s = min(0.005 * 2**failures, 300.0)
        assert queue.get(0) == "a"
        queue.retry("a")
        queue.done("a")
        clock.wait(0.99 * wait_s)
        assert queue.get(0) is None
        clock.wait(0.02 * wait_s)


def test_forgetting_a_key_makes_its_next_retry_the_first(queue, clock):
    queue.add("a", Priority.RAISE)
    for _ in range(5):
        assert queue.get(0) == "a"
        queue.retry("a")
        queue.done("a")
        clock.wait(10.0)
    assert queue.get(0) == "a"
    assert queue.snapshot().failing == 1
    queue.forget("a")
    queue.retry("a")
    queue.done("a")
    clock.wait(0.005)
    assert queue.get(0) == "a"


def test_a_retry_keeps_the_priority_of_the_key(queue, clock):
    queue.add("a", Priority.DENIAL)
    queue.get(0)
    queue.retry("a")
    queue.done("a")
    clock.wait(1.0)
    assert queue.backlog()[Priority.DENIAL] == 1


def test_giving_back_what_is_not_in_hand_is_a_defect(queue):
    with pytest.raises(ValueError, match="'a' is not in hand"):
        queue.done("a")
    with pytest.raises(ValueError, match="'a' is not in hand"):
        queue.retry("a")


def test_the_key_that_is_looked_at_longest_is_named(queue, clock):
    assert queue.longest_in_hand() is None
    for key in "ab":
        queue.add(key, Priority.STATUS)
        queue.get(0)
        clock.wait(5.0)

    assert queue.longest_in_hand() == ("a", 10.0)
    assert queue.snapshot().longest_in_hand_s == 10.0
    queue.done("a")
    assert queue.longest_in_hand() == ("b", 5.0)


def test_the_snapshot_counts_where_keys_are(queue):
    queue.add("waits", Priority.DECREASE)
    queue.add("in hand", Priority.DENIAL)
    queue.add_after("later", 5.0, Priority.STATUS)
    queue.get(0)
    shown = queue.snapshot()
    assert (sum(shown.backlog.values()), shown.delayed, shown.in_hand) == (1, 1, 1)
    assert (shown.failing, shown.handed_out, shown.retries) == (0, 1, 0)


def test_closing_wakes_those_who_wait_and_hands_out_nothing_more():
    queue = WorkQueue()
    got = []
    waiting = [Thread(target=lambda: got.append(queue.get(60.0))) for _ in range(3)]
    for thread in waiting:
        thread.start()
    queue.close()
    for thread in waiting:
        thread.join(10.0)
    queue.add("a", Priority.RAISE)
    assert (got, queue.get(60.0), queue.is_closed) == ([None, None, None], None, True)


def test_a_waiting_worker_gets_a_key_as_soon_as_it_is_added_or_due():
    queue = WorkQueue()
    with ThreadPoolExecutor() as threads:
        added = threads.submit(queue.get, 60.0)
        queue.add("added", Priority.RAISE)
        assert added.result(10.0) == "added"
        due = threads.submit(queue.get, 60.0)
        queue.add_after("due", 0.01, Priority.RAISE)
        assert due.result(10.0) == "due"


def test_eight_threads_never_have_the_same_key_and_see_the_last_change():
    queue = WorkQueue()
    lock = Lock()
    wanted = dict.fromkeys(range(20), 0)
    reached = dict.fromkeys(range(20), 0)
    in_hand = set()
    clashes = []

    def work():
        while (key := queue.get(60.0)) is not None:
            with lock:
                if key in in_hand:
                    clashes.append(key)
                in_hand.add(key)
                reached[key] = wanted[key]
            with lock:
                in_hand.discard(key)
            queue.done(key)

    threads = [Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for change in range(1, 101):
        for key in wanted:
            with lock:
                wanted[key] = change
            queue.add(key, Priority.RAISE)
    until(
        lambda: not any(queue.backlog().values()) and queue.snapshot().in_hand == 0,
        what="all is done",
    )
    queue.close()
    for thread in threads:
        thread.join(10.0)
    assert clashes == []
    assert reached == wanted


class QueueLaws(RuleBasedStateMachine):
    """A queue beside the simplest account of what it owes."""

    def __init__(self):
        super().__init__()
        self.clock = SteadyClock()
        self.queue = WorkQueue(monotonic_s=self.clock)
        self.owed = set()
        """Keys added since they were last handed out."""
        self.delayed = {}
        self.in_hand = set()

    @rule(key=KEYS, priority=PRIORITIES)
    def add(self, key, priority):
        self.queue.add(key, priority)
        self.owed.add(key)

    @rule(key=KEYS, delay_s=DELAYS_S, priority=PRIORITIES)
    def add_after(self, key, delay_s, priority):
        self.queue.add_after(key, delay_s, priority)
        due_s = self.clock.now_s + delay_s
        self.delayed[key] = min(self.delayed.get(key, due_s), due_s)

    @rule(wait_s=st.floats(0, 10))
    def let_time_pass(self, wait_s):
        self.clock.wait(wait_s)

    @rule()
    def get(self):
        self.settle()
        key = self.queue.get(0)
        if key is None:
            assert self.owed - self.in_hand == set()
            return
        assert key in self.owed - self.in_hand
        self.owed.remove(key)
        self.in_hand.add(key)

    @precondition(lambda self: self.in_hand)
    @rule(data=st.data())
    def done(self, data):
        key = data.draw(st.sampled_from(sorted(self.in_hand)))
        # What came due while the key was in hand is owed, whether or not the queue looked.
        self.settle()
        self.queue.done(key)
        self.in_hand.remove(key)

    @precondition(lambda self: self.in_hand)
    @rule(data=st.data())
    def retry(self, data):
        key = data.draw(st.sampled_from(sorted(self.in_hand)))
        self.queue.retry(key)
        due_s = self.clock.now_s + LONGEST_RETRY_S
        self.delayed[key] = min(self.delayed.get(key, due_s), due_s)
        self.clock.wait(LONGEST_RETRY_S)
        self.settle()

    @invariant()
    def waiting_keys_are_those_that_are_owed_and_not_in_hand(self):
        self.settle()
        assert sum(self.queue.backlog().values()) == len(self.owed - self.in_hand)

    def settle(self):
        due = {key for key, due_s in self.delayed.items() if due_s <= self.clock.now_s}
        self.owed |= due
        for key in due:
            del self.delayed[key]

    def teardown(self):
        self.clock.wait(2 * LONGEST_RETRY_S)
        self.settle()
        for key in self.in_hand:
            self.queue.done(key)
        left = set()
        while (key := self.queue.get(0)) is not None:
            left.add(key)
        assert left == self.owed


QueueLaws.TestCase.settings = settings(deadline=None, stateful_step_count=30)
TestQueueLaws = QueueLaws.TestCase
