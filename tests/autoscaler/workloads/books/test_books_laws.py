"""The books beside an API server whose events come late, twice, out of order, or never."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from autoscaler.workloads.books.books import Books
from autoscaler.workloads.books.gpu_amounts import GpuAmounts
from autoscaler.workloads.books.sums import Sums
from autoscaler.workloads.errors import OverbookedError
from tests.autoscaler.workloads.entries import amounts, card, claim, resized

GPUS = ("gpu-1", "gpu-2", "gpu-3")
NAMESPACES = ("team", "other")
NOTHING = GpuAmounts()
SIZES = st.tuples(st.integers(0, 4), st.integers(0, 4))
CARD_SIZES = st.tuples(st.integers(0, 9), st.integers(0, 9))
STEPS = st.integers(0, 2)
"""How far a write comes at once: nowhere, to the server, back with its answer."""


class BooksLaws(RuleBasedStateMachine):
    """Pods on the server, events on their way, writes whose answers are out."""

    def __init__(self):
        super().__init__()
        self.books = Books()
        self.version = 0
        self.pods = {}
        """Of the server: UID to (claim or None, version)."""
        self.events = []
        """On their way to the books: (UID, claim or None, version); of gone pods version None."""
        self.asked = {}
        """Writes without an answer: UID to (claim, version once the server took it)."""
        self.told = set()
        """UIDs of all pods that ever were."""
        self.heard = []
        self.ceiling = {}
        """What may be in use of a card: what may be requested, or more where it was cut."""
        self.before = None

    @initialize(sizes=st.tuples(CARD_SIZES, CARD_SIZES, CARD_SIZES))
    def cards_come(self, sizes):
        self.listen()
        for gpu, (tflops, gib) in zip(GPUS, sizes, strict=True):
            self.set_card(gpu, tflops, gib)

    def listen(self):
        self.books.on_freed(self.heard.append)
        self.before = None

    def set_card(self, gpu, tflops, gib):
        self.books.set_card(card(gpu, tflops, gib))
        self.ceiling[gpu] = amounts(tflops, gib).at_least(self.books.used(gpu))

    def next_version(self):
        self.version += 1
        return self.version

    def change(self, uid, claimed):
        self.told.add(uid)
        self.pods[uid] = (claimed, self.next_version())
        self.events.append((uid, *self.pods[uid]))

    @rule(size=SIZES, gpus=st.sets(st.sampled_from(GPUS), min_size=1), steps=STEPS)
    def a_worker_comes(self, size, gpus, steps):
        name = f"w{self.next_version()}"
        uid = f"uid-of-{name}"
        self.change(uid, None)
        wanted = claim(name, *size, gpus=sorted(gpus), namespace=NAMESPACES[self.version % 2])
        self.ask(wanted, gpus, wanted.request, lambda: self.books.reserve(wanted), steps)

    @precondition(lambda self: self.resizable())
    @rule(data=st.data(), size=SIZES, steps=STEPS)
    def a_worker_is_to_be_resized(self, data, size, steps):
        uid = data.draw(st.sampled_from(self.resizable()))
        wanted, present = resized(self.pods[uid][0], *size), self.books.claim(uid)
        self.ask(
            wanted,
            present.gpus,
            NOTHING.at_least(wanted.request - present.request),
            lambda: self.books.raise_claim(uid, wanted.request, wanted.limit),
            steps,
        )

    def resizable(self):
        return sorted(u for u, (held, _) in self.pods.items() if held and u not in self.asked)

    def ask(self, wanted, gpus, added, take, steps):
        frees = [self.books.free(g) for g in gpus if self.books.card(g) is not None]
        is_there = len(frees) == len(gpus) or added == NOTHING
        fits = is_there and all(added.fits_in(NOTHING.at_least(free)) for free in frees)
        try:
            take()
        except OverbookedError:
            assert not fits
            return
        assert fits
        self.asked[wanted.uid] = (wanted, None)
        for step in (self.server_takes, self.answer)[:steps]:
            step(wanted.uid)

    @precondition(lambda self: self.asked)
    @rule(data=st.data())
    def the_server_takes_a_write(self, data):
        self.server_takes(data.draw(st.sampled_from(sorted(self.asked))))

    def server_takes(self, uid):
        wanted, version = self.asked[uid]
        if version is None and uid in self.pods:
            self.change(uid, wanted)
            self.asked[uid] = (wanted, self.version)

    @precondition(lambda self: self.asked)
    @rule(data=st.data())
    def an_answer_comes(self, data):
        self.answer(data.draw(st.sampled_from(sorted(self.asked))))

    def answer(self, uid):
        """Let a write that the server did not take be known to have failed."""
        wanted, version = self.asked.pop(uid)
        if version is None:
            self.books.cancel(uid)
        else:
            self.books.settle(uid, wanted, version)

    @precondition(lambda self: self.pods)
    @rule(data=st.data(), is_deleted=st.booleans())
    def a_pod_ends(self, data, is_deleted):
        uid = data.draw(st.sampled_from(sorted(self.pods)))
        if is_deleted:
            del self.pods[uid]
            self.events.append((uid, None, None))
        elif uid not in self.asked:
            self.change(uid, None)

    @precondition(lambda self: self.events)
    @rule(data=st.data(), is_kept=st.booleans())
    def an_event_comes(self, data, is_kept):
        """Those of one pod come in any order, some twice, but for its end."""
        at = data.draw(st.integers(0, len(self.events) - 1))
        self.deliver(at, is_kept=is_kept)

    def deliver(self, at, *, is_kept=False):
        uid, claimed, version = self.events[at]
        if version is None:
            self.books.observe_gone(uid)
            self.events = [event for event in self.events if event[0] != uid]
        else:
            self.books.observe(uid, claimed, version)
            if not is_kept:
                del self.events[at]

    @precondition(lambda self: self.events)
    @rule(data=st.data())
    def an_event_is_lost(self, data):
        del self.events[data.draw(st.integers(0, len(self.events) - 1))]

    @precondition(lambda self: self.pods)
    @rule(gpu=st.sampled_from(GPUS), size=CARD_SIZES)
    def a_card_changes(self, gpu, size):
        self.set_card(gpu, *size)

    @precondition(lambda self: self.pods)
    @rule(gpu=st.sampled_from(GPUS))
    def a_card_goes(self, gpu):
        self.books.remove_card(gpu)
        self.ceiling[gpu] = self.books.used(gpu)

    @precondition(lambda self: len(self.events) > 2)
    @rule()
    def the_books_are_checked(self):
        self.list_again()
        truth = [held for held, _ in self.pods.values() if held is not None]
        assert self.books.drift(truth) == ()
        self.books.repair(truth)

    @precondition(lambda self: len(self.pods) > 2)
    @rule(data=st.data())
    def the_controller_is_killed(self, data):
        for uid in sorted(self.asked):
            wanted, version = self.asked.pop(uid)
            if version is None and uid in self.pods and data.draw(st.booleans()):
                self.change(uid, wanted)
        cards = [self.books.card(gpu) for gpu in GPUS]
        self.books, self.events = Books(), []
        for each in filter(None, cards):
            self.books.set_card(each)
        self.list_again()
        for gpu in GPUS:
            self.ceiling[gpu] = self.ceiling[gpu].at_least(self.books.used(gpu))
        self.listen()

    def list_again(self):
        """Let the cache list all pods, as it does after it lost its watch."""
        for uid in self.told - self.pods.keys():
            self.books.observe_gone(uid)
        self.events = []
        for uid, (held, version) in self.pods.items():
            self.books.observe(uid, held, version)

    @invariant()
    def nothing_is_negative_and_nothing_above_what_may_be_requested(self):
        for gpu in GPUS:
            used, there = self.books.used(gpu), self.books.card(gpu)
            allocatable = NOTHING if there is None else there.allocatable
            assert NOTHING.fits_in(used)
            assert used.fits_in(self.ceiling[gpu])
            assert self.books.free(gpu) == (NOTHING if there is None else allocatable - used)
            self.ceiling[gpu] = allocatable.at_least(used.at_most(self.ceiling[gpu]))

    @invariant()
    def what_the_server_holds_is_never_given_twice(self):
        truth = Sums.over(held for held, _ in self.pods.values() if held is not None)
        for gpu in GPUS:
            assert truth.used(gpu).fits_in(self.books.used(gpu))
        for namespace in NAMESPACES:
            assert truth.quota_use(namespace).fits_in(self.books.quota_use(namespace))

    @invariant()
    def whoever_waits_heard_of_more_room(self):
        gpus = {gpu for freed in self.heard for gpu in freed.gpus}
        namespaces = {each for freed in self.heard for each in freed.namespaces}
        self.heard.clear()
        now = (
            {gpu: self.books.free(gpu) for gpu in GPUS if self.books.card(gpu) is not None},
            {each: self.books.quota_use(each) for each in NAMESPACES},
        )
        if self.before is not None:
            free_before, use_before = self.before
            grown = {
                g for g, free in now[0].items() if not free.fits_in(free_before.get(g, NOTHING))
            }
            fewer = {each for each in NAMESPACES if not use_before[each].fits_in(now[1][each])}
            assert grown <= gpus
            assert fewer <= namespaces
        self.before = now

    def teardown(self):
        for uid in sorted(self.asked):
            self.answer(uid)
        while self.events:
            self.deliver(0)
        self.list_again()
        truth = [held for held, _ in self.pods.values() if held is not None]
        sums = Sums.over(truth)
        for gpu in GPUS:
            assert sums.used(gpu) == self.books.used(gpu)
            assert set(sums.claims_on(gpu).values()) == set(self.books.claims_on(gpu))
        for namespace in NAMESPACES:
            assert sums.quota_use(namespace) == self.books.quota_use(namespace)
        assert self.books.snapshot().in_flight == 0
        assert self.books.drift(truth) == ()


BooksLaws.TestCase.settings = settings(deadline=None, stateful_step_count=40)
TestBooksLaws = BooksLaws.TestCase
