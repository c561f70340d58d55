"""Rules for replicas, cron windows, the external scaler and scale-to-zero, from settings."""

from __future__ import annotations

import math
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

from recommender.amounts import ResourceAmounts
from recommender.cron import check_cron
from recommender.gpu_models import find_gpu_model
from recommender.policy.model import CronRule, Dimension, ExternalScaler, Mode, ReplicaRule
from recommender.policy.predicting import prediction_of
from recommender.quantities import parse_quantity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from recommender.policy.settings import Item
    from recommender.policy.taking import Taking

REPLICAS = "autoSetReplicas"
TOLERANCE = 0.1
"""Per direction, as the HorizontalPodAutoscaler's default."""
NEEDS_MODEL = "percent of a GPU needs a known GPU model; state gpuModel or use tflops"
"""Message of a problem that a pod with a model does not have."""
_DIMENSION = {"tflops": Dimension.COMPUTE, "vram_bytes": Dimension.VRAM}


def replica_rule(taking: Taking) -> ReplicaRule:
    """Return auto-replicas."""
    least, most = _bounds(taking)
    remainder = _remainder(taking)
    return ReplicaRule(
        is_enrolled=bool(taking.take(f"{REPLICAS}.enable", "replicas.is_enrolled")),
        mode=_mode(taking),
        target_of_limit=_number(taking, "targetTFlopsOfLimits", "target_of_limit"),
        tolerance_up=TOLERANCE,
        tolerance_down=TOLERANCE,
        scale_up_step=_number(taking, "scaleUpStep", "scale_up_step"),
        scale_down_step=remainder,
        scale_up_cooldown_s=int(_number(taking, "scaleUpCoolDownTime", "scale_up_cooldown_s")),
        scale_down_cooldown_s=int(
            _number(taking, "scaleDownCoolDownTime", "scale_down_cooldown_s")
        ),
        min_replicas=least,
        max_replicas=most,
        evaluation_s=int(_number(taking, "evaluationPeriod", "evaluation_s")),
        prediction=prediction_of(taking, REPLICAS, "replicas"),
    )


def cron_rules(taking: Taking, *, gpu_model: str) -> tuple[CronRule, ...]:
    """Return all cron rules; one with a problem is kept and disabled, the others are not touched.

    ``gpu_model`` turns percent of a GPU into TFLOPS.
    """
    setting = taking.settings.get("cronScalingRules")
    if setting is None:
        return ()
    items = cast("tuple[Item, ...]", setting.value)
    taking.note(
        " and ".join(dict.fromkeys(item.source for item in items)) or setting.source, "cron"
    )
    rules: list[CronRule] = []
    for i, item in enumerate(items):
        name = item.name or f"rule-{i + 1}"
        taken = {rule.name for rule in rules}
        rules.append(_cron_rule(taking, item, name, gpu_model, is_second=name in taken))
    return tuple(rules)


def external_scaler(taking: Taking) -> ExternalScaler | None:
    """Return the external scaler; None where none is configured."""
    if not taking.settings.has("externalScaler"):
        return None

    def take(name: str, attribute: str) -> object:
        return taking.take(f"externalScaler.{name}", f"external.{attribute}")

    url = str(take("url", "url"))
    is_enabled = bool(take("enable", "is_enabled"))
    if is_enabled and not url:
        taking.problem(
            taking.where("externalScaler.enable"),
            "needs a usable url beside it; the external scaler is not asked until then",
        )
    return ExternalScaler(
        is_enabled=is_enabled and bool(url),
        url=url,
        secret_namespace=cast("str | None", take("apiKeySecretRef.namespace", "secret_namespace")),
        secret_name=cast("str | None", take("apiKeySecretRef.name", "secret_name")),
        initial_delay_s=cast("int", take("initialDelayPeriod", "initial_delay_s")),
        interval_s=cast("int", take("interval", "interval_s")),
    )


def scale_to_zero(taking: Taking) -> Mapping[str, object] | None:
    """Return ``scaleToZero`` as checked values by field path; None where it is not set."""
    prefix = "scaleToZero."
    kept: dict[str, object] = {}
    for path, setting in taking.settings.values.items():
        if not path.startswith(prefix):
            continue
        taking.note(setting.source, "scale_to_zero")
        value = setting.value
        if isinstance(value, tuple):
            value = tuple(MappingProxyType(dict(item.values)) for item in value)
        kept[path.removeprefix(prefix)] = value
    if not kept:
        return None
    taking.problem("scaleToZero", "is checked and kept, and not acted on yet", is_warning=True)
    return MappingProxyType(kept)


def _number(taking: Taking, name: str, attribute: str) -> float:
    return cast("float", taking.take(f"{REPLICAS}.{name}", f"replicas.{attribute}"))


def _mode(taking: Taking) -> Mode:
    return taking.mode(REPLICAS, "replicas.mode")


