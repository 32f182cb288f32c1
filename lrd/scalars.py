"""Scalars: what of a probe's measurement is one number, for the summary of a run and for its mirror.

Apart from the probes and without torch, for which readers of records need not wait.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

Columns = dict[str, np.ndarray]
WHOLE = "whole"  # block of the table jacobian: of the whole state


@dataclass(frozen=True)
class Scalars:
    """The scalars of one probe.

    Attributes:
        tables: names of the tables that are needed.
        of: makes the numbers, by name, from the columns of these tables in one measurement of one run.
    """

    tables: tuple[str, ...]
    of: Callable[[Mapping[str, Columns]], dict[str, float]]


def mean_of(table: Columns, column: str, rows: np.ndarray) -> float:
    """Return the mean of a column over some rows of a table.

    Args:
        table: columns of one measurement.
        column: name of the column.
        rows: a mask of the rows.

    Returns:
        nan where there is no such row, or where one was not measured (nan or masked).
    """
    values = np.ma.filled(table[column][rows].astype(np.float64), np.nan)
    return float(values.mean()) if len(values) else float("nan")


def of_gradient_flow(tables: Mapping[str, Columns]) -> dict[str, float]:
    """Return ``slope_<variable>`` and ``horizon_<variable>`` of the fits, for each state variable."""
    fits = tables["gradient_fit"]
    return {
        f"{what}_{variable}": float(fits[what][row])
        for row, variable in enumerate(fits["variable"])
        for what in ("slope", "horizon")
    }


def of_jacobian(tables: Mapping[str, Columns]) -> dict[str, float]:
    """Return ``sigma_rate``, by which factor a step stretches the state's most stretched direction.

    log10 of the largest singular value of the Jacobian over the largest lag (of the whole state, median over samples),
    divided by that lag; below 0 every direction shrinks.
    """
    table = tables["jacobian"]
    leading = (table["block"] == WHOLE) & (table["quantity"] == "sigma") & (table["index"] == 1)
    if not leading.any():
        return {}
    largest = int(table["lag"][leading].max())
    return {"sigma_rate": mean_of(table, "log10_q50", leading & (table["lag"] == largest)) / largest}


def of_lyapunov(tables: Mapping[str, Columns]) -> dict[str, float]:
    """Return ``lyapunov_driven`` and ``lyapunov_free``, the leading exponent of each mode."""
    table = tables["lyapunov"]
    leading = table["index"] == 1
    modes = dict.fromkeys(table["mode"])
    return {f"lyapunov_{mode}": mean_of(table, "exponent", leading & (table["mode"] == mode)) for mode in modes}


def of_gates(tables: Mapping[str, Columns]) -> dict[str, float]:
    """Return two numbers of each gate.

    ``gate_<name>`` is the gate's mean over samples, units and the steps up to the last answer. For forget gates,
    ``log10_kept_by_<name>`` is log10 of their product from the store to the last answer, its mean over samples and
    units.
    """
    table = tables["gates"]
    found = {}
    for gate in dict.fromkeys(table["gate"]):
        mine = table["gate"] == gate
        found[f"gate_{gate}"] = mean_of(table, "mean", mine & (table["quantity"] == "gate"))
        products = mine & (table["quantity"] == "since_store") & (table["lag"] == 0)
        if products.any():
            found[f"log10_kept_by_{gate}"] = mean_of(table, "mean", products)
    return found


def of_retention(tables: Mapping[str, Columns]) -> dict[str, float]:
    """Return ``readable_<variable>``, the share of each item that can be read from the state at the last answer.

    (score - chance) / (1 - chance), its mean over items; for a value, R^2. An item whose chance is 1 is left out.
    """
    table = tables["retention"]
    room = 1 - table["chance"]
    at_answer = (table["lag"] == 0) & (room > 0)
    shares = {"share": (table["score"] - table["chance"]) / np.where(room > 0, room, 1.0)}
    variables = dict.fromkeys(table["variable"][at_answer])
    return {f"readable_{v}": mean_of(shares, "share", at_answer & (table["variable"] == v)) for v in variables}


#: The scalars of each probe that has any, in the order of ``lrd.probes.PROBES``.
SCALARS = {
    "gradient_flow": Scalars(("gradient_flow", "gradient_fit"), of_gradient_flow),
    "jacobian": Scalars(("jacobian",), of_jacobian),
    "lyapunov": Scalars(("lyapunov",), of_lyapunov),
    "gates": Scalars(("gates",), of_gates),
    "retention": Scalars(("retention",), of_retention),
}
