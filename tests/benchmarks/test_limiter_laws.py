from tests.autoscaler.agent.simulator.comparison import LAWS
from tests.benchmarks.limiter_laws import as_table


def test_a_table_has_a_column_per_law_and_shares_in_percent():
    title, blank, heads, rule, row, end = as_table("Alone", [("10 %", [[0.1, 0.25]] * len(LAWS))])
    assert title == "**Alone**"
    assert [blank, end] == ["", ""]
    assert heads.split(" | ")[1:] == [*LAWS[:-1], f"{LAWS[-1]} |"]
    assert rule.count("---") == 1 + len(LAWS)
    assert row == f"| 10 % | {' | '.join(['10.0 / 25.0'] * len(LAWS))} |"
