"""Numbers that hypotheses take of tables whose rows are of several layers and directions."""

from __future__ import annotations

import pytest
from made_runs import hypothesis, row, study

from lrd.findings.queries import query_of_table

ROWS = [(1, "forward", 1.0), (1, "backward", 2.0), (2, "forward", 4.0), (2, "backward", 8.0)]  # layer, way, slope


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({}, 4.0),
        ({"rows": "variable = 'h'"}, 4.0),
        ({"rows": "layer = 1"}, 1.5),
        ({"rows": "direction = 'backward'"}, 5.0),
        ({"number": "sum(slope * layer)"}, 1 + 2 + 2 * (4 + 8)),
    ],
)
def test_the_last_layer_unless_another_is_asked_for(chosen: dict[str, str], expected: float) -> None:
    runs = study([row(0)])
    runs._prepare(["gradient_fit"])
    run_id = row(0)["run_id"].replace("'", "''")
    values = ", ".join(f"('{run_id}', 5, {layer}, '{way}', 'h', {slope})" for layer, way, slope in ROWS)
    runs.connection.execute(
        f'create or replace view gradient_fit as from (values {values}) as t(run_id, "update", layer, direction, '
        "variable, slope)"
    )
    asked = hypothesis(table="gradient_fit", measure="median", at="all", **{"number": "avg(slope)"} | chosen)
    assert runs.connection.execute(query_of_table(runs, asked)).fetchall() == [(row(0)["run_id"], expected)]