def _remainder(taking: Taking) -> float:
    """Return the smallest share that is left after a minute; a value above 1 is a divisor."""
    step = _number(taking, "scaleDownStep", "scale_down_step")
    if step == 1:
        where = taking.where(f"{REPLICAS}.scaleDownStep")
        taking.problem(
            where,
            "1 would never remove a replica; allowed: below 1 (what is left after a minute) or "
            "above 1 (a divisor)",
            consequence=f"until it is corrected, nothing is changed by {REPLICAS}",
        )
        taking.hold(REPLICAS, where)
    return 1 / step if step > 1 else step


def _bounds(taking: Taking) -> tuple[int, int | None]:
    least = int(_number(taking, "minReplicas", "min_replicas"))
    most = cast("int | None", taking.take(f"{REPLICAS}.maxReplicas", "replicas.max_replicas"))
    if most is not None and least > most:
        where = taking.where(f"{REPLICAS}.minReplicas") or f"{REPLICAS}.minReplicas"
        taking.problem(
            where,
            f"{least} is above maxReplicas {most}",
            consequence=f"until it is corrected, nothing is changed by {REPLICAS}",
        )
        taking.hold(REPLICAS, where)
        least = most
    return least, most


def _cron_rule(
    taking: Taking, item: Item, name: str, gpu_model: str, *, is_second: bool
) -> CronRule:
    def text(key: str, default: str = "") -> str:
        return str(item.values.get(key, default))

    start, end, time_zone = text("start"), text("end"), text("timeZone", "UTC")
    found = [str(problem) for problem in item.problems if not problem.is_warning]
    is_empty = bool(found) and not item.values
    new = [] if is_empty else _window_problems(item.path, start, end, time_zone)
    if is_second:
        new.append((f"{item.path}.name", f"{name!r} is the name of an earlier rule"))
    amounts: dict[str, dict[Dimension, float]] = {}
    for side in ("requests", "limits"):
        amounts[side], problem = _floors(item, side, gpu_model)
        new += [problem] if problem else []
    new += _size_problems(item, amounts)
    for path, message in new:
        taking.problem(path, message, consequence="the rule is not used until it is corrected")
    found += [f"{path}: {message}" for path, message in new]
    return CronRule(
        name=name,
        is_enabled=bool(item.values.get("enable", False)),
        start=start,
        end=end,
        time_zone=time_zone,
        requests=MappingProxyType(amounts["requests"]),
        limits=MappingProxyType(amounts["limits"]),
        replicas=cast("int | None", item.values.get("desiredReplicas")),
        problem="; ".join(found) or None,
    )


def _window_problems(path: str, start: str, end: str, time_zone: str) -> list[tuple[str, str]]:
    found = []
    if (text := check_cron("* * * * *", time_zone)) is not None:
        found.append((f"{path}.timeZone", text))
        time_zone = "UTC"
    for key, expression in (("start", start), ("end", end)):
        if not expression:
            found.append((f"{path}.{key}", "is missing; a rule needs start and end"))
        elif text := check_cron(expression, time_zone):
            found.append((f"{path}.{key}", text))
    if start and start == end:
        found.append((f"{path}.end", "equals start, so that the rule would never be active"))
    return found


def _floors(
    item: Item, side: str, gpu_model: str
) -> tuple[dict[Dimension, float], tuple[str, str] | None]:
    amounts = _stated(item, side)
    if amounts.compute_percent is not None:
        model = find_gpu_model(gpu_model)
        if model is None:
            return {}, (f"{item.path}.desiredResources.{side}.compute", NEEDS_MODEL)
        amounts = amounts.in_tflops(Decimal(str(model.fp16_tflops)))
    stated = amounts.base_units()
    return {_DIMENSION[name]: value for name, value in stated.items() if value > 0}, None


def _stated(item: Item, side: str) -> ResourceAmounts:
    return cast("ResourceAmounts", item.values.get(f"desiredResources.{side}", ResourceAmounts()))


def _size_problems(
    item: Item, amounts: Mapping[str, Mapping[Dimension, float]]
) -> list[tuple[str, str]]:
    found = list(_below_request(item, amounts))
    stated = [_stated(item, side).base_units() for side in amounts]
    asks = any(any(each.values()) for each in stated) or "desiredReplicas" in item.values
    if not asks and not item.problems:
        found.append((item.path, "asks for nothing; give desiredResources or desiredReplicas"))
    return found


def _below_request(
    item: Item, amounts: Mapping[str, Mapping[Dimension, float]]
) -> Iterator[tuple[str, str]]:
    """Yield where a limit is below its request; ``amounts`` are those in base units."""
    spelt, allowed = _stated(item, "limits").to_mapping(), _stated(item, "requests").to_mapping()
    below = {
        name: name
        for name in spelt.keys() & allowed.keys()
        if 0 < parse_quantity(spelt[name]) < parse_quantity(allowed[name])
    }
    compute = Dimension.COMPUTE
    if amounts["limits"].get(compute, math.inf) < amounts["requests"].get(compute, 0.0):
        names = [next(n for n in ("tflops", "compute") if n in each) for each in (spelt, allowed)]
        below |= {names[0]: names[1]}
    for name, request in sorted(below.items()):
        message = f"{spelt[name]} is below requests.{request}, {allowed[request]}"
        yield f"{item.path}.desiredResources.limits.{name}", f"{message}; allowed: at least as much"
