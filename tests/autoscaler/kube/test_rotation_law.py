"""The law of the rotation, over arbitrary interleavings of keepers, processes and API servers.

Every filled entry, as any API server sees it, verifies what every webhook process serves.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from autoscaler.api.names import CERTIFICATE_SECRET, NAMESPACE, SERVING_FINGERPRINT
from autoscaler.kube.certificate_keeper import KeeperRules
from autoscaler.kube.resource import SECRETS
from autoscaler.kube.rotation import RotationRules
from autoscaler.kube.webhook_entries import PODS_WEBHOOK, WEBHOOKS
from tests.autoscaler.kube.webhook_world import DAY_S, WebhookWorld

LONGEST_ABSENCE_S = 5 * DAY_S
"""Nobody acts so late that what is served has expired: nothing could work then."""
RENEWED_AFTER_S = 60 * DAY_S
GARBAGE = "bm90IGEgY2VydGlmaWNhdGU="


class Rotating(RuleBasedStateMachine):
    """An installation in which everybody acts whenever, and much goes wrong."""

    @initialize(is_due=st.booleans())
    def begin_filled(self, is_due):
        self.world = WebhookWorld(endpoints=3)
        self.world.settle()
        assert len(self.world.entries) == len(WEBHOOKS)
        if is_due:
            self.world.clock.advance_to(self.world.clock.now_s() + RENEWED_AFTER_S)

    @rule(times=st.integers(1, 4))
    def keeper_runs(self, times):
        self.world.run(times)

    @rule(writes_before=st.integers(0, 2), arrives=st.booleans())
    def keeper_ends_at_a_write(self, writes_before, arrives):
        self.world.api.ends_at = (writes_before, arrives)
        self.world.run(4)

    @rule()
    def keeper_restarts(self):
        self.world.restart_keeper()

    @rule(number=st.integers(0, 2))
    def process_loads(self, number):
        self.world.load(number)

    @rule(number=st.integers(1, 2))
    def process_is_replaced(self, number):
        # Process 0 lives through everything, so that something is always in use.
        self.world.processes[number] = None
        self.world.load(number)

    @rule()
    def api_servers_catch_up(self):
        self.world.catch_up()

    @rule(seconds=st.integers(1, 90))
    def seconds_pass(self, seconds):
        self.world.advance(seconds)

    @rule(days=st.integers(1, 40), runs=st.integers(0, 2))
    def days_pass(self, days, runs):
        for _ in range(days):
            self.world.advance(DAY_S)
            self.world.run(runs)
            if self.world.first_end_s() - self.world.clock.now_s() < LONGEST_ABSENCE_S:
                self.world.live(2)

    @rule()
    def secret_is_deleted(self):
        self.world.api.remove(SECRETS, CERTIFICATE_SECRET, NAMESPACE)

    @rule(
        key=st.sampled_from(["ca_crt", "tls_crt", "tls_key", "next_crt", "next_key"]),
        value=st.sampled_from([None, "", GARBAGE, "%"]),
    )
    def secret_is_damaged(self, key, value):
        if self.world.secret is not None:
            self.world.edit_secret(**{key: value})

    @rule()
    def notes_on_the_secret_are_lost(self):
        if self.world.secret is not None:
            annotations = self.world.secret["metadata"].get("annotations", {})
            annotations.pop(SERVING_FINGERPRINT, None)

    @rule()
    def entry_is_edited(self):
        self.world.edit_entry(PODS_WEBHOOK, timeoutSeconds=30)

    @invariant()
    def every_entry_verifies_every_process(self):
        assert self.world.failures() == []

    def teardown(self):
        """Left alone, it comes to rest, with one authority in the end."""
        self.world.settle()
        self.world.live(3)
        assert len(self.world.stored.authorities) == 1
        assert self.world.stored.following is None
        assert {entry["timeoutSeconds"] for entry in self.world.entries} == {5}


Rotating.TestCase.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
test_the_law_holds_whoever_acts_whenever = Rotating.TestCase


def test_the_law_breaks_where_nobody_waits_for_the_api_servers():
    hasty = KeeperRules(rotation=RotationRules(settle_s=0))
    world = WebhookWorld(hasty)
    world.settle()
    world.clock.advance_to(world.clock.now_s() + RENEWED_AFTER_S)
    world.run(5)
    world.load()
    assert [name for name, _ in world.failures()] != []
