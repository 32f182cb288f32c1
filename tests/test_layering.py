"""Imports run one way, the lower layers live on torch and numpy alone, and each heavy library has its place."""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BARE = ("lrd/tasks", "lrd/cells", "lrd/kernels", "lrd/gradients", "lrd/probes")
BARE += (
    "lrd/options.py",
    "lrd/scalars.py",
    "lrd/scaled.py",
    "lrd/shapes.py",
    "lrd/user_files.py",
    "lrd/extras.py",
    "lrd/environment_variables.py",
    "lrd/cache_folder.py",
    "lrd/machine_code.py",
    "lrd/cache_folder.py",
)
#: A library and the only places whose source may name it.
PLACES = {
    "wandb": ("lrd/records/",),
    "wandb_workspaces": ("lrd/records/",),
    "duckdb": ("lrd/records/",),
    "matplotlib": ("lrd/figures/", "analysis/"),
    "hydra": ("lrd/sweeps/", "lrd/hydra_main.py", "lrd/hydra_errors.py", "hydra_plugins/"),
    "omegaconf": ("lrd/sweeps/", "lrd/hydra_main.py", "lrd/hydra_errors.py", "hydra_plugins/"),
    "pydantic": ("lrd/spec/build.py",),
    "rich": ("lrd/sweeps/",),
    "submitit": ("lrd/sweeps/slurm_submit.py",),
    "scipy": ("lrd/stats/", "analysis/"),
    "yaml": ("lrd/findings/", "lrd/hydra_errors.py"),
    "jinja2": ("lrd/report/",),
    "weasyprint": ("lrd/report/pdf.py",),
    "sklearn": ("lrd/tasks/digits.py",),  # when its images are first asked for
    "numba": ("lrd/kernels/cpu/", "lrd/machine_code.py"),  # when its kernels or functions are first called
    "llvmlite": ("lrd/kernels/cpu/", "lrd/machine_code.py"),
    "triton": ("lrd/kernels/fused/",),  # when its kernels are first called
}


def sources(*places: str) -> list[Path]:
    found = [path for place in places for path in sorted((ROOT / place).rglob("*.py"))]
    found += [ROOT / place for place in places if (ROOT / place).is_file()]
    assert found
    return found


@functools.cache
def imported(path: Path) -> frozenset[str]:
    """Top-level names of all imports of a file, wherever they stand in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add((node.module or "").split(".")[0])
    return frozenset(names)


def run_python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_imports_run_one_way() -> None:
    """The contract of pyproject.toml; ``make lint`` checks it too, by ``lint-imports``."""
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout
    assert "Contracts: " in done.stdout
    assert " 0 broken" in done.stdout


@pytest.mark.parametrize("library", PLACES)
def test_a_library_is_imported_in_its_place_alone(library: str) -> None:
    users = [
        p.relative_to(ROOT).as_posix() for p in sources("lrd", "hydra_plugins", "analysis") if library in imported(p)
    ]
    assert users, f"nobody imports {library}: is it still needed?"
    assert not [user for user in users if not user.startswith(PLACES[library])]


def test_lower_layers_name_no_library_but_torch_and_numpy() -> None:
    allowed = {"torch", "numpy", "lrd", *sys.stdlib_module_names}
    of_cpu = {"numba", "llvmlite"}
    foreign = {
        (p.name, name)
        for p in sources(*BARE)
        for name in imported(p)
        if name not in allowed and not (name in of_cpu and (p.parent.name == "cpu" or p.name == "machine_code.py"))
    }
    # Where it is installed, plain tensors elsewhere; and images and programs, where they are asked for.
    programs = {(f"{name}.py", "triton") for name in ("arithmetic", "rnn_programs", "lstm_programs", "gru_programs")}
    assert foreign <= {("shapes.py", "jaxtyping"), ("digits.py", "sklearn"), *programs}


@pytest.mark.slow
def test_gradient_flow_is_measured_and_packs_train_where_only_torch_and_numpy_are_installed() -> None:
    code = """
