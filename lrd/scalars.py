"""Single numbers of measurements: watched while a run trains, kept in its summary, and shown by its mirror.

Apart from the probes, and without torch: who reads records need not wait for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Columns = dict[str, np.ndarray]
#: The numpy type of a column's SQL type.
DTYPES: dict[str, Any] = {"VARCHAR": object, "BIGINT": np.int64, "DOUBLE": np.float64}
WHOLE = "whole"  # block of the table jacobian: of the whole state


@dataclass(frozen=True)
class Scalars:
    """How to get the numbers of one run's measurement from its ``tables`` by name, of which all must be there."""

    tables: tuple[str, ...]
    numbers: Callable[[Mapping[str, Columns]], dict[str, float]]

    def of(self, tables: Mapping[str, Columns]) -> dict[str, float]:
        """Return the numbers by name; of a network of several parts, those of the last layer's forward part."""
        return self.numbers({name: of_last_part(columns) for name, columns in tables.items()})


def of_last_part(table: Columns) -> Columns:
    """Return the rows of a table that are of a network's last layer and its forward direction.

    A table without ``layer`` and ``direction`` has no others.
    """
    if "layer" not in table or not len(table["layer"]):
        return table
    mine = (table["layer"] == table["layer"].max()) & (table["direction"] == "forward")
    return table if mine.all() else {name: values[mine] for name, values in table.items()}


def mean_of(table: Columns, column: str, rows: np.ndarray) -> float:
    """Return the mean of a column over some rows; nan if there is none, or one was not measured (nan or masked)."""
    values = np.ma.filled(table[column][rows].astype(np.float64), np.nan)
    return float(values.mean()) if len(values) else float("nan")


def of_gradient_flow(tables: Mapping[str, Columns]) -> dict[str, float]:
    """Return ``slope_<variable>`` and ``horizon_<variable>`` of the fits."""
    fits = tables["gradient_fit"]
    return {
        f"{what}_{variable}": float(fits[what][row])
        for row, variable in enumerate(fits["variable"])
        for what in ("slope", "horizon")
    }


def of_jacobian(tables: Mapping[str, Columns]) -> dict[str, float]:
    """Return ``sigma_rate``: log10 a step of the whole state's largest singular value over the largest lag.

    It is the median over samples; below 0 every direction shrinks.
    """
    table = tables["jacobian"]
    leading = (table["block"] == WHOLE) & (table["quantity"] == "sigma") & (table["index"] == 1)
    if not leading.any():
        return {}
    largest = int(table["lag"][leading].max())
    return {"sigma_rate": mean_of(table, "log10_q50", leading & (table["lag"] == largest)) / largest}


def of_lyapunov(tables: Mapping[str, Columns]) -> dict[str, float]:
    """Return ``lyapunov_driven`` and ``lyapunov_free``: the leading exponent of each mode."""
    table = tables["lyapunov"]
    leading = table["index"] == 1
    modes = dict.fromkeys(table["mode"])
    return {f"lyapunov_{mode}": mean_of(table, "exponent", leading & (table["mode"] == mode)) for mode in modes}


def of_gates(tables: Mapping[str, Columns]) -> dict[str, float]:
    """Return the mean of each gate, and how much each forget gate keeps.

    ``gate_<name>``: the gate's mean over samples, units and the steps up to the last answer; ``log10_kept_by_<name>``,
    of forget gates: log10 of the product from the store to the last answer, its mean over samples and units.
    """
    table = tables["gates"]
    found = {}
    for gate in dict.fromkeys(table["gate"]):
        mine = table["gate"] == gate
        found[f"gate_{gate}"] = mean_of(table, "mean", mine & (table["quantity"] == "gate") & (table["lag"] >= 0))
        products = mine & (table["quantity"] == "since_store") & (table["lag"] == 0)
        if products.any():
            found[f"log10_kept_by_{gate}"] = mean_of(table, "mean", products)
    return found


def of_retention(tables: Mapping[str, Columns]) -> dict[str, float]:
    """Return ``readable_<variable>``: (score - chance) / (1 - chance) at the last answer, its mean over items.

    For a value it is R^2. An item that a readout of nothing never misses is left out.
    """
    table = tables["retention"]
    room = 1 - table["chance"]
    at_answer = (table["lag"] == 0) & (room > 0)
    shares = {"share": (table["score"] - table["chance"]) / np.where(room > 0, room, 1.0)}
    variables = dict.fromkeys(table["variable"][at_answer])
    return {f"readable_{v}": mean_of(shares, "share", at_answer & (table["variable"] == v)) for v in variables}


#: Of each probe that has any, in the order of ``lrd.probes.PROBES``.
SCALARS = {
    "gradient_flow": Scalars(("gradient_flow", "gradient_fit"), of_gradient_flow),
    "jacobian": Scalars(("jacobian",), of_jacobian),
    "lyapunov": Scalars(("lyapunov",), of_lyapunov),
    "gates": Scalars(("gates",), of_gates),
    "retention": Scalars(("retention",), of_retention),
}
