"""What a scrape of a live cluster reads: less use where that is to be shown, else what is true."""

from __future__ import annotations

import urllib3

from tests.cluster.live_scrapes import lowered, scrapes

LABELS = 'gpu_model="A100",namespace="team",node="n",worker="chat-0",workload="chat"'
TEXT = f"""# HELP tf_worker_memory_bytes Of a worker.
# TYPE tf_worker_memory_bytes gauge
tf_worker_memory_bytes{{{LABELS}}} 1e+10
tf_worker_compute_tflops{{method="sm_time",{LABELS}}} 100.0
tf_worker_vram_denied_total{{{LABELS}}} 4.0
tf_gpu_memory_bytes{{uuid="GPU-1"}} 1e+10
"""


def test_the_use_of_a_workload_is_lowered_and_what_was_refused_is_not():
    text = lowered(TEXT, {("team", "chat"): 0.25}.__getitem__)

    assert text.replace("2500000000.0", "1e+10").replace("25.0", "100.0") == TEXT
    assert f"tf_worker_memory_bytes{{{LABELS}}} 2500000000.0" in text
    assert f'tf_worker_compute_tflops{{method="sm_time",{LABELS}}} 25.0' in text


def test_what_does_not_lie_passes_as_it_is():
    assert lowered(TEXT, lambda _key: 1.0) == TEXT


def silent():
    raise urllib3.exceptions.HTTPError("nobody answers")


def test_agents_that_do_not_answer_fail_the_scrape_of_their_own():
    with scrapes([lambda: TEXT, silent], lambda _key: 1.0) as targets:
        answers = [urllib3.request("GET", f"http://{each}/metrics") for each in targets]

    assert [answer.status for answer in answers] == [200, 502]
    assert answers[0].data.decode() == TEXT
