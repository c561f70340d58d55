import threading
import time

from autoscaler.errors import ApiUnavailableError
from autoscaler.scaling.holding import Hold
from autoscaler.scaling.page.back_test import BackTest
from autoscaler.scaling.page.board import READ_LATELY_S, WANTED_AGAIN_S
from autoscaler.scaling.page.look import LESS_URGENT
from recommender.policy.model import Mode
from tests.autoscaler.scaling.builders import policy, view
from tests.autoscaler.scaling.page.boards import finish, reported, watched
from tests.components.processes import until

CHAT = ("team", "chat")


def test_without_a_reader_the_loop_does_nothing_for_the_page():
    with watched() as seen:
        seen.tick()

        assert not seen.board.wants_look()
        assert seen.board.built is None
        assert seen.board.live.now_s == seen.clock.now_s()


def test_once_somebody_asks_the_next_tick_brings_a_report():
    with watched() as seen:
        seen.board.ask()
        assert seen.board.wants_look()

        seen.tick()

        report = seen.board.built.report
        assert report.meta.generated_s == seen.clock.now_s()
        assert [item.resource for item in report.items if item.resource == "tflops"] == ["tflops"]
        assert report.items[0].promql == ("tflops of team/chat",)


def test_a_report_is_made_anew_once_a_period_has_passed_and_no_sooner():
    with reported(every_s=300.0) as seen:
        first = seen.board.built
        seen.tick(after_s=150)
        assert seen.board.built is first

        seen.tick(after_s=150)

        assert seen.board.built.report.meta.generated_s == first.report.meta.generated_s + 300


def test_a_page_that_nobody_reads_any_more_is_left_as_it_is():
    with reported(every_s=300.0) as seen:
        first = seen.board.built

        seen.tick(after_s=int(READ_LATELY_S))

        assert seen.board.built is first
        assert not seen.board.is_fresh()


def test_every_layer_is_decided_for_the_page_also_where_only_one_was_due():
    with watched(view("chat", "auto-limits", "auto-requests")) as seen:
        seen.tick()
        seen.board.ask()
        tick = seen.tick(after_s=15)

        [item] = [i for i in seen.board.built.report.items if i.resource == "tflops"]
        assert len(tick.due) == 2
        assert {step.layer for step in item.reasoning} == {"requests", "limits"}
        assert item.recommended.request is not None


def test_looking_changes_nothing_that_the_loop_decides():
    with watched() as one, watched() as other:
        other.board.ask()

        def amounts(seen):
            return [seen.tick(after_s=15).decisions.next_limit.tolist() for _ in range(20)]

        assert amounts(one) == amounts(other)
        assert other.board.built is not None
        assert one.cluster.applied == other.cluster.applied


def test_the_page_tells_what_was_changed():
    with reported(every_s=15.0) as seen:
        seen.tick(after_s=15)

        [item] = [i for i in seen.board.built.report.items if i.resource == "tflops"]
        assert [entry.outcome for entry in item.history] == ["applied"]
        assert "demand of the last minute" in seen.board.built.page.plain.decode()


def test_the_page_tells_how_a_forecast_stands_and_looks_into_the_days():
    asked = {"autoSetLimits": {"enable": True, "prediction": {"enable": True}}}
    asking = view("chat", policy=policy(profile={"autoScalingConfig": asked}))
    with watched(asking) as seen:
        seen.board.ask()
        seen.tick()
        [item] = [i for i in seen.board.built.report.items if i.resource == "tflops"]

    assert [(f.layer, f.gate) for f in item.forecasts] == [("limits", "YOUNG")]
    assert item.pattern.reason == "TooShort"


def test_the_line_below_the_head_says_what_the_process_does():
    with watched(mode=Mode.RECOMMEND) as seen:
        seen.loop.hold, seen.holds = Hold.UNHEALTHY, ("the webhook does not answer",)
        seen.board.ask()
        seen.tick()

        line = seen.board.built.live
        assert line.startswith("Live, mode recommend: nothing is changed · only raises pass: ")
        assert "only raises pass: the webhook does not answer" in line
        assert line in seen.board.built.page.plain.decode()


