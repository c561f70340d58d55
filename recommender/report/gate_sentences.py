"""Why a forecast counts or not, in words.

The steps of a decision say what became of the amount; this says how the forecast stands.
"""

from __future__ import annotations

from recommender.forecast.gate import (
    CLOSES_RATIO,
    LEAST_COVERAGE,
    LEAST_HOURS,
    LEAST_WINDOWS,
    OPENS_RATIO,
    STEP_BLOCKS,
    Gate,
)
from recommender.sentences import percent

NOT_MADE = "No forecast was made for this report."


def gate_sentence(gate: Gate, gain_ratio: float | None, *, has_promise: bool) -> str:
    """Return one or two sentences; ``has_promise`` says that the layer has a ``riskTarget``."""
    if gate is Gate.OPEN:
        return _open(gain_ratio)
    if gate is Gate.NOT_ASKED:
        return "Nothing is forecast here."
    instead = (
        "measured use, calibrated to the promise," if has_promise else "the rule on measured use"
    )
    if gate is Gate.HISTOGRAM:
        return f"No model but the histogram is asked for: {instead} decides."
    return (
        f"The forecast does not count: {_why_not(gate, gain_ratio)}. Until then {instead} decides."
    )


def error_beside_histogram(gain_ratio: float) -> str:
    """Return how the forecast's error compares with the histogram's."""
    if abs(gain_ratio) < 0.0005:
        return "as large as the histogram's"
    side = "smaller" if gain_ratio > 0 else "larger"
    return f"{percent(abs(gain_ratio))} {side} than the histogram's"


def _open(gain_ratio: float | None) -> str:
    if gain_ratio is None:
        return "The forecast counts."
    compared = error_beside_histogram(gain_ratio)
    return f"The forecast counts: on this workload's own past its error is {compared}."


def _why_not(gate: Gate, gain_ratio: float | None) -> str:
    if gate is Gate.NO_GAIN:
        least = percent(CLOSES_RATIO - OPENS_RATIO)
        if gain_ratio is None:
            return f"its error is not {least} smaller than the histogram's, as it must be"
        return (
            f"on this workload's own past its error is {error_beside_histogram(gain_ratio)}, and "
            f"it must be {least} smaller"
        )
    return {
        Gate.YOUNG: f"there are less than {LEAST_HOURS} h of use, which is the least",
        Gate.GAPS: f"less than {percent(LEAST_COVERAGE)} of the last {LEAST_HOURS} h was measured",
        Gate.UNPROVEN: f"fewer than {LEAST_WINDOWS:.0f} of its windows were judged so far",
        Gate.STEP: f"the last {STEP_BLOCKS} windows were above all that was expected",
    }[gate]
