"""Where the project's own files are found."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from lrd import paths


def test_a_checkout_uses_its_own_folders() -> None:
    root = Path(paths.__file__).parents[1]
    assert root / "conf" == paths.CONF
    assert root / "analysis" == paths.ANALYSIS
    assert (paths.CONF / "experiment").resolve() == root / "experiments"
    assert (paths.CONF / "config.yaml").is_file()
    assert (paths.ANALYSIS / "gap_wall.py").is_file()


@pytest.mark.parametrize("installed", [True, False])
def test_an_installed_package_uses_the_folders_inside_it(tmp_path: Path, installed: bool) -> None:
    package = tmp_path / "lrd"
    for name in ("_conf", "_analysis") if installed else ():
        (package / name).mkdir(parents=True)
    package.mkdir(exist_ok=True)
    (package / "paths.py").write_text(Path(paths.__file__).read_text(encoding="utf-8"))
    spec = importlib.util.spec_from_file_location("elsewhere", package / "paths.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (package / "_conf" if installed else tmp_path / "conf") == module.CONF
    assert (package / "_analysis" if installed else tmp_path / "analysis") == module.ANALYSIS
