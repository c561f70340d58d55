from prometheus_client.parser import text_string_to_metric_families

from autoscaler.telemetry.exposition import registry_of, render
from autoscaler.telemetry.family import PREFIX
from autoscaler.telemetry.webhook_families import ADMISSION_LIVE_GETS, ADMISSION_REQUESTS
from autoscaler.webhook.counts import AdmissionCounts, LiveOutcome, Outcome, Webhook
from tests.autoscaler.telemetry.parts import certificate


def exported(**parts):
    text = render(registry_of(**parts)).decode()
    return {
        (sample.name.removeprefix(PREFIX), *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_requests_are_counted_by_webhook_and_outcome():
    counts = AdmissionCounts()
    counts.observe(Webhook.PODS, Outcome.PATCHED, duration_s=0.002)
    counts.observe(Webhook.PODS, Outcome.REFUSED, duration_s=0.3)
    counts.observe(Webhook.TEMPLATES, Outcome.ALLOWED, duration_s=0.001)

    found = exported(admissions=counts.snapshot)

    def requests(webhook, outcome):
        return found["admission_requests_total", ("outcome", outcome), ("webhook", webhook)]

    assert [requests("pods", outcome) for outcome in Outcome] == [0.0, 1.0, 1.0, 0.0, 0.0]
    assert requests("templates", "allowed") == 1.0
    assert requests("objects", "defect") == 0.0


def test_each_webhook_has_a_distribution_of_its_own():
    counts = AdmissionCounts()
    counts.observe(Webhook.PODS, Outcome.PATCHED, duration_s=0.002)
    counts.observe(Webhook.PODS, Outcome.PATCHED, duration_s=9.0)

    found = exported(admissions=counts.snapshot)

    def up_to(end, webhook):
        return found["admission_duration_seconds_bucket", ("le", end), ("webhook", webhook)]

    assert [up_to(end, "pods") for end in ("0.001", "0.0025", "5.0", "+Inf")] == [0, 1, 1, 2]
    assert up_to("+Inf", "objects") == 0
    assert found["admission_duration_seconds_sum", ("webhook", "pods")] == 9.002


def test_live_looks_are_counted_by_outcome():
    counts = AdmissionCounts()
    counts.looked(LiveOutcome.FOUND)
    counts.looked(LiveOutcome.FOUND)

    found = exported(admissions=counts.snapshot)

    assert found["admission_live_gets_total", ("outcome", "found")] == 2.0
    assert found["admission_live_gets_total", ("outcome", "timeout")] == 0.0


def test_the_meanings_name_every_value_of_a_label():
    meanings = ADMISSION_REQUESTS.meaning, ADMISSION_LIVE_GETS.meaning
    assert [name for name in (*Webhook, *Outcome) if name not in meanings[0]] == []
    assert [name for name in LiveOutcome if name not in meanings[1]] == []


def test_the_end_of_a_certificate_is_absent_before_the_first():
    name = ("serving_certificate_expiry_timestamp_seconds",)

    assert exported(certificate=certificate)[name] == 2e9
    assert name not in exported(certificate=lambda: certificate(expires_s=None))
