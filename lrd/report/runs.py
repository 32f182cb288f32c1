"""The runs of a study as the report's tables group them: by task, gap and cell."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lrd.figures import labels
from lrd.records import Study

#: Where a table ``named`` stands for ``runs`` with ``panel`` and ``label``, what the figures call a task and a cell.
NAMED = """
with named as (
    select *, {label} as label,
        case when count(distinct convention) over (partition by task) > 1 then task || ' (' || convention || ')'
            else task end as panel
    from runs
)
"""


def rows(study: Study, query: str) -> list[tuple[Any, ...]]:
    """The rows of a query over ``named``."""
    known = study.sql("select * from runs limit 0").columns
    label = "coalesce(cast(cell_label as varchar), cell)" if "cell_label" in known else "cell"
    return study.sql(NAMED.format(label=label) + query).fetchall()


def natural(label: str) -> Any:
    """What to sort the labels of cells by, as the figures do: ``bias -2`` before ``bias -1`` and ``bias 10``."""
    return labels.natural(label)


def in_order(groups: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Rows that begin with panel, gap and label, in the order of reading."""
    return sorted(groups, key=lambda row: (str(row[0]), row[1] is None, row[1] or 0, natural(str(row[2]))))
