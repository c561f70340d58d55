"""The notebooks run on the library as it is, and are kept without what a run leaves in them."""

import ast
import os
import tempfile
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from traitlets.config import Config

from tests.test_docs import LINK, anchors

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted(ROOT.glob("notebooks/*.ipynb"))
PUBLIC = (
    "autoscaler",
    "recommender",
    "numpy",
    "pandas",
    "IPython",
    "dataclasses",
    "pathlib",
    "tempfile",
)
TIMEOUT_S = 900
LOGIC = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.For, ast.While, ast.If, ast.Try)

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook


def code_of(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def tree_of(notebook):
    return ast.parse("\n".join(cell.source for cell in code_of(notebook)))


def executed(notebook, folder):
    """Return what a clean kernel makes of a notebook; warnings of every kind go to stderr."""
    # sockets in the folder, whose name is short enough for them: no ports that others may take
    sockets = {"transport": "ipc", "ip": f"{folder}/kernel"}
    client = NotebookClient(
        notebook,
        timeout=TIMEOUT_S,
        startup_timeout=TIMEOUT_S,
        kernel_name="python3",
        config=Config({"KernelManager": sockets}),
        resources={"metadata": {"path": str(ROOT)}},
    )
    own = {"IPYTHONDIR": folder, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "default"}
    return client.execute(env=os.environ | own)


@each_notebook
def test_a_notebook_runs_without_an_error_or_a_warning(path, monkeypatch):
    with tempfile.TemporaryDirectory(prefix="tfa-") as folder:
        monkeypatch.setenv("JUPYTER_RUNTIME_DIR", folder)
        notebook = executed(read(path), folder)

    outputs = [output for cell in code_of(notebook) for output in cell.outputs]
    assert [output.text for output in outputs if output.output_type == "stream"] == []
    assert any(output.output_type == "execute_result" for output in outputs)


@each_notebook
def test_a_notebook_is_kept_without_outputs(path):
    cells = code_of(read(path))

    assert [cell.outputs for cell in cells if cell.outputs] == []
    assert [cell.execution_count for cell in cells if cell.execution_count is not None] == []
    assert [cell.metadata for cell in cells if cell.metadata] == []


@each_notebook
def test_a_notebook_has_no_logic_of_its_own(path):
    nodes = list(ast.walk(tree_of(read(path))))

    assert [ast.unparse(node) for node in nodes if isinstance(node, LOGIC)] == []
    imported = {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    imported |= {name.name for node in nodes if isinstance(node, ast.Import) for name in node.names}
    assert {name for name in imported if not name.startswith(PUBLIC)} == set()


@each_notebook
def test_links_of_a_notebook_lead_somewhere(path):
    texts = [cell.source for cell in read(path).cells if cell.cell_type == "markdown"]

    for link in LINK.findall("\n".join(texts)):
        page, _, anchor = link.partition("#")
        target = (path.parent / page).resolve()
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_there_are_notebooks():
    assert [path.stem for path in NOTEBOOKS] == [
        "backtest_of_a_policy",
        "first_report",
        "forecast_accuracy",
    ]
