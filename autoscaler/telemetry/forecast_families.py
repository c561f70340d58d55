"""Metric families of forecasts; numbers are ``forecast_points``."""

from __future__ import annotations

from autoscaler.telemetry.family import Kind, family

STREAM_LABELS = ("layer", "resource", "ahead_seconds")

GATES = family(
    "forecast_gate_workloads",
    Kind.GAUGE,
    "Workloads that ask for a forecast by what its gate says: open (it counts), young, gaps, "
    "unproven, no_gain, step, histogram (only the calibrated histogram was asked for)",
    "layer",
    "resource",
    "gate",
)
PROMISED = family(
    "forecast_promised_ratio",
    Kind.GAUGE,
    "Share of minutes that may lie above what is in force, over all workloads with a riskTarget; "
    "absent where none was judged",
    "layer",
    "resource",
)
REALISED = family(
    "forecast_realised_ratio",
    Kind.GAUGE,
    "Share of minutes that did lie above what was in force, of the same workloads; half of it is "
    "of the last 7 days",
    "layer",
    "resource",
)
MODEL_ROWS = family(
    "forecast_model_rows", Kind.GAUGE, "Rows that a model was trained on", *STREAM_LABELS
)
MODEL_TRAINED = family(
    "forecast_model_trained_timestamp_seconds",
    Kind.GAUGE,
    "When a model was trained; absent where none is",
    *STREAM_LABELS,
)
MODEL_DURATION = family(
    "forecast_model_training_seconds",
    Kind.GAUGE,
    "How long the last training of a model took",
    *STREAM_LABELS,
)
MODEL_INFO = family(
    "forecast_model_info",
    Kind.GAUGE,
    "Always 1; the version is a digest of what the model was trained on",
    *STREAM_LABELS,
    "version",
)
TRAINING_FAILURES = family(
    "forecast_training_failures_total",
    Kind.COUNTER,
    "Trainings that gave no model, so that the one before goes on: too_long, ended (its process "
    "was), failed",
    "reason",
)
NAMED_SERIES = family(
    "forecast_named_series",
    Kind.GAUGE,
    "Series with a model that is fitted for them alone (ets, sarimax) by whether the last fit gave "
    "a forecast: fitted, failing (their model is auto); busy are those that are being fitted",
    "state",
)
NAMED_LEFT_OUT = family(
    "forecast_named_left_out_workloads",
    Kind.GAUGE,
    "Workloads that ask for such a model beyond those that get one; theirs is auto",
)
NAMED_FAILURES = family(
    "forecast_named_failures_total",
    Kind.COUNTER,
    "Fits of such models that gave no forecast: TooShort, TooManyGaps, Constant, NotConverged, "
    "TimedOut, Ended",
    "reason",
)

FORECAST_FAMILIES = (
    GATES,
    PROMISED,
    REALISED,
    MODEL_ROWS,
    MODEL_TRAINED,
    MODEL_DURATION,
    MODEL_INFO,
    TRAINING_FAILURES,
    NAMED_SERIES,
    NAMED_LEFT_OUT,
    NAMED_FAILURES,
)
