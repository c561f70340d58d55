"""Which Pythons packages are tried with."""

import subprocess

from tests.components.pythons import oldest_and_newest, project, supported_minors


def test_the_oldest_supported_python_is_the_one_that_the_package_asks_for():
    assert project()["requires-python"] == f">=3.{supported_minors()[0]}"


def test_the_pythons_of_this_machine_are_in_their_order_and_run():
    found = oldest_and_newest()
    assert [each.minor for each in found] == sorted({each.minor for each in found})
    for each in found:
        said = subprocess.run([each.program, "-V"], capture_output=True, text=True, check=True)
        assert said.stdout == f"Python {each.release}\n"
