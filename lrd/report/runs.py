"""The runs of a study as the report's tables group them: by task, gap and cell."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lrd.figures import labels
from lrd.records import Study

_NAMED = """
with named as (
    select *, {label} as label,
        case when count(distinct convention) over (partition by task) > 1 then task || ' (' || convention || ')'
            else task end as panel
    from runs
)
"""


def rows(study: Study, query: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query over the table ``named``."""
    return study.sql(with_named(study) + query).fetchall()


def with_named(study: Study) -> str:
    """Return the beginning of a query over ``named``: ``runs`` with ``panel`` and ``label``, names of task and cell.

    They are the names that figures give these.
    """
    known = study.sql("select * from runs limit 0").columns
    label = "coalesce(cast(cell_label as varchar), cell)" if "cell_label" in known else "cell"
    return _NAMED.format(label=label)


def natural(label: str) -> Any:
    """Return what to sort labels of cells by, as figures do: ``bias -2`` before ``bias -1`` and ``bias 10``."""
    return labels.natural(label)


def in_order(groups: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Return rows that begin with panel, gap and label, sorted by these."""
    return sorted(groups, key=lambda row: (str(row[0]), row[1] is None, row[1] or 0, natural(str(row[2]))))