def test_a_reader_hears_of_errors_of_the_tick():
    with watched() as seen:
        seen.source.down = {"tflops"}
        seen.board.ask()
        seen.tick(after_s=600)

        errors = seen.board.built.report.errors
        assert [(error.stage, error.resource) for error in errors] == [("collect", "tflops")]


def test_without_a_cluster_the_last_report_stays():
    with reported() as seen:
        first = seen.board.built
        seen.cluster.error = ApiUnavailableError("the API server does not answer")

        seen.tick(after_s=600)

        assert seen.board.built is first
        assert seen.board.wants_look()


class BrokenBackTest(BackTest):
    """A back-test with a defect."""

    def known(self, analysis):
        raise ZeroDivisionError("no luck")


def test_a_report_that_fails_is_told_and_does_not_stop_the_loop(caplog):
    with reported(back_test=BrokenBackTest(time.monotonic)) as seen:
        assert seen.board.built is None
        assert "could not be made" in seen.board.absence()
        assert "no luck" in caplog.text

        assert seen.tick(after_s=15).errors == {}


class SlowBackTest(BackTest):
    """A back-test that waits until it may go on."""

    def __init__(self):
        super().__init__(time.monotonic)
        self.may_go_on = threading.Event()

    def make(self, analysis):
        assert self.may_go_on.wait(10)
        return super().make(analysis)


def test_the_report_appears_before_its_back_test():
    slow = SlowBackTest()
    with watched(back_test=slow) as seen:
        seen.board.ask()
        seen.board.follow(seen.loop, seen.loop.tick())
        until(lambda: seen.board.built, what="the first report is there")
        first = seen.board.built.report
        slow.may_go_on.set()
        finish(seen.board)

        assert first.meta.notes == ("the back-test is still being made",)
        assert seen.board.built.report.meta.notes == ()
        assert [item.what_if is None for item in first.items] == [True, True, True]
        assert [item.what_if is None for item in seen.board.built.report.items].count(False) == 1


def test_why_a_process_decides_nothing_is_passed_on():
    with watched(absence=lambda: "chat-0 leads") as seen:
        assert seen.board.absence() == "chat-0 leads"


def test_a_cluster_without_workloads_is_told_until_there_is_one():
    with watched() as seen:
        present, seen.cluster.views = seen.cluster.views, []
        seen.board.ask()
        assert seen.board.absence() == ""

        seen.tick()
        assert "no workload yet" in seen.board.absence()

        seen.cluster.views = present
        seen.tick(after_s=15)
        assert seen.board.absence() == ""
        assert seen.board.built is not None


def test_a_cluster_that_does_not_answer_is_not_taken_for_an_empty_one():
    with watched() as seen:
        seen.cluster.error = ApiUnavailableError("no answer")
        seen.tick()
        assert seen.board.absence() == ""


class TestLargeFleets:
    def views(self):
        return [view(f"chat{i}", "auto-limits") for i in range(6)]

    def test_only_the_most_urgent_are_shown_and_the_rest_is_counted(self):
        with reported(*self.views(), most_rows=4) as seen:
            report = seen.board.built.report

            assert report.meta.scanned_workloads == 4
            assert report.meta.skipped == {LESS_URGENT: 2}
            assert report.meta.totals.releasable_gpus is None

    def test_a_workload_that_is_asked_for_comes_soon(self):
        with reported(*self.views(), most_rows=4) as seen:
            board = seen.board
            [asked, *_] = sorted({view.key for view in seen.cluster.views} - board.built.keys)
            assert board.is_fresh()
            assert not board.is_fresh(asked)
            board.ask(asked)
            assert not board.wants_look()

            seen.tick(after_s=int(WANTED_AGAIN_S))

            assert board.is_fresh(asked)
            assert len(board.built.keys) == 4

    def test_a_name_that_there_is_not_makes_no_report(self):
        with reported(*self.views(), most_rows=4) as seen:
            seen.board.ask(("team", "nothing"))
            seen.clock.advance_to(seen.clock.now_s() + 60)
            seen.seconds[0] += 60

            assert not seen.board.wants_look()
