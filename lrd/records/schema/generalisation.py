"""The columns of the tables of tests beyond the trained gap (``evaluation.gaps``): their SQL types and meanings.

Their names differ from those of the table ``runs``, so that a query may join both.
"""

from __future__ import annotations

from lrd.records.schema.column_kinds import INTEGER, REAL, TEXT, Column, Columns
from lrd.records.schema.tables import GRADIENT_FIT, GRADIENT_FLOW

_UPDATE = Column(INTEGER, "updates done when it was tested: the run's last one")
_TESTED_GAP = Column(INTEGER, "gap at which the trained run was tested; the trained gap is among them")


def _at_gaps(columns: Columns) -> Columns:
    """Return the columns of a table of the gradient flow with the gap at which it was measured."""
    rest = {name: column for name, column in columns.items() if name != "update"}
    return {"update": _UPDATE, "tested_gap": _TESTED_GAP, **rest}


#: What one row of each table is, and its columns.
GENERALISATION_TABLES: dict[str, tuple[str, Columns]] = {
    "generalisation": (
        "With evaluation.gaps: the metrics of a trained run on the test set of other gaps, one row a gap and metric.",
        {
            "update": _UPDATE,
            "tested_gap": _TESTED_GAP,
            "tested_length": Column(INTEGER, "steps of the task's longest sequence at that gap"),
            "tested_smallest_lag": Column(INTEGER, "the task's smallest lag at that gap"),
            "tested_largest_lag": Column(INTEGER, "the task's largest lag at that gap"),
            "metric": Column(TEXT, "name of a metric of the task: loss, accuracy, ..."),
            "value": Column(REAL, "the metric on the test set of that gap; at the trained gap this is test_* of runs"),
            "chance_level": Column(REAL, "closed-form level of the metric without memory at that gap"),
            "meets_criterion": Column(INTEGER, "1 if the metrics at that gap meet the task's criterion, else 0"),
        },
    ),
    "generalisation_flow": (
        "With evaluation.gradient_flow: the gradient flow of a trained run at other gaps, one row a gap and time step.",
        _at_gaps(GRADIENT_FLOW),
    ),
    "generalisation_fit": (
        "With evaluation.gradient_flow: the line through the log10 norm over the quiet steps at other gaps.",
        _at_gaps(GRADIENT_FIT),
    ),
}
