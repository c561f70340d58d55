"""A control page that somebody could write after all: as a privileged container can."""

import pytest

from autoscaler.agent.accounting.finding import FindingKind
from autoscaler.agent.pages.abi import CTL_BYTES, ONE_Q16, ONE_Q32, Ctl
from autoscaler.agent.pages.errors import PageError
from autoscaler.agent.pages.folders import folders_within, make_folders
from autoscaler.agent.running.enforcing import Enforcement
from autoscaler.agent.running.limits import LimitRules
from autoscaler.agent.running.turn_counts import TurnCounts
from autoscaler.agent.sharing.trim import LEAST_K, MOST_K
from tests.autoscaler.agent.attacks.scene import TURN_S, Scene
from tests.autoscaler.agent.running.moments import GIB

LOOK_S = 0.2


@pytest.fixture
def scene(tmp_path):
    made = Scene(tmp_path / "pods")
    made.tenant(wanted=1.0)
    made.run(1.0)
    made.begin_attack()
    return made


@pytest.fixture
def tenant(scene):
    return scene.tenants[0]


def _forge(tenant, **changes):
    file = tenant.served.folders.control / "ctl"
    page = Ctl.from_buffer_copy(file.read_bytes())
    for name, value in changes.items():
        setattr(page if hasattr(page, name) else page.gpu[0], name, value)
    with file.open("r+b") as opened:
        opened.write(bytes(page))


@pytest.mark.parametrize(
    "forged",
    [
        {"share_q32": ONE_Q32},
        {"share_q32": 0},
        {"memory_limit_bytes": 80 * GIB},
        {"trim_k_q16": 1},
        {"burst_ns": 2**64 - 1},
        {"flags": 0},
        {"gpu_count": 0},
        {"magic": 0},
        {"generation": 2**64 - 1},
    ],
)
def test_what_is_written_there_is_put_right_in_one_turn_and_found_at_the_next_look(
    scene, tenant, forged
):
    before = scene.pods.ctl(tenant.served)
    _forge(tenant, **forged)
    scene.run(TURN_S)
    after = scene.pods.ctl(tenant.served)
    scene.run(2 * LOOK_S)

    for page in (before, after):
        page.generation = page.heartbeat_ns = 0
    assert bytes(after) == bytes(before)
    assert scene.found_after_s(tenant, FindingKind.TAMPERED) <= 2 * LOOK_S


@pytest.mark.parametrize("size_bytes", [0, 100, 200])
def test_a_page_that_is_cut_is_made_whole(scene, tenant, size_bytes):
    with (tenant.served.folders.control / "ctl").open("r+b") as file:
        file.truncate(size_bytes)
    scene.run(TURN_S)
    page = scene.pods.ctl(tenant.served)
    scene.run(2 * LOOK_S)

    assert (page.gpu[0].share_q32, page.gpu[0].memory_limit_bytes) == (ONE_Q32 // 2, 20 * GIB)
    assert FindingKind.TAMPERED in scene.kinds(tenant)


@pytest.mark.parametrize(
    ("trim_k", "kept"), [(1 / ONE_Q16, LEAST_K), (0.79, LEAST_K), (1000.0, MOST_K)]
)
def test_an_agent_takes_no_trim_over_that_it_would_not_set(scene, tenant, trim_k, kept):
    scene.enforcement.close()
    _forge(tenant, trim_k_q16=round(trim_k * ONE_Q16))
    scene.enforcement = Enforcement(LimitRules(), TurnCounts())
    scene.run(1.0)

    assert scene.trim_k(tenant) == pytest.approx(kept)
    assert scene.pods.ctl(tenant.served).gpu[0].trim_k_q16 == round(kept * ONE_Q16)


def test_a_link_in_its_place_is_not_written_through(scene, tenant, tmp_path):
    victim = tmp_path / "victim"
    victim.write_bytes(bytes(CTL_BYTES))
    file = tenant.served.folders.control / "ctl"
    file.unlink()
    file.symlink_to(victim)
    scene.run(1.0)

    assert victim.read_bytes() == bytes(CTL_BYTES)
    assert FindingKind.TAMPERED in scene.kinds(tenant)


def test_a_page_of_another_pod_in_its_place_is_not_written(scene, tenant):
    _forge(tenant, pod_uid=b"another")
    scene.enforcement.close()
    before = (tenant.served.folders.control / "ctl").read_bytes()
    scene.enforcement = Enforcement(LimitRules(), TurnCounts())
    scene.run(1.0)

    assert (tenant.served.folders.control / "ctl").read_bytes() == before
    assert scene.enforcement.workers[0].worker == tenant.served.worker


@pytest.mark.parametrize("is_link", [True, False])
def test_a_folder_of_control_pages_that_somebody_made_first_is_not_used(tmp_path, is_link):
    folders = folders_within(tmp_path / "worker")
    folders.control.parent.mkdir()
    if is_link:
        (tmp_path / "elsewhere").mkdir()
        folders.control.symlink_to(tmp_path / "elsewhere")
    else:
        folders.control.mkdir()
        folders.control.chmod(0o777)

    with pytest.raises(PageError, match=r"ctl: is .* allowed: a folder of user"):
        make_folders(folders)
