import time

import numpy as np
import pytest

from recommender.forecast.diagnosis import Regime
from recommender.forecast.named.reason import Reason
from recommender.policy.model import Dimension
from recommender.report import diagnosing
from recommender.report.diagnosing import NO_DIAGNOSES, asks, diagnosed, fitted_level
from recommender.resources import TFLOPS, VRAM
from tests.recommender.report.asking import asking
from tests.recommender.report.asking import asks as forecast
from tests.recommender.report.builders import (
    NAN,
    RESOURCES,
    Row,
    day_wave,
    evidence,
    policy,
    tflops,
    vram,
)

DAYS_3 = 3 * 288


def fleet(*policies, blocks=DAYS_3):
    """Return policies, resources and the evidence of workloads with a daily pattern."""
    wave = tuple(10 + 5 * day_wave(blocks, 1.0))
    rows = [Row(workload=str(i), tflops=tflops(blocks=wave)) for i, _ in enumerate(policies)]
    return policies, RESOURCES, evidence(rows, blocks=blocks)


def unmeasured(*policies, blocks=DAYS_3):
    nothing = Row(tflops=tflops(points=0, highest=NAN), vram=vram(points=0, highest=NAN))
    return policies, RESOURCES, evidence([nothing for _ in policies], blocks=blocks)


def test_only_series_that_ask_are_looked_into():
    found = diagnosed(*fleet(policy(), asking(limits=forecast()), policy()))

    assert list(found.patterns) == [(1, 0)]
    assert found.fits == {}
    assert found.notes == ()


def test_a_daily_wave_is_found_to_be_one():
    found = diagnosed(*fleet(asking(limits=forecast())))

    assert found.patterns[0, 0].regime is Regime.DAILY


@pytest.mark.parametrize(
    "asked",
    [
        asking(requests=forecast()),
        asking(limits=forecast()),
        asking(replicas=forecast()),
        asking(risk=0.01),
    ],
    ids=["requests", "limits", "replicas", "risk"],
)
def test_every_layer_and_a_promise_ask_for_compute(asked):
    assert asks(asked, TFLOPS)
    assert not asks(asked, VRAM)


def test_vram_asks_for_itself():
    asked = asking(requests=forecast(), dimension=Dimension.VRAM)

    assert asks(asked, VRAM)
    assert not asks(asked, TFLOPS)


def test_rows_that_somebody_looks_at_need_not_ask_and_others_are_left_out():
    found = diagnosed(*fleet(asking(limits=forecast()), policy()), rows=[1])

    assert list(found.patterns) == [(1, 0), (1, 1)]


def test_what_was_never_measured_is_not_looked_into():
    found = diagnosed(*unmeasured(asking(limits=forecast())), rows=[0])

    assert found.patterns == {}


def test_a_report_of_nothing_has_no_diagnoses():
    assert diagnosed(*unmeasured(asking(limits=forecast()), blocks=0)) == NO_DIAGNOSES


def test_models_by_name_are_fitted_where_there_is_a_clock():
    asked = asking(requests=forecast("ets", period_s=3600), limits=forecast("ridge"))
    found = diagnosed(*fleet(asked), clock=time.monotonic)

    assert list(found.fits) == [(0, 0, "requests")]
    fit = found.fits[0, 0, "requests"]
    assert fit.reason is None
    assert fit.mean.shape == (12,)
    assert fit.quantiles.shape == (1, 12)
    assert (fit.quantiles >= fit.mean - 1e-9).all()


def test_a_fit_of_too_short_a_history_gives_its_reason():
    found = diagnosed(*fleet(asking(limits=forecast("ets")), blocks=100), clock=time.monotonic)

    assert found.fits[0, 0, "limits"].reason is Reason.TOO_SHORT
    assert found.patterns[0, 0].reason is Reason.TOO_SHORT


def test_how_many_series_were_left_out_is_said():
    text = diagnosing.notes_of(places=diagnosing.MOST_PATTERNS + 3, fits=diagnosing.MOST_FITS + 2)

    assert text[0].startswith("3 series that ask for forecasts have no pattern here")
    assert text[1].startswith("2 models that are asked for by name were not fitted")


def test_a_fitted_model_is_asked_for_the_level_of_its_layer():
    rule = asking(risk=0.05).limits[Dimension.COMPUTE]

    assert fitted_level(rule) == 0.95
    assert fitted_level(policy().limits[Dimension.COMPUTE]) == 0.99
    assert fitted_level(policy().replicas) == diagnosing.HIGHEST_LEVEL


def test_looking_changes_nothing_of_the_evidence():
    policies, resources, measured = fleet(asking(limits=forecast()))
    before = measured.block_mean.copy()

    diagnosed(policies, resources, measured)

    assert np.array_equal(measured.block_mean, before, equal_nan=True)
