"""The columns of the tables that further probes write: their SQL types and what they mean.

A probe's class in ``lrd/probes/`` says which columns its table has, in ``columns``; a test compares them with these.
"""

from __future__ import annotations

from lrd.records.schema.column_kinds import INTEGER, REAL, TEXT, Column, Columns
from lrd.records.schema.tables import PART, QUANTILES, UPDATE

_T = Column(INTEGER, "time step, from 0; samples of different length are aligned at their last answer")
_LAG = Column(INTEGER, "last answer's step minus t")

PARAMETER_GRADIENT: Columns = {
    "update": UPDATE,
    **PART,
    "parameter": Column(TEXT, "name of the cell's parameter"),
    "part": Column(
        TEXT,
        "immediate: the norm of what step t adds to the parameter's gradient; beyond: the norm of all that comes from "
        "further back than lag, over the norm of the whole gradient",
    ),
    "answer": Column(TEXT, "whose loss is followed back: last, first, a number or all"),
    "lag": Column(INTEGER, "answer step minus t; log-spaced for beyond"),
    "log10_mean": Column(REAL, "log10 of the mean over samples"),
    "log10_gmean": Column(REAL, "log10 of the geometric mean over the samples that are not 0"),
    **QUANTILES,
    "zero_share": Column(REAL, "share of samples that are exactly 0"),
}

JACOBIAN: Columns = {
    "update": UPDATE,
    **PART,
    "block": Column(TEXT, "whole state, or a block of it: h->c is d c_T / d h_t"),
    "quantity": Column(
        TEXT,
        "sigma: a singular value of d state_T / d state_t; condition: the condition number; bound, bound_slopes: "
        "bounds on the vanilla RNN's largest singular value (Pascanu et al. 2013)",
    ),
    "lag": Column(INTEGER, "T minus t, T the step of the last answer"),
    "index": Column(INTEGER, "number of the singular value, 1 the largest"),
    **{
        name: Column(REAL, column.meaning.replace("the log10 norm", "log10 of the quantity; NULL where unresolved"))
        for name, column in QUANTILES.items()
    },
    "unresolved": Column(REAL, "share of samples whose value float64 cannot resolve beside the block's largest"),
    "samples": Column(INTEGER, "samples that have such a step and finite states"),
}

LYAPUNOV: Columns = {
    "update": UPDATE,
    **PART,
    "mode": Column(TEXT, "driven: along the task's sequences; free: with zero input"),
    "index": Column(INTEGER, "number of the exponent, 1 the largest"),
    "exponent": Column(REAL, "Lyapunov exponent [nats a step]; -inf: mapped to exactly 0; NULL: not resolved"),
    "se_time": Column(REAL, "standard error from the means of 10 blocks of steps"),
    "se_samples": Column(REAL, "standard error from the spread over samples"),
    "standard_error": Column(REAL, "the larger of the two"),
}

GATES: Columns = {
    "update": UPDATE,
    **PART,
    "quantity": Column(
        TEXT,
        "gate: the gate's value; since_store, to_answer: log10 of the product of forget gates from the store to t, and "
        "from t to the last answer",
    ),
    "gate": Column(TEXT, "name of the gate"),
    "variable": Column(TEXT, "state variable that the gate multiplies; empty for none"),
    "t": _T,
    "lag": _LAG,
    "mean": Column(REAL, "mean over samples and units"),
    **{
        f"q{percent:02d}": Column(REAL, f"{percent} % quantile over samples and units, nearest rank")
        for percent in (5, 25, 50, 75, 95)
    },
}

RETENTION: Columns = {
    "update": UPDATE,
    **PART,
    "item": Column(TEXT, "what the task showed, such as the first symbol"),
    "variable": Column(TEXT, "state variable that a linear readout is fitted to"),
    "t": _T,
    "lag": _LAG,
    "since": Column(REAL, "steps since the item was shown, mean over sequences"),
    "score": Column(REAL, "accuracy (classes) or R^2 (values) of the readout on sequences that were not fitted"),
    "chance": Column(REAL, "what a readout of nothing scores"),
    "error": Column(REAL, "standard error of the score over test sequences"),
    "sequences": Column(INTEGER, "test sequences that have shown the item"),
}

