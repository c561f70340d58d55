import numpy as np
import pytest

from recommender.backtest.actuation import InForce
from recommender.backtest.costs import costs_of
from recommender.backtest.replayed_fleet import unbounded_workloads
from recommender.decision import Layer
from recommender.pricing import Prices
from recommender.resources import COMPUTE_PERCENT, GIB, TFLOPS, VRAM
from tests.recommender.backtest.frames import HOUR_S, MIDNIGHT_S, frame_of

BOTH = (TFLOPS, VRAM)
CARD = np.array([[100.0, 80 * GIB]])
NAN = float("nan")
GPU_HOUR = Prices(per_gpu_hour=4.0)


def frame(workers=1, hours=4):
    use = np.ones((2, workers, hours))
    series = [("team", "chat", str(i)) for i in range(workers)]
    return frame_of(use, resources=BOTH, step_s=HOUR_S, series=series)


def held(*amounts, layer=Layer.REQUESTS):
    """Return amounts per hour, each (TFLOPS, GiB), or one number of replicas."""
    since_s = MIDNIGHT_S + HOUR_S * np.arange(len(amounts))
    if layer is Layer.REPLICAS:
        return {layer: InForce(since_s=since_s, amounts=np.array(amounts, float)[:, None])}
    table = np.array(amounts, float) * [1.0, GIB]
    return {layer: InForce(since_s=since_s, amounts=table[:, None, :])}


def costs(*amounts, usage=None, prices=GPU_HOUR, **stated):
    usage = frame() if usage is None else usage
    workloads = unbounded_workloads(usage.workloads, 2, **{"card": CARD, **stated})
    return costs_of(usage, workloads, [prices], list(amounts))


def test_workers_hold_the_larger_share_of_their_device():
    (found,) = costs(held((25, 8), (25, 40)))
    assert found.worker_hours == pytest.approx([4])
    assert found.gpu_hours == pytest.approx([0.25 + 3 * 0.5])
    assert found.money == pytest.approx([4 * (0.25 + 3 * 0.5)])
    assert found.is_estimated.tolist() == [True]


def test_prices_per_resource_charge_what_is_requested_and_part_of_the_limit():
    prices = Prices(per_tflops_hour=0.1, per_vram_gib_hour=0.01, limit_over_request_ratio=0.5)
    amounts = {**held((20, 10)), **held((40, 30), layer=Layer.LIMITS)}
    (found,) = costs(amounts, prices=prices)
    assert found.money == pytest.approx([4 * (30 * 0.1 + 20 * 0.01)])
    assert found.is_estimated.tolist() == [False]


def test_workers_and_devices_multiply():
    (found,) = costs(held((25, 8)), usage=frame(workers=3), gpu_count=np.array([2]))
    assert found.worker_hours == pytest.approx([12])
    assert found.gpu_hours == pytest.approx([0.25 * 12 * 2])


def test_replicas_that_were_replayed_take_the_place_of_the_measured_workers():
    amounts = {**held((25, 8)), **held(2, 5, layer=Layer.REPLICAS)}
    (found,) = costs(amounts, usage=frame(workers=3))
    assert found.worker_hours == pytest.approx([2 + 3 * 5])


def test_a_policy_pays_for_what_it_leaves_as_it_is_stated():
    stated = {"stated_request": np.array([[50.0, 8 * GIB]])}
    alone, _ = costs(held((NAN, 8)), held((25, 8)), **stated)
    assert alone.gpu_hours == pytest.approx([0.5 * 4])


def test_a_request_that_is_not_stated_is_the_limit():
    (found,) = costs({}, stated_limit=np.array([[50.0, 8 * GIB]]))
    assert found.gpu_hours == pytest.approx([0.5 * 4])


def test_costs_count_from_the_time_on_in_which_all_policies_are_known():
    late = held((NAN, NAN), (NAN, NAN), (50, 8))
    first, second = costs(late, held((25, 8)))
    assert first.worker_hours == pytest.approx([2])
    assert second.worker_hours == pytest.approx([2])
    assert (first.money / second.money) == pytest.approx([2])


def test_without_a_price_the_hours_remain():
    (found,) = costs(held((25, 8)), prices=None)
    assert found.gpu_hours == pytest.approx([1.0])
    assert np.isnan(found.money).all()


def test_a_card_that_is_not_known_leaves_no_share():
    (found,) = costs(held((25, 8)), card=np.full((1, 2), NAN))
    assert np.isnan(found.gpu_hours).all()
    assert found.worker_hours == pytest.approx([4])


def test_policies_that_hold_different_resources_have_no_costs_to_compare():
    compute_only = held((25, NAN))
    for found in costs(compute_only, held((25, 40))):
        assert np.isnan(found.gpu_hours).all()
        assert np.isnan(found.money).all()


def test_steps_without_a_sample_cost_nothing():
    use = np.ones((2, 1, 4))
    use[:, :, 1] = NAN
    usage = frame_of(use, resources=BOTH, step_s=HOUR_S, series=[("team", "chat", "0")])
    (found,) = costs(held((25, 8)), usage=usage)
    assert found.worker_hours == pytest.approx([3])


def test_percent_of_a_device_is_a_share_without_a_card():
    usage = frame_of(np.ones((1, 2)), resources=(COMPUTE_PERCENT,), step_s=HOUR_S)
    amounts = {
        Layer.REQUESTS: InForce(since_s=np.array([MIDNIGHT_S]), amounts=np.full((1, 1, 1), 30.0))
    }
    (found,) = costs_of(usage, unbounded_workloads(usage.workloads, 1), [GPU_HOUR], [amounts])
    assert found.money == pytest.approx([2 * 0.3 * 4])


def test_without_a_decision_there_is_no_cost():
    none = InForce(since_s=np.empty(0, np.int64), amounts=np.empty((0, 1, 2)))
    (found,) = costs({Layer.REQUESTS: none})
    assert found.worker_hours.tolist() == [0]
    assert np.isnan(found.gpu_hours).all()
