"""An image of the limiter for pods that run on the kubelet double, without a limiter in it.

At its start it does what ``INIT_COMMAND`` says: it copies a library, a harmless one of this
machine, and waits for the control page.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from autoscaler.api.injection import INIT_COMMAND

PROGRAM = """#!{python}
import shutil, sys, time
from pathlib import Path

flags = dict(word.removeprefix("--").split("=", 1) for word in sys.argv[1:])
control = Path(flags["control"])
shutil.copyfile({library!r}, flags["library"])
print("copied", flush=True)
end_s = time.monotonic() + float(flags["wait"].removesuffix("s"))
while not control.exists() and time.monotonic() < end_s:
    time.sleep(0.02)
print("controlled" if control.exists() else "uncontrolled", flush=True)
"""
COPIED, CONTROLLED = "copied\n", "controlled\n"
"""What it writes when the library is in place, and when it has seen the control page."""


def limiter_image(folder: Path, library: Path) -> str:
    """Write the program into a folder; return the image that runs it and holds a library."""
    path = folder / "install"
    path.write_text(PROGRAM.format(python=sys.executable, library=str(library)))
    path.chmod(0o755)
    return f"process:{path}@{INIT_COMMAND[0]}"


def harmless_libraries() -> list[Path]:
    """Return shared libraries that any process of this machine may preload: they hold nothing.

    Raises ``LookupError`` where there are not two of them.
    """
    maps = Path("/proc/self/maps").read_text(encoding="utf-8")
    beside = re.search(r"(/\S+)/libc\.so\.6$", maps, re.MULTILINE)
    names = ("libutil.so.1", "libdl.so.2", "librt.so.1")
    paths = [Path(beside[1], name) for name in names] if beside else []
    found = [path.resolve() for path in paths if path.exists()]
    if len(found) < 2:
        raise LookupError(f"fewer than two of {', '.join(names)} are beside the C library")
    return found
