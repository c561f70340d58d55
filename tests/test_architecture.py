"""The dependency rules of the project, read from its syntax trees."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("recommender", "autoscaler")
HOME_OF = {
    "kubernetes": ("autoscaler/kube",),
    "prometheus_api_client": ("autoscaler/sources",),
    "requests": ("autoscaler/sources",),
    "apscheduler": ("autoscaler/scaling",),
    "prometheus_client": ("autoscaler/telemetry",),
    "pynvml": ("autoscaler/agent",),
    "grpc": ("autoscaler/agent/pod_resources",),
    "google": ("autoscaler/agent/pod_resources",),
    "typer": ("autoscaler/cli",),
    "rich": ("autoscaler/cli",),
}
"""A library to the only packages that may import it."""
LIBRARIES_OF_THE_RECOMMENDER = {
    "numpy",
    "pandas",
    "cronsim",
    "sklearn",
    "statsmodels",
    "threadpoolctl",
    "jinja2",
    "markupsafe",
    "yaml",
    "orjson",
    "joblib",
    "distributed",
}
STRANGERS = ("webhook", "workloads", "scaling", "agent")
"""Packages of ``autoscaler`` that do not import one another."""
LAYERED = (
    "autoscaler",
    "autoscaler/scaling",
    "autoscaler/scaling/live",
    "autoscaler/scaling/running",
)
"""Folders whose packages stand one above the other."""
IMPURE_MODULES = {
    "time",
    "random",
    "os",
    "sys",
    "socket",
    "subprocess",
    "urllib.request",
    "logging",
}
IMPURE_CALLS = {
    "datetime.now",
    "datetime.utcnow",
    "datetime.today",
    "date.today",
    "np.random.default_rng",
    "np.random.seed",
    "print",
    "open",
    "input",
}
WITHOUT_NUMPY = (
    "autoscaler.cli.main",
    "recommender.gpu_models",
    "recommender.quantities",
    "recommender.durations",
    "recommender.forecast.models",
)
WITHOUT_ANALYSIS = (
    "autoscaler.cli.webhook_run",
    "autoscaler.cli.controller_run",
    "autoscaler.cli.agent_run",
    "autoscaler.agent.running.cluster_node",
)
"""Commands that answer within milliseconds and start within a second."""


def modules() -> list[Path]:
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def is_type_checking(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.If)
        and isinstance(node.test, ast.Name)
        and node.test.id == "TYPE_CHECKING"
    )


def nodes(root: ast.AST, *, at_import: bool) -> Iterator[ast.AST]:
    """Walk a tree; ``at_import`` leaves out function bodies and imports for types alone."""
    for child in ast.iter_child_nodes(root):
        if at_import and (
            is_type_checking(child) or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
        ):
            continue
        yield child
        yield from nodes(child, at_import=at_import)


def imports(path: Path, *, at_import: bool = False) -> set[str]:
    """Return the dotted names that a module imports; of ``from a import b`` both a and a.b."""
    found = set()
    for node in nodes(tree_of(path), at_import=at_import):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module or "")
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def roots(names: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


def calls(path: Path) -> set[str]:
    return {
        ast.unparse(node.func)
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute)
    }


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_libraries_are_imported_only_at_home(path):
    place = path.relative_to(ROOT).as_posix()
    strangers = {
        library
        for library in roots(imports(path))
        if library in HOME_OF and not any(place.startswith(f"{home}/") for home in HOME_OF[library])
    }
    assert strangers == set()


@pytest.mark.parametrize("path", sorted((ROOT / "recommender").rglob("*.py")), ids=name_of)
def test_the_recommender_is_pure(path):
    names = imports(path)
    allowed = LIBRARIES_OF_THE_RECOMMENDER | set(sys.stdlib_module_names) | {"recommender"}
    assert roots(names) - allowed == set()
    assert names & IMPURE_MODULES == set()
    assert calls(path) & IMPURE_CALLS == set()
    assert "os.environ" not in ast.unparse(tree_of(path))


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_long_running_parts_do_not_import_one_another(path):
    parts = path.relative_to(ROOT).parts
    own = parts[1] if parts[0] == "autoscaler" and len(parts) > 2 else None
    if own not in STRANGERS:
        return
    others = {f"autoscaler.{name}" for name in STRANGERS if name != own}
    assert {
        name
        for name in imports(path)
        if any(name == other or name.startswith(f"{other}.") for other in others)
    } == set()


def test_only_the_command_line_imports_the_command_line():
    outside = [path for path in modules() if "cli" not in path.parts and path.name != "__main__.py"]
    assert [
        name_of(path)
        for path in outside
        if any(name.startswith("autoscaler.cli") for name in imports(path))
    ] == []


def test_modules_do_not_import_in_circles():
    known = {name_of(path) for path in modules()}
    graph = {
        name_of(path): {name for name in imports(path, at_import=True) if name in known}
        - {name_of(path)}
        for path in modules()
    }
    packages = {name_of(path) for path in modules() if path.name == "__init__.py"}
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"modules import in a circle: {' -> '.join(reversed(error.args[1]))}")
    assert packages <= set(order)


@pytest.mark.parametrize("folder", LAYERED)
def test_packages_do_not_depend_on_each_other_in_circles(folder):
    root, prefix = ROOT / folder, folder.replace("/", ".") + "."
    graph: dict[str, set[str]] = {}
    for path in sorted(root.rglob("*.py")):
        package, *inner = path.relative_to(root).parts
        if not inner:
            continue
        needed = {
            name.removeprefix(prefix).partition(".")[0]
            for name in imports(path)
            if name.startswith(prefix)
        }
        others = {name for name in needed - {package} if (root / name).is_dir()}
        graph.setdefault(package, set()).update(others)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"packages depend in a circle: {' -> '.join(error.args[1])}")


def loaded_by(module: str, libraries: tuple[str, ...]) -> str:
    """Return which of the libraries are there after a module was imported, as a list's text."""
    code = f"import sys, {module}; print([name for name in {libraries} if name in sys.modules])"
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    return shown.stdout.strip()


@pytest.mark.parametrize("module", WITHOUT_NUMPY)
def test_light_modules_load_no_heavy_library(module):
    heavy = ("numpy", "pandas", "sklearn", "statsmodels", "jinja2", "yaml", "rich")
    assert loaded_by(module, heavy) == "[]"


@pytest.mark.parametrize("module", WITHOUT_ANALYSIS)
def test_quick_commands_load_no_library_of_analysis(module):
    heavy = ("numpy", "pandas", "sklearn", "statsmodels", "scipy", "jinja2", "rich")
    assert loaded_by(module, heavy) == "[]"


def test_the_agent_loads_neither_certificates_nor_arrays():
    heavy = ("cryptography", "kubernetes", "numpy", "pandas", "sklearn", "jinja2")
    assert loaded_by("autoscaler.cli.agent_run", heavy) == "[]"


def test_package_files_hold_no_code():
    with_code = [
        name_of(path)
        for path in modules()
        if path.name == "__init__.py"
        and [node for node in tree_of(path).body if not isinstance(node, ast.Expr)]
    ]
    assert with_code == []
