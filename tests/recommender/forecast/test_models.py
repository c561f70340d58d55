import subprocess
import sys

import pytest

from recommender.errors import InvalidValueError
from recommender.forecast.models import FITTED_BY_NAME, MODELS, ModelName, Runs, model_named
from recommender.forecast.named.fits import FITS


def test_every_name_has_a_model_with_a_sentence():
    assert list(ModelName) == list(MODELS)
    assert [model.name for model in MODELS.values()] == list(ModelName)
    assert [
        model.name
        for model in MODELS.values()
        if not (model.meaning[0].isupper() and model.meaning.endswith("."))
    ] == []


def test_models_that_are_fitted_by_name_have_a_fit():
    assert set(FITS) == set(FITTED_BY_NAME)


def test_a_model_that_runs_by_name_only_is_fitted_by_name():
    named = {model.name for model in MODELS.values() if model.runs is Runs.NAMED}
    assert named == {ModelName.ETS, ModelName.SARIMAX}
    assert named < set(FITTED_BY_NAME)


@pytest.mark.parametrize("name", ["", "  ", "auto", "AUTO"])
def test_no_name_means_auto(name):
    assert model_named(name).name is ModelName.AUTO


@pytest.mark.parametrize("name", list(ModelName))
def test_a_name_finds_its_model(name):
    assert model_named(name.value).name is name


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(InvalidValueError) as refused:
        model_named("prophet")
    assert str(refused.value) == (
        "model: 'prophet' is not valid; allowed: auto, histogram, seasonal, holt-winters, ets, "
        "sarimax, ridge, gbm"
    )


def test_names_are_known_without_a_heavy_library():
    code = (
        "import sys, recommender.forecast.models; "
        "print({'numpy', 'pandas', 'sklearn', 'statsmodels'} & set(sys.modules))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "set()\n"
