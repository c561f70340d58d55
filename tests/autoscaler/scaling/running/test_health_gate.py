"""When the gate is closed."""

from hypothesis import given
from hypothesis import strategies as st

from autoscaler.scaling.running.health_gate import (
    CLOSES_AFTER_S,
    GatePart,
    HealthGate,
    longest_without_metrics_s,
)

METRICS_S = 60.0


class World:
    """A gate, and the webhook and the clock that it looks at."""

    def __init__(self, *, has_webhook=True):
        self.now_s = 1000.0
        self.problems = ()
        self.gate = HealthGate(
            (lambda: self.problems) if has_webhook else None,
            metrics_within_s=METRICS_S,
            monotonic_s=lambda: self.now_s,
        )

    def opened(self):
        self.gate.look()
        self.gate.metrics_were_read()
        return self

    def look(self, after_s, *problems):
        self.now_s += after_s
        self.problems = problems
        self.gate.look()


def test_a_new_gate_is_closed_until_webhook_and_metrics_were_seen_healthy():
    world = World()

    first = world.gate.problems()
    world.gate.look()
    second = world.gate.problems()
    world.gate.metrics_were_read()

    assert first == ("the webhook was not looked at yet", "the metrics were not read yet")
    assert second == ("the metrics were not read yet",)
    assert world.gate.problems() == ()


def test_an_unhealthy_webhook_closes_a_new_gate_at_once():
    world = World()
    world.gate.metrics_were_read()

    world.look(0.0, "no webhook process is ready")

    assert world.gate.problems() == ("no webhook process is ready",)


def test_a_webhook_that_fails_for_a_moment_closes_nothing():
    world = World().opened()

    world.look(CLOSES_AFTER_S / 2, "no answer")
    during = world.gate.problems()
    world.look(1.0)
    world.gate.metrics_were_read()

    assert (during, world.gate.problems()) == ((), ())


def test_a_webhook_that_fails_for_long_closes_the_gate_and_opens_it_at_once():
    world = World().opened()

    for _ in range(3):
        world.look(CLOSES_AFTER_S / 2, "no answer")
        world.gate.metrics_were_read()
    closed = world.gate.by_part()
    world.look(1.0)

    assert closed == {GatePart.WEBHOOK: ("no answer",), GatePart.METRICS: ()}
    assert world.gate.problems() == ()


def test_metrics_that_cannot_be_read_for_long_close_the_gate():
    world = World().opened()

    world.look(METRICS_S)
    during = world.gate.problems()
    world.look(1.0)

    assert during == ()
    assert world.gate.problems() == ("the metrics could not be read for 60 s",)


def test_without_a_webhook_the_metrics_alone_count():
    world = World(has_webhook=False)

    world.gate.look()
    before = world.gate.problems()
    world.gate.metrics_were_read()

    assert (before, world.gate.problems()) == (("the metrics were not read yet",), ())


def test_metrics_may_fail_for_four_ticks_and_at_least_a_minute():
    assert longest_without_metrics_s(15.0) == 60.0
    assert longest_without_metrics_s(60.0) == 240.0


def test_each_change_is_told_once(caplog):
    caplog.set_level("INFO")
    world = World()

    world.gate.metrics_were_read()
    world.look(1.0, "no answer")
    world.look(1.0, "no answer")
    world.look(1.0)
    world.look(1.0)

    told = [record.getMessage() for record in caplog.records]
    assert told == [
        "the health gate is closed: only raises pass: no answer",
        "the health gate is open",
    ]


def test_that_nothing_was_seen_yet_is_not_told(caplog):
    caplog.set_level("INFO")
    world = World()

    world.gate.look()
    before = list(caplog.messages)
    world.gate.metrics_were_read()

    assert (before, caplog.messages) == ([], ["the health gate is open"])


def test_metrics_that_were_never_read_count_from_the_beginning():
    world = World()

    world.look(METRICS_S + 1.0)

    assert world.gate.problems() == ("the metrics could not be read for 60 s",)


@given(st.lists(st.tuples(st.floats(0.0, 100.0), st.booleans())))
def test_the_gate_is_never_open_once_the_webhook_failed_for_long(steps):
    world = World().opened()
    healthy_s = world.now_s

    for after_s, is_healthy in steps:
        world.look(after_s, *(() if is_healthy else ("no answer",)))
        healthy_s = world.now_s if is_healthy else healthy_s
        is_open = not world.gate.by_part()[GatePart.WEBHOOK]

        assert is_open is (world.now_s - healthy_s < CLOSES_AFTER_S)
