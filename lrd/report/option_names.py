"""The columns of the table ``runs`` that are options of a run, by their names on the command line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lrd.records import RecordError, Study, read_json
from lrd.records.schema import RUN
from lrd.report.runs import rows

GROUPS = ("task", "cell", "optimizer", "training", "evaluation", "probe", "seed")  # in this order
_NAMES = {"task_name", "cell_name", "cell_label"}  # by these the report's tables are grouped


def option_names(study: Study) -> dict[str, str]:
    """Return the name of each column of ``runs`` that is an option: ``cell.init`` of ``cell_init``.

    A column does not say where one of its words ends (``probe.gates.per_decade``), so one run of each task and cell is
    asked. The columns of options that no such run has are split once.
    """
    names: dict[str, str] = {}
    for (run_id,) in rows(study, "select min(run_id) from named group by panel, label order by 1"):
        try:
            spec = read_json(study.path / run_id / RUN)["spec"]
        except (FileNotFoundError, RecordError, KeyError, TypeError):
            continue
        names |= {name.lower().replace(".", "_"): name for name in _leaves(spec)}
    found = {}
    for column in study.sql("select * from runs limit 0").columns:
        group, _, option = column.partition("_")
        if group in GROUPS and (option or group == "seed") and column not in _NAMES:
            found[column] = names.get(column, f"{group}.{option}" if option else group)
    return dict(sorted(found.items(), key=lambda item: GROUPS.index(item[0].partition("_")[0])))


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"
