import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.agent.pages.abi import CTL_ENABLED, CTL_NO_CONTEXT, GPU_NO_TRIM, ONE_Q16, ONE_Q32
from autoscaler.agent.pages.errors import PageError
from autoscaler.agent.pages.terms import GPUTerms, Terms, encode
from tests.autoscaler.agent.pages.pages import GIB, POD_UID, terms


def test_terms_are_written_in_the_units_of_the_page():
    gpu = GPUTerms(
        uuid="GPU-0a",
        share=0.25,
        memory_limit_bytes=GIB,
        qos_rank=3,
        trim_k=1.5,
        burst_s=0.02,
        inflight_s=0.05,
        left_share=0.75,
        hidden_bytes=7,
    )

    record = encode(Terms(pod_uid=POD_UID, gpus=(gpu,))).gpu[0]

    assert (record.uuid, record.qos, record.flags) == (b"GPU-0a", 3, 0)
    assert (record.share_q32, record.trim_k_q16) == (ONE_Q32 // 4, ONE_Q16 * 3 // 2)
    assert (record.burst_ns, record.inflight_ns) == (20_000_000, 50_000_000)
    assert (record.memory_limit_bytes, record.hidden_bytes) == (GIB, 7)
    assert record.left_q32 == ONE_Q32 * 3 // 4


@pytest.mark.parametrize(("left_share", "written"), [(None, 0), (0.0, 1), (1.0, ONE_Q32)])
def test_what_others_leave_is_zero_only_where_it_is_not_known(left_share, written):
    gpu = GPUTerms(
        uuid="GPU-0a", share=0.5, memory_limit_bytes=GIB, qos_rank=1, left_share=left_share
    )

    assert encode(Terms(pod_uid=POD_UID, gpus=(gpu,))).gpu[0].left_q32 == written


def test_gpus_stand_in_the_order_of_the_worker():
    page = encode(terms(uuids=("GPU-b", "GPU-a")))

    assert (page.gpu_count, page.gpu[0].uuid, page.gpu[1].uuid) == (2, b"GPU-b", b"GPU-a")


def test_limits_are_enabled_and_contexts_count_unless_it_is_said():
    assert encode(terms()).flags == CTL_ENABLED
    assert encode(terms(counts_contexts=False)).flags == CTL_ENABLED | CTL_NO_CONTEXT


def test_costs_are_not_trimmed_where_a_share_is_none_of_time():
    gpu = terms().gpus[0]._replace(is_time_shared=False, trim_k=2.0)

    record = encode(Terms(pod_uid=POD_UID, gpus=(gpu,))).gpu[0]

    assert (record.trim_k_q16, record.flags) == (0, GPU_NO_TRIM)


@given(
    share=st.floats(0.0, 2.0),
    trim_k=st.floats(0.0, 10.0),
    memory_limit_bytes=st.integers(0, 2**70),
)
def test_nothing_that_is_stated_reads_as_not_set(share, trim_k, memory_limit_bytes):
    gpu = GPUTerms(
        uuid="GPU-0a",
        share=share,
        memory_limit_bytes=memory_limit_bytes,
        qos_rank=0,
        trim_k=trim_k,
    )

    record = encode(Terms(pod_uid=POD_UID, gpus=(gpu,))).gpu[0]

    assert 1 <= record.share_q32 <= ONE_Q32
    assert record.trim_k_q16 > 0
    assert 1 <= record.memory_limit_bytes < 2**64


@pytest.mark.parametrize("count", [0, 17])
def test_a_worker_has_one_to_sixteen_gpus(count):
    uuids = tuple(f"GPU-{i}" for i in range(count))

    with pytest.raises(PageError, match=f"{count} GPUs; allowed: 1 to 16"):
        encode(terms((0.5,) * count, uuids=uuids))


@pytest.mark.parametrize("uuid", ["", "x" * 64, "GPU-\0"])
def test_a_uuid_that_does_not_fit_is_refused(uuid):
    with pytest.raises(PageError, match=r"UUID of a GPU.*allowed: 1 to 63 bytes"):
        encode(terms((0.5,), uuids=(uuid,)))
