import pytest

from tests.autoscaler.agent.simulator.scripts import (
    IDEAL_CARD,
    KERNEL_5_US,
    KERNEL_20_US,
    KERNEL_1400_US,
    MEASURED_CARD,
    SECOND_NS,
    Kernel,
    Script,
)
from tests.autoscaler.agent.simulator.simulation import Counts, Gate, Simulation
from tests.autoscaler.agent.simulator.timeline import Timeline


def counts_of(*scripts: Script, seconds: int = 5) -> list[Counts]:
    """Return what programs have done that nothing holds."""
    with Simulation(MEASURED_CARD) as simulation:
        processes = [
            simulation.add_process(simulation.add_pod(Gate.OPEN), script) for script in scripts
        ]
        simulation.run_until(seconds * SECOND_NS)
        return [simulation.counts(process) for process in processes]


def test_a_program_alone_has_all_of_the_card():
    (alone,) = counts_of(Script(kernels=[KERNEL_1400_US]))
    assert alone.busy_ns == pytest.approx(5 * SECOND_NS, rel=1e-4)
    assert alone.launches - 1001 <= alone.busy_ns // 1_401_730 <= alone.launches


def test_two_full_neighbours_get_46_percent_each_and_nvml_shows_both_as_nearly_full():
    both = counts_of(Script(kernels=[KERNEL_1400_US]), Script(kernels=[KERNEL_1400_US]))
    assert [each.busy_ns / (5 * SECOND_NS) for each in both] == pytest.approx([0.46] * 2, abs=0.01)
    assert [each.nvml_ratio for each in both] == [0.99, 0.99]


def test_a_program_at_a_rate_uses_that_part_of_the_card():
    (paced,) = counts_of(Script(kernels=[KERNEL_20_US, KERNEL_1400_US], duty_ratio=0.3))
    assert paced.kernel_ns / (5 * SECOND_NS) == pytest.approx(0.3, abs=0.003)


def test_a_program_that_asks_for_nothing_launches_nothing():
    (idle,) = counts_of(Script(kernels=[KERNEL_20_US], duty_ratio=0))
    assert idle.launches == 0


def test_short_kernels_keep_the_card_busy_for_longer_than_they_run():
    (short,) = counts_of(Script(kernels=[KERNEL_5_US]))
    assert short.busy_ns / short.kernel_ns == pytest.approx(6.73 / 5, rel=0.01)


def test_kernels_of_several_streams_run_side_by_side():
    (one,) = counts_of(Script(kernels=[KERNEL_1400_US]))
    (four,) = counts_of(Script(kernels=[KERNEL_1400_US], streams=4))
    assert four.busy_ns == pytest.approx(one.busy_ns, rel=1e-3)
    assert four.launches > 3 * one.launches


def test_a_program_that_waits_for_each_of_its_kernels_leaves_gaps():
    (waiting,) = counts_of(Script(kernels=[KERNEL_20_US], launches_per_sync=1))
    per_launch_ns = 5 * SECOND_NS / waiting.launches
    assert 21_730 < per_launch_ns < 30_000
    assert waiting.busy_ns < 5 * SECOND_NS


def test_a_process_that_has_ended_uses_nothing_more():
    with Simulation(MEASURED_CARD) as simulation:
        process = simulation.add_process(
            simulation.add_pod(Gate.OPEN), Script(kernels=[KERNEL_1400_US])
        )
        simulation.run_until(SECOND_NS)
        simulation.end_process(process)
        before = simulation.counts(process)
        simulation.run_until(2 * SECOND_NS)
        assert simulation.counts(process).busy_ns == before.busy_ns
        assert simulation.idle_ns >= SECOND_NS


def test_a_program_waits_for_tokens_and_takes_their_price():
    with Simulation(IDEAL_CARD) as simulation:
        pod = simulation.add_pod(Gate.COVERED)
        process = simulation.add_process(pod, Script(kernels=[KERNEL_20_US]), lambda _: 2.0)
        simulation.run_until(SECOND_NS)
        assert simulation.counts(process).launches == 0
        simulation.set_tokens(pod, 11)
        simulation.run_until(2 * SECOND_NS)
        assert simulation.counts(process).launches == 5
        assert simulation.tokens(pod) == 1


def test_a_launch_that_needs_no_cover_makes_a_debt():
    with Simulation(IDEAL_CARD) as simulation:
        pod = simulation.add_pod(Gate.NOT_IN_DEBT)
        process = simulation.add_process(pod, Script(kernels=[KERNEL_20_US]), lambda _: 1000.0)
        simulation.run_until(SECOND_NS)
        assert simulation.counts(process).launches == 1
        assert simulation.tokens(pod) == -1000


def test_two_runs_of_the_same_scenario_are_the_same():
    scripts = (
        Script(kernels=[KERNEL_5_US, KERNEL_1400_US], streams=2),
        Script(kernels=[KERNEL_20_US], duty_ratio=0.25, launches_per_sync=7),
    )
    assert counts_of(*scripts) == counts_of(*scripts)


def test_what_a_simulation_has_no_room_for_is_refused():
    many = [Kernel(length_ns=1000 + i, blocks=1, threads_per_block=1) for i in range(17)]
    with Simulation(IDEAL_CARD) as simulation:
        pod = simulation.add_pod(Gate.OPEN)
        with pytest.raises(ValueError, match="17 kernels; allowed: 1 to 16"):
            simulation.add_process(pod, Script(kernels=many))
        with pytest.raises(ValueError, match="no room"):
            simulation.add_process(pod, Script(kernels=[KERNEL_5_US], streams=33))


def test_a_script_needs_kernels_and_a_part_of_the_card():
    with pytest.raises(ValueError, match="no kernels"):
        Script(kernels=[])
    with pytest.raises(ValueError, match=r"duty_ratio is 1\.5; allowed: 0 to 1"):
        Script(kernels=[KERNEL_5_US], duty_ratio=1.5)


def test_calls_come_in_the_order_of_their_times():
    with Simulation(IDEAL_CARD) as simulation:
        timeline = Timeline(simulation)
        seen: list[tuple[str, int]] = []
        timeline.every(300, lambda: seen.append(("every", simulation.now_ns)))
        timeline.at(600, lambda: seen.append(("once", simulation.now_ns)))
        timeline.run_until(900)
        assert seen == [("every", 300), ("once", 600), ("every", 600), ("every", 900)]
        assert simulation.now_ns == 900
