"""``python -m tests.components``: makes everything that the tests talk to, where it is missing.

A second run costs a look.  What cannot be had is a failure only in CI; elsewhere the message says
what is missing, and the tests that need it are skipped with the same reason.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable

from tests.components import chromium, loaders
from tests.components.builds import BuildError
from tests.components.catalogue import COMPONENTS, Component
from tests.components.programs import ProgramMissingError, WrongVariableError, make_available


def main(components: Iterable[Component] = COMPONENTS) -> int:
    """Make the components, a browser and loaders available; return the exit code."""
    code = max(chromium.main(), loaders.main())
    is_ci = os.environ.get("CI") == "true"
    for component in components:
        try:
            make_available(component)
        except WrongVariableError as error:
            print(error, file=sys.stderr)
            code = 1
        except (BuildError, ProgramMissingError) as error:
            print(error, file=sys.stderr)
            code = 1 if is_ci else code
    return code


if __name__ == "__main__":
    sys.exit(main())
