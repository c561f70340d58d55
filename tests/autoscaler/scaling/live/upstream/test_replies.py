"""What an upstream operator is told."""

from hypothesis import given
from hypothesis import strategies as st

from autoscaler.scaling.cluster import amounts
from autoscaler.scaling.external.protocol import Question, encode_reply
from autoscaler.scaling.live.upstream.published import Published
from autoscaler.scaling.live.upstream.replies import NO_CHANGE, UNKNOWN, reply_to
from recommender.resources import GIB
from tests.autoscaler.scaling.builders import view


def question(request=None, limit=None):
    return Question(
        namespace="team", workload="chat", request=amounts(request), limit=amounts(limit)
    )


def published(request=None, limit=None, reason="a reason"):
    return Published(request=amounts(request), limit=amounts(limit), reason=reason)


CHAT = view()
"""40/80 TFLOPS, 10/16 GiB."""


def test_a_raised_limit_is_told_with_the_request_that_stays():
    reply = reply_to(question(), [CHAT], [published(limit={"tflops": 120.0})])
    assert (reply.needs_more, reply.needs_less, reply.reason) == (True, False, "MoreNeeded")
    assert reply.message == "a reason"
    assert dict(reply.request) == {"tflops": 40.0}
    assert dict(reply.limit) == {"tflops": 120.0}


def test_a_lower_amount_needs_less():
    reply = reply_to(question(), [CHAT], [published(request={"tflops": 20.0})])
    assert (reply.needs_more, reply.needs_less, reply.reason) == (False, True, "LessNeeded")
    assert (dict(reply.request), dict(reply.limit)) == ({"tflops": 20.0}, {"tflops": 80.0})


def test_one_raise_among_decreases_needs_more():
    asked = published(request={"tflops": 20.0}, limit={"vram_bytes": 20 * GIB})
    reply = reply_to(question(), [CHAT], [asked])
    assert (reply.needs_more, reply.needs_less) == (True, False)
    assert dict(reply.limit) == {"tflops": 80.0, "vram_bytes": 20 * GIB}


def test_what_is_in_force_already_needs_nothing():
    assert reply_to(question(), [CHAT], []) == NO_CHANGE
    asked = published({"tflops": 40.0}, {"tflops": 80.0})
    assert reply_to(question(), [CHAT], [asked]) == NO_CHANGE


def test_what_the_operator_says_is_in_force_counts_before_what_its_workers_have():
    asked = published(request={"tflops": 60.0}, limit={"tflops": 120.0})
    known = question({"tflops": 60.0}, {"tflops": 120.0})
    assert reply_to(known, [CHAT], [asked]) == NO_CHANGE


def test_an_operator_that_counts_in_percent_is_told_tflops():
    reply = reply_to(
        question({"tflops_pct": 12.0}, {"tflops_pct": 25.0}),
        [CHAT],
        [published({"tflops": 60.0}, {"tflops": 120.0})],
    )
    assert (dict(reply.request), dict(reply.limit)) == ({"tflops": 60.0}, {"tflops": 120.0})


def test_of_several_gpu_models_the_highest_amount_is_told():
    views = [CHAT, view(gpu_model="H100")]
    asked = [published(limit={"tflops": 90.0}), published(limit={"tflops": 150.0}, reason="other")]
    reply = reply_to(question(), views, asked)
    assert dict(reply.limit) == {"tflops": 150.0}
    assert reply.message == "a reason; other"


def test_a_workload_without_workers_is_unknown():
    assert reply_to(question(), [], []) == UNKNOWN


AMOUNT = st.floats(0.5, 1e4)
BOTH = st.fixed_dictionaries({}, optional={"tflops": AMOUNT, "vram_bytes": AMOUNT.map(GIB.__mul__)})


@given(BOTH, BOTH, BOTH, BOTH)
def test_a_resource_is_told_with_request_and_limit_or_not_at_all(request, limit, asked, current):
    known = question(current, {name: 2 * value for name, value in current.items()})
    reply = reply_to(known, [CHAT], [published(request, {**limit, **asked})])
    assert reply.request.keys() == reply.limit.keys()
    assert all(0 < reply.request[name] <= reply.limit[name] for name in reply.limit)
    assert (reply.needs_more or reply.needs_less) == bool(reply.limit)
    encode_reply(reply)
