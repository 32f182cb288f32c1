"""The tables of the probe ``gradient_flow``: which rows a run gets, and the columns that the records declare."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from helpers import random_parameters

from lrd.cells import FIRST, RNN
from lrd.gradients.flow import Flow
from lrd.gradients.schema import PART_COLUMNS
from lrd.probes import GradientFlow, Subject
from lrd.probes.gradient_flow import profile_columns
from lrd.records import schema
from lrd.tasks import Copy


def test_table_of_a_run() -> None:
    total = np.array([[np.nan, np.nan], [-3.0, np.nan], [-2.0, -np.inf], [-1.0, -1.0]])
    direct = np.array([[np.nan, np.nan], [-np.inf, np.nan], [-np.inf, -np.inf], [-1.0, -1.0]])
    lags = torch.arange(3, -1, -1)
    flow = Flow("last", FIRST, lags, *({"h": torch.from_numpy(norms)[:, None]} for norms in (total, direct)))
    columns = profile_columns(flow, 0)
    assert {"update", *PART_COLUMNS, *columns} == set(schema.GRADIENT_FLOW_COLUMNS)
    assert columns["part"].tolist() == ["total"] * 3 + ["direct"]  # no row for a step that no sample has
    assert columns["t"].tolist() == [1, 2, 3, 3]
    assert columns["lag"].tolist() == [2, 1, 0, 0]
    assert columns["log10_gmean"].tolist() == [-3, -2, -1, -1]
    assert columns["log10_mean"].tolist() == pytest.approx([-3, -2 - math.log10(2), -1, -1], abs=1e-15)
    assert columns["zero_share"].tolist() == [0, 0.5, 0, 0]
    assert columns["log10_q25"].tolist() == [-3, -math.inf, -1, -1]
    assert {*columns["variable"]} == {"h"}
    assert {*columns["answer"]} == {"last"}


def test_each_answer_has_a_profile_of_its_own() -> None:
    task, cell = Copy(gap=3, items=2, symbols=2), RNN(hidden_size=3)
    params = random_parameters(cell, task.input_size, 1, task.output_size)
    seen = Subject(task, cell, params, torch.tensor([4]))
    (each,) = GradientFlow(samples=3, answer="each").tables_of(seen)
    for k in range(task.answers):
        (one,) = GradientFlow(samples=3, answer=k).tables_of(seen)
        rows = each["gradient_flow"]["answer"] == str(k)
        for name, column in one["gradient_flow"].items():
            np.testing.assert_array_equal(each["gradient_flow"][name][rows], column)
    np.testing.assert_equal(each["gradient_fit"], one["gradient_fit"])  # of the last answer


def test_its_tables_are_those_of_the_records() -> None:
    tables = GradientFlow.tables()
    known = {"gradient_flow": schema.GRADIENT_FLOW_COLUMNS, "gradient_fit": schema.GRADIENT_FIT_COLUMNS}
    assert {name: {"update": "BIGINT", **columns} for name, columns in tables.items()} == known
