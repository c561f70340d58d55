"""Write golden files, the shipped schema and the reference pages anew: ``python -m tests.golden``.

Read the differences before you commit them.
"""

from pathlib import Path

from tests.golden.contents import golden_files

for path, text in golden_files().items():
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")
    print(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
