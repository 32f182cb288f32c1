"""Where the hypotheses of a study are kept: in its file in ``experiments/``, and in the folder of its records.

Both are YAML with a key ``hypotheses:``. Its former name ``claims:``, and a file ``claims.yaml`` in the folder, are
still read.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from lrd.findings.hypothesis import Hypothesis, HypothesisError
from lrd.findings.paper import Paper, paper_from
from lrd.findings.statements import hypotheses_from
from lrd.one_line import one_line
from lrd.records.files import write_bytes
from lrd.user_files import read_user_text

HYPOTHESES = "hypotheses.yaml"
FORMER = "claims.yaml"

_KEYS = ("hypotheses", "claims")


def read_hypotheses(path: Path | str) -> list[Hypothesis]:
    """Return the hypotheses that a study's folder keeps, or those of any YAML file.

    Args:
        path: the folder of a study (no hypotheses where it keeps none), or a file.

    Raises:
        HypothesisError: the file cannot be read, or states something that cannot be checked; a line for each mistake.
    """
    path = Path(path)
    for file in (path / HYPOTHESES, path / FORMER) if path.is_dir() else (path,):
        with suppress(FileNotFoundError):
            return _parsed(file)
    if path.is_dir():
        return []
    raise HypothesisError(f"there is no file of hypotheses at {path}: give one with a key hypotheses:")


def read_paper(path: Path | str) -> Paper | None:
    """Return the published result that a study re-runs, from the folder of its records or from any YAML file.

    Returns:
        ``None`` where the study re-runs none.

    Raises:
        HypothesisError: the file cannot be read, or something is wrong with what stands under ``paper:``.
    """
    path = Path(path)
    file = path / HYPOTHESES if path.is_dir() else path
    try:
        tree = _tree(file)
    except FileNotFoundError:
        return None
    paper = tree.get("paper") if isinstance(tree, Mapping) else None
    return None if paper is None else paper_from(paper, f"{file}: paper")


def write_hypotheses(folder: Path | str, tree: Mapping[str, Any], paper: Mapping[str, Any] | None = None) -> Path:
    """Keep hypotheses in the folder of a study, in the place of those kept before; return the file.

    Args:
        folder: of the study's records.
        tree: what stands under ``hypotheses:`` in the study's file.
        paper: what stands under ``paper:`` there, if anything.

    Raises:
        RecordError: the system refuses.
    """
    file = Path(folder) / HYPOTHESES
    kept = {"hypotheses": dict(tree)} | ({"paper": dict(paper)} if paper else {})
    text = yaml.safe_dump(kept, sort_keys=False, allow_unicode=True, width=110)
    write_bytes(file, text.encode())
    with suppress(OSError):  # where it stays, the new file is read first
        (Path(folder) / FORMER).unlink()
    return file


def _parsed(file: Path) -> list[Hypothesis]:
    tree = _tree(file)
    keys = [key for key in _KEYS if isinstance(tree, Mapping) and key in tree]
    if not keys:
        raise HypothesisError(f"{file} has no key hypotheses: at its top; write the hypotheses under one")
    if len(keys) > 1:
        raise HypothesisError(f"{file} has hypotheses: and claims:, its former name; keep hypotheses: alone")
    return hypotheses_from(tree[keys[0]], f"{file}: {keys[0]}")


def _tree(file: Path) -> Any:
    try:
        return yaml.load(read_user_text(file), _Loader)
    except FileNotFoundError:
        raise
    except (OSError, UnicodeDecodeError) as error:
        raise HypothesisError(f"cannot read {file}: {one_line(error)}") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise HypothesisError(f"{file} is not YAML: {one_line(error)}") from error


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """YAML's safe loader, which refuses a key that stands twice; YAML's own drops the first without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [key.value for key, _ in node.value]
        if twice := next((key for key in keys if keys.count(key) > 1), None):
            raise yaml.constructor.ConstructorError(None, None, f"the key {twice!r} stands twice", node.start_mark)
        made: dict[Hashable, Any] = super().construct_mapping(node, deep)
        return made