import importlib.abc, sys, sysconfig
# What torch itself is made of, besides the standard library.
allowed = {"torch", "torchgen", "functorch", "numpy", "lrd", "typing_extensions", "sympy", "mpmath", "networkx",
    "jinja2", "markupsafe", "filelock", "fsspec", "setuptools"} | set(sys.stdlib_module_names)
asked = set()
class OnlyThese(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        top = name.split(".")[0]
        if top not in allowed and not top.startswith("_"):
            asked.add(top)
            raise ModuleNotFoundError(f"{name} is not installed here", name=name)
sys.meta_path.insert(0, OnlyThese())
import torch
torch.set_num_threads(1)
from lrd.cells import CELLS, prepared, readout_parameters
from lrd.tasks import TASKS
from lrd.kernels import KERNELS, choose_kernel
from lrd.options import OptionError
from lrd.gradients.flow import gradient_flow
from lrd.gradients.summary import fit
import lrd.probes
try:
    TASKS.pop("digits")()
except OptionError as error:
    print(error.message)
for task in (kind() for kind in TASKS.values()):
    for cell in (kind(hidden_size=3).for_length(task.sequence_length) for kind in CELLS.values()):
        generator = torch.Generator().manual_seed(0)
        p = cell.parameters(task.input_size, generator) | readout_parameters(cell, task.output_size, generator)
        p = prepared(cell, {name: value[None] for name, value in p.items()})
        flow = gradient_flow(task, cell.stepped, p, task.batch(torch.tensor([0]), "probe", 0, 2), "last", torch.float32)
        line = fit(task, flow, "h", 0)
        slope_exists = len(task.quiet_steps) > 1  # counting's shortest string has one quiet step
        print(task.name, cell.name, choose_kernel(cell), (abs(line.slope) < 10) == slope_exists)
print(sorted(asked & {"hydra", "omegaconf", "wandb", "pydantic", "duckdb", "scipy", "rich", "matplotlib"}))
print(sorted(name for name in sys.modules if name.startswith("lrd.") and name.count(".") == 1))
from lrd.spec import Adam, RunSpec, Training
from lrd.training import Pack
run = RunSpec(TASKS["adding"](gap=5), CELLS["lstm"](hidden_size=3), Adam(), Training(), (), seed=0)
pack = Pack([run], torch.device("cpu"))
pack.step()
print(pack.averages()["grad_norm"].tolist(), sorted(asked & {"wandb", "pydantic", "duckdb", "rich"}))
"""
    no_digits, *lines, asked, modules, trained = run_python(code).splitlines()
    assert trained.endswith("] []")
    assert "nan" not in trained
    assert "needs scikit-learn" in no_digits
    assert len(lines) >= 6
    assert all(line.endswith(" True") for line in lines), lines
    assert asked == "[]"
    assert eval(modules) == [
        f"lrd.{name}"
        for name in (
            *("cache_folder", "cells", "extras", "gradients", "kernels", "machine_code", "options", "probes"),
            *("scalars", "scaled", "shapes", "tasks", "user_files"),
        )
    ]


def test_what_hydra_imports_at_every_start_is_light() -> None:
    code = "import sys, hydra_plugins.lrd_plugin, lrd.cli; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    assert not {"torch", "numpy", "wandb", "duckdb", "pydantic", "matplotlib", "rich"} & set(run_python(code).split())


def test_what_a_sweep_imports_before_its_first_update_has_no_scipy() -> None:
    modules = ("commands.train", "findings.planned", "sweeps.execute", "sweeps.tables", "sweeps.workers")
    code = f"import sys, {', '.join(f'lrd.{name}' for name in modules)}; print('scipy' in sys.modules)"
    assert run_python(code) == "False\n"
    assert run_python("from lrd.stats import scipy_stats; print(scipy_stats.norm.cdf(0))") == "0.5\n"
