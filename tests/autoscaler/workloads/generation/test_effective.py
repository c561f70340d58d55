"""Settings in effect, as people see them."""

from autoscaler.workloads.generation.effective import LONGEST, effective_settings, stated_properties
from recommender.policy.resolve import resolve
from recommender.policy.written import WrittenConfig, written_config

RULES = [{"name": "night", "enable": True, "start": "0 22 * * *", "end": "0 6 * * *"}]


def effective(spec=None, *, written=None, **chosen):
    resolved = resolve(profile=spec or {}, profile_name="small")
    return effective_settings(
        resolved.stated,
        stated_properties(resolved.stated),
        written or written_config(resolved.settings),
        {key.replace("_", "-"): source for key, source in chosen.items()},
    )


def test_every_stated_value_has_its_source():
    spec = {"resources": {"requests": {"tflops": "10"}}, "gpuCount": 2, "isLocalGPU": True}
    assert effective(spec) == {
        "tflops-request": {"value": "10", "source": "profile small"},
        "gpu-count": {"value": "2", "source": "profile small"},
        "is-local-gpu": {"value": "true", "source": "profile small"},
    }


def test_what_was_found_at_admission_is_shown_in_place_of_the_annotation():
    spec = {"resources": {"requests": {"tflops": "10"}}}
    assert effective(spec, tflops_request="quota q")["tflops-request"]["source"] == "quota q"


def test_lists_are_shown_as_they_are_written():
    found = effective({"autoScalingConfig": {"cronScalingRules": RULES}})
    assert found["autoScalingConfig.cronScalingRules"]["value"] == (
        '[{"name": "night", "enable": true, "start": "0 22 * * *", "end": "0 6 * * *"}]'
    )


def test_what_is_too_long_for_the_api_is_cut():
    written = WrittenConfig(config={"mode": "x" * 2000}, sources={"mode": "y" * 2000})
    shown = effective(written=written)["autoScalingConfig.mode"]
    assert (len(shown["value"]), len(shown["source"])) == (LONGEST, LONGEST)


def test_nothing_is_shown_where_nobody_states_anything():
    assert effective() == {}
