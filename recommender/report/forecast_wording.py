"""Forecasts and patterns of an item as people read them; shared by the texts and the page.

What was promised, what came of it, why a forecast counts or does not, and what the days look like.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from recommender.report.wording import amount_text, change_text, utc
from recommender.sentences import counted, duration, number, percent
from recommender.usage.store import DAY_S

if TYPE_CHECKING:
    from recommender.report.forecast_blocks import FittedModel, ItemForecast, ItemPattern
    from recommender.report.model import Item

LEAST_EXPECTED_MINUTES = 5.0
"""A promise that expects fewer minutes above cannot be judged yet."""
KEPT_RATIO = 1.1
"""Realised over promised up to which a promise is kept: shares of few minutes are not exact."""
LEAST_MOVED_RATIO = 0.02
"""Of the mean: what the trend moved use by in all of the history, from which it is told."""
_STEPS_SHOWN = 3
_MISSED_SHOWN = 3


def forecast_head(forecast: ItemForecast) -> str:
    """Return the layer and what it asks for."""
    if not forecast.is_asked:
        return f"{forecast.layer}: no forecast is asked for"
    return f"{forecast.layer}: model {forecast.model}, {duration(forecast.period_s)} ahead"


def forecast_lines(item: Item, forecast: ItemForecast) -> Iterator[str]:
    """Yield the sentences below the head, most important first."""
    yield forecast.sentence
    outcome = outcome_text(forecast)
    if outcome:
        yield outcome
    if forecast.weights:
        named = ", ".join(f"{name} {percent(share)}" for name, share in forecast.weights.items())
        yield f"weights: {named}"
    if forecast.fitted is not None:
        yield fitted_text(item, forecast.fitted)


def outcome_text(forecast: ItemForecast) -> str:
    """Return what was promised and what came of it; empty where neither is known."""
    promised, realised = forecast.promised_share, forecast.realised_share
    came = ""
    if realised is not None and forecast.judged_minutes is not None:
        minutes = number(round(forecast.judged_minutes), 12)
        came = f"{percent(realised)} of {minutes} minutes"
    if promised is None:
        return f"{came} were above what was in force" if came else ""
    text = f"promised: at most {percent(promised)} of the minutes above what is in force"
    return f"{text}; came: {came or 'nothing was judged'}{_judgement(forecast)}"


def _judgement(forecast: ItemForecast) -> str:
    ratio = missed_ratio(forecast)
    if ratio is None:
        return ", too few to judge" if forecast.realised_share is not None else ""
    return f", missed: {number(ratio, 2)} times as many" if ratio > KEPT_RATIO else ", kept"


def missed_ratio(forecast: ItemForecast) -> float | None:
    """Return the minutes above as a multiple of those promised; None where nothing can be told."""
    promised, realised = forecast.promised_share, forecast.realised_share
    if promised is None or realised is None:
        return None
    if promised * (forecast.judged_minutes or 0.0) < LEAST_EXPECTED_MINUTES:
        return None
    return realised / promised


def forecasts_summary(items: Sequence[Item]) -> str:
    """Return how all forecasts and promises stand, in one line; empty where none is asked for."""
    every = [(item, forecast) for item in items for forecast in item.forecasts]
    asked = [forecast for _, forecast in every if forecast.is_asked]
    judged = [(item, each) for item, each in every if missed_ratio(each) is not None]
    missed = [
        f"{item.name} {item.resource} {each.layer}"
        for item, each in judged
        if (missed_ratio(each) or 0.0) > KEPT_RATIO
    ]
    parts = []
    if asked:
        open_ = sum(forecast.gate == "OPEN" for forecast in asked)
        verb = "counts" if open_ == 1 else "count"
        parts.append(f"{counted(len(asked), 'forecast')} asked for, of which {open_} {verb}")
    if judged:
        parts.append(f"{counted(len(judged), 'promise')} judged, {len(missed)} missed")
    names = ", ".join(missed[:_MISSED_SHOWN])
    return "; ".join(parts) + (f": {names}" if missed else "")


def fitted_text(item: Item, fitted: FittedModel) -> str:
    """Return what a model that was fitted to this series alone expects, or why it does not."""
    name = f"{fitted.model}, fitted to this series and beside what is recommended"
    if fitted.mean is None:
        return f"{name}: no value. {fitted.sentence}".rstrip()
    return (
        f"{name}: {amount_text(item.resource, fitted.mean)} on "
        f"average over the next {duration(fitted.period_s)}, at most "
        f"{amount_text(item.resource, fitted.highest)} ({percent(fitted.level, 3)} quantile)"
    )


def pattern_lines(item: Item, pattern: ItemPattern) -> Iterator[str]:
    """Yield what the days have in common, or why nothing is known of it."""
    if pattern.regime is None:
        yield f"none: {pattern.sentence}"
        return
    yield f"{pattern.regime} ({pattern.rests_on}: {percent(pattern.figure)})"
    yield from _seasons(pattern)
    if pattern.trend_per_day and _is_worth_telling(item, pattern):
        sign = "+" if pattern.trend_per_day > 0 else "-"
        per_day = amount_text(item.resource, abs(pattern.trend_per_day))
        yield f"trend: {sign}{per_day} a day, over {duration(pattern.span_s)}"
    yield from (
        f"step at {utc(step.at_s)}: {change_text(item.resource, step.before, step.after)}"
        for step in pattern.steps[-_STEPS_SHOWN:]
    )


def _is_worth_telling(item: Item, pattern: ItemPattern) -> bool:
    """Return whether the trend moved use by more than noise does in every history."""
    moved = abs(pattern.trend_per_day or 0.0) * pattern.span_s / DAY_S
    return moved >= LEAST_MOVED_RATIO * (item.evidence.mean or 0.0)


def _seasons(pattern: ItemPattern) -> Iterator[str]:
    """Yield the seasons that the first line has not told."""
    seasons = (
        ("daily", "the time of day", pattern.day_strength_ratio),
        ("weekly", "the day of the week", pattern.week_strength_ratio),
    )
    for regime, name, ratio in seasons:
        if ratio is not None and pattern.regime != regime:
            yield f"{name} explains {percent(ratio)} of what the trend leaves"