MEMORY_CAPACITY: Columns = {
    "update": UPDATE,
    **PART,
    "variable": Column(TEXT, "state variable that a linear readout is fitted to"),
    "k": Column(INTEGER, "which past input u_(t-k) is read"),
    "score": Column(REAL, "held-out R^2"),
    "error": Column(REAL, "standard error of the score over test sequences"),
    "capacity": Column(REAL, "sum of the scores from 0 to k, each at least 0; the last row has the memory capacity"),
    "capacity_error": Column(REAL, "standard error of the capacity"),
}

CLOSING: Columns = {
    "update": UPDATE,
    "low": Column(INTEGER, "smallest distance of the bin [characters], a power of two"),
    "high": Column(INTEGER, "largest distance of the bin"),
    "distance": Column(REAL, "mean distance from opening to closing sign"),
    "count": Column(INTEGER, "closing signs in the bin"),
    "loss": Column(REAL, "mean loss of predicting the closing sign [nats]"),
    "error": Column(REAL, "standard error of the loss over signs; nan for a single one"),
    "accuracy": Column(REAL, "share of signs predicted right"),
    "unigram": Column(REAL, "mean loss of the training part's character frequencies, which see nothing [nats]"),
}

_LAYER = Column(INTEGER, "layer of the network, from 1")
_VARIABLE = Column(TEXT, "state variable")
_UNIT = Column(INTEGER, "entry of the state variable, from 0")

TEXT_UNITS: Columns = {
    "update": UPDATE,
    "layer": _LAYER,
    "variable": _VARIABLE,
    "unit": _UNIT,
    "feature": Column(
        TEXT,
        "quote: 1 inside quotes; bracket: pairs of brackets open; line: characters since the end of the last line",
    ),
    "selecting": Column(REAL, "correlation of activation and feature in the first two thirds of the text's probe part"),
    "rank": Column(INTEGER, "place by the size of that, 1 the best of all layers and state variables"),
    "score": Column(REAL, "correlation in the last third, of which nothing was seen before"),
    "chance": Column(REAL, "95 % quantile of the best unit's score where windows are given another's feature"),
}

TEXT_ACTIVATIONS: Columns = {
    "update": UPDATE,
    "layer": _LAYER,
    "variable": _VARIABLE,
    "unit": _UNIT,
    "feature": Column(TEXT, "the feature that the unit was picked for"),
    "t": Column(INTEGER, "step in the window, from 0"),
    "character": Column(TEXT, "the character of the text that is read at t"),
    "level": Column(REAL, "the feature after this character; NULL where the window does not show it"),
    "value": Column(REAL, "activation of the unit after this character"),
}

#: What one row of each table is, and its columns.
PROBE_TABLES: dict[str, tuple[str, Columns]] = {
    "parameter_gradient": (
        "Contributions of time steps to the gradient of each parameter, one row a parameter, part and lag.",
        PARAMETER_GRADIENT,
    ),
    "jacobian": ("Singular values of products of Jacobians, one row a block, quantity, lag and index.", JACOBIAN),
    "lyapunov": ("Lyapunov exponents, one row a mode and index.", LYAPUNOV),
    "gates": ("Gates along the gap, one row a quantity, gate and time step.", GATES),
    "retention": ("What can be read from the state, one row a state variable, time step and item.", RETENTION),
    "memory_capacity": ("Past inputs read from the state, one row a state variable and delay k.", MEMORY_CAPACITY),
    "closing": ("How well closing brackets and quotes are predicted, one row a bin of distances.", CLOSING),
    "text_units": ("How well units follow features of a text, one row a unit and feature.", TEXT_UNITS),
    "text_activations": ("Activations of picked units along a passage, one row a character.", TEXT_ACTIVATIONS),
}
