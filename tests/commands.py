"""The command line as a fixture: called in this process, with what it printed and its exit code."""

import sys
from dataclasses import dataclass

import orjson
import pytest

from autoscaler.cli.main import main


@dataclass(frozen=True, slots=True)
class Ended:
    code: int
    out: str
    err: str

    @property
    def json(self):
        return orjson.loads(self.out)

    def item(self, workload, resource):
        [item] = [
            item
            for item in self.json["items"]
            if (item["identity"]["workload"], item["resource"]) == (workload, resource)
        ]
        return item


@pytest.fixture
def tfa(capsys):
    def tfa(*arguments):
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        sys.stdout.flush()
        shown = capsys.readouterr()
        return Ended(int(code), shown.out, shown.err)

    return tfa
