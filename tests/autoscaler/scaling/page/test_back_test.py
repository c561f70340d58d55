from autoscaler.scaling.page.back_test import REUSED_S, BackTest
from autoscaler.scaling.page.look import analysis_of, look_at
from autoscaler.scaling.page.queries import Queries
from tests.autoscaler.scaling.builders import view
from tests.autoscaler.scaling.page.boards import ABOUT, watched


class Seconds:
    """A clock that moves by ``step_s`` whenever it is read."""

    def __init__(self, step_s=0.0):
        self.step_s = step_s
        self.now_s = 0.0

    def __call__(self):
        self.now_s += self.step_s
        return self.now_s


def analysis(*workloads):
    with watched(*(view(name) for name in workloads)) as seen:
        tick = seen.tick()
        return analysis_of(look_at(seen.loop, tick, Queries(ABOUT.promql, Seconds())), 86400)


def test_a_back_test_stands_beside_newer_looks_at_the_same_workloads():
    clock = Seconds()
    back_test = BackTest(clock)
    assert back_test.known(analysis("chat")) is None
    made = back_test.make(analysis("chat"))

    clock.now_s += REUSED_S - 1
    assert back_test.known(analysis("chat")) is made
    assert back_test.known(analysis("chat", "search")) is None
    clock.now_s += 1
    assert back_test.known(analysis("chat")) is None


def test_one_that_takes_too_long_is_left_out_and_the_page_says_so():
    back_test = BackTest(Seconds(step_s=15.0), most_s=20.0)

    made = back_test.make(analysis("chat", "search"))

    assert made.whatif is None
    assert made.note.startswith(
        "the back-test is left out: for 2 workloads it takes more than 20 s"
    )
    assert back_test.known(analysis("chat", "search")) is made


def test_within_its_time_it_is_whole():
    made = BackTest(Seconds(step_s=0.001)).make(analysis("chat"))

    assert made.whatif is not None
    assert made.note == ""
