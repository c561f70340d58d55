"""Completion of ``kubectl tfa``: the program ``kubectl_complete-tfa``, which kubectl asks.

It is given the words of the command line, the last of which is being typed, and prints one
proposal a line, as the script of ``tfa --show-completion bash`` has it.
"""

from __future__ import annotations

import os
import shlex
import sys
from typing import NoReturn

from autoscaler.cli.main import run


def for_kubectl() -> NoReturn:
    """Answer kubectl, and end the process."""
    words = ["tfa", *sys.argv[1:]]
    os.environ |= {
        "_TFA_COMPLETE": "complete_bash",
        "COMP_WORDS": shlex.join(words),
        "COMP_CWORD": str(len(words) - 1),
    }
    sys.argv = ["tfa"]
    run()
