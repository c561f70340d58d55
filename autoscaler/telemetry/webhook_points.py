"""The numbers of admission, from the snapshots of the webhook's parts."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from typing import TYPE_CHECKING

from autoscaler.telemetry import webhook_families as families
from autoscaler.telemetry.family import Distribution, Point
from autoscaler.webhook.counts import DURATION_BUCKETS_S

if TYPE_CHECKING:
    from autoscaler.webhook.counts import AdmissionCountsSnapshot
    from autoscaler.webhook.serving_certificate import CertificateCounts


def admission_points(counts: AdmissionCountsSnapshot) -> Iterator[Point | Distribution]:
    """Return the numbers of what was asked and answered."""
    for labels, number in counts.requests.items():
        yield Point(
            family=families.ADMISSION_REQUESTS, value=number, labels=tuple(map(str, labels))
        )
    ends = [*map(str, DURATION_BUCKETS_S), "+Inf"]
    for webhook, numbers in counts.durations.items():
        yield Distribution(
            family=families.ADMISSION_DURATION,
            buckets=tuple(zip(ends, accumulate(numbers), strict=True)),
            total=counts.duration_sums_s[webhook],
            labels=(str(webhook),),
        )
    for outcome, number in counts.live.items():
        yield Point(family=families.ADMISSION_LIVE_GETS, value=number, labels=(str(outcome),))


def certificate_points(counts: CertificateCounts) -> Iterator[Point]:
    """Return the numbers of the certificate that is served with."""
    if counts.expires_s is not None:
        yield Point(family=families.CERTIFICATE_EXPIRY, value=counts.expires_s)
    yield Point(family=families.CERTIFICATE_LOADS, value=counts.loads)
    yield Point(family=families.CERTIFICATE_REFUSALS, value=counts.refusals)
