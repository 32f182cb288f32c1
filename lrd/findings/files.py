"""Where claims are kept: under ``claims:`` in the study's file, and in ``claims.yaml`` of the folder of its records."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import yaml

from lrd.findings.claim import Claim, ClaimError, claims_from
from lrd.records.files import write_bytes
from lrd.user_files import read_user_text

CLAIMS = "claims.yaml"


def read_claims(path: Path | str) -> list[Claim]:
    """The claims in the folder of a study (none where it keeps none), or in any YAML file, by its path.

    Raises:
        ClaimError: the file cannot be read, or holds what is no claim; a line for each mistake.
    """
    path = Path(path)
    file = path / CLAIMS if path.is_dir() else path
    try:
        tree = yaml.load(read_user_text(file), _Loader)
    except FileNotFoundError:
        if path.is_dir():
            return []
        raise ClaimError(f"there is no file of claims at {file}: give one with a key claims:") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ClaimError(f"cannot read {file}: {' '.join(str(error).split())}") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise ClaimError(f"{file} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(tree, Mapping) or "claims" not in tree:
        raise ClaimError(f"{file} has no key claims: at its top; write the claims under one")
    return claims_from(tree["claims"], f"{file}: claims")


def write_claims(folder: Path | str, tree: Mapping[str, Any]) -> Path:
    """Keep what stands under ``claims:`` in the folder of a study, in the place of what was kept before.

    Raises:
        RecordError: the system refuses.
    """
    file = Path(folder) / CLAIMS
    text = yaml.safe_dump({"claims": dict(tree)}, sort_keys=False, allow_unicode=True, width=110)
    write_bytes(file, text.encode())
    return file


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """Refuses two keys of one name, of which YAML's own would drop the first without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [key.value for key, _ in node.value]
        if twice := next((key for key in keys if keys.count(key) > 1), None):
            raise yaml.constructor.ConstructorError(None, None, f"the key {twice!r} stands twice", node.start_mark)
        made: dict[Hashable, Any] = super().construct_mapping(node, deep)
        return made
