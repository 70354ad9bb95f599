"""The shape of the project: which way imports point, what is public, one derivation per case."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import derivations
import gradcheck
import reference

PACKAGES = {"gradcheck": gradcheck, "reference": reference, "derivations": derivations}
ALLOWED = {
    "gradcheck": {"gradcheck"},
    "reference": {"gradcheck", "reference"},
    "derivations": {"gradcheck", "reference", "derivations"},
}
# the parts of a package, folders and modules; each imports from itself and from those before it
PARTS = {
    "gradcheck": ["_case", "_estimate", "_report", "_claim", "_diagnosis", "_verdict", "_command"],
    "derivations": [
        *("records", "comparison", "plan", "provenance", "deadline"),
        *("expressions", "kernels", "text", "steps", "code", "rows", "confrontation", "claims"),
        *("report", "deriving", "render", "derive_command", "__main__"),
    ],
}
ROOT = Path(gradcheck.__file__).parents[1]


def sources(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Top-level names that a file imports, wherever the import stands."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_point_one_way(package: str) -> None:
    """derivations → reference → gradcheck, never back, and nobody imports the tests."""
    files = sources(package)
    assert files
    for path in files:
        ours = imported(path) & {*PACKAGES, "tests"}
        assert ours <= ALLOWED[package], f"{path} imports {ours - ALLOWED[package]}"


def imported_parts(package: str, path: Path) -> set[str]:
    """Return the parts of its own package that a file imports, wherever the import stands."""
    parts: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            top, *inner = node.module.split(".")
            if top == package:
                parts |= {inner[0]} if inner else {alias.name for alias in node.names}
    return parts & set(PARTS[package])


@pytest.mark.parametrize("package", PARTS)
def test_parts_are_all_listed(package: str) -> None:
    folder = ROOT / package
    folders = {p.parent.name for p in folder.glob("*/__init__.py")}
    entrances = {"__init__", "__main__", "pytest_plugin"}
    modules = {p.stem for p in folder.glob("*.py")} - entrances
    assert folders | modules == set(PARTS[package]) - entrances


@pytest.mark.parametrize(("package", "part"), [(p, part) for p in PARTS for part in PARTS[p]])
def test_data_flows_one_way_through_a_package(package: str, part: str) -> None:
    earlier = {*PARTS[package][: PARTS[package].index(part) + 1]}
    files = [*sources(f"{package}/{part}"), *(ROOT / package).glob(f"{part}.py")]
    assert files
    for path in files:
        later = imported_parts(package, path) - earlier
        assert not later, f"{path} imports {later}"


def test_engine_knows_no_function() -> None:
    """gradcheck needs NumPy only; SymPy, SciPy, Hypothesis stay outside, pytest at the edges.

    One oracle counts in mpmath's numbers, and imports it when it is asked.
    """
    outside = {"sympy", "scipy", "mpmath", "hypothesis", "torch", "jax"}
    for path in sources("gradcheck"):
        allowed = {"mpmath"} if path.name == "oracles.py" else set()
        assert imported(path) & outside == allowed, path


@pytest.mark.parametrize("package", PACKAGES)
def test_public_names_resolve(package: str) -> None:
    module = PACKAGES[package]
    names = getattr(module, "__all__", [])
    assert len(names) == len(set(names))
    for name in names:
        assert getattr(module, name) is not None
        assert not name.startswith("_")


def test_contract_names_are_public() -> None:
    assert {
        "Case",
        "Estimate",
        "GradientError",
        "Report",
        "assert_gradient",
        "check",
        "differentiate",
    } <= set(gradcheck.__all__)
    losses = ["cross_entropy", "softmax_cross_entropy", "squared_error"]
    losses += ["binary_cross_entropy", "binary_cross_entropy_with_logits"]
    activations = ["sigmoid", "tanh", "log_sigmoid", "softplus", "softmax", "log_softmax"]
    wanted = [*activations, "logsumexp", *losses]
    for name in wanted:
        assert name in reference.__all__
        derivative = {"softmax": "softmax_vjp", "log_softmax": "log_softmax_vjp"}
        assert derivative.get(name, f"{name}_grad") in reference.__all__
    assert {"softmax_jacobian", "softmax_vjp", "softmax_jvp", "CASES"} <= set(reference.__all__)


def test_one_derivation_per_case_and_one_case_per_derivation() -> None:
    from derivations.rows.catalogue import ROWS

    assert sorted(row.case for row in ROWS) == sorted(case.name for case in reference.CASES)


def test_every_module_says_what_it_is_for() -> None:
    for package in PACKAGES:
        for path in sources(package):
            assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), path


def test_importing_gradcheck_is_lazy() -> None:
    code = "import sys, gradcheck; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_laziness_test_can_fail() -> None:
    code = "import sys, gradcheck; gradcheck.check; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 1


def test_top_level_holds_only_what_it_should() -> None:
    tracked = subprocess.run(
        ["git", "ls-tree", "--name-only", "HEAD"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if tracked.returncode:
        names = {p.name for p in ROOT.iterdir() if not p.name.endswith(".egg-info")}
    else:
        names = set(tracked.stdout.split())
    visible = {name for name in names if not name.startswith(".")}
    allowed = {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "tests", *PACKAGES}
    assert visible - {"report.html"} <= allowed
