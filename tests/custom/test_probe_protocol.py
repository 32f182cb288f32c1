"""Each line of the protocol of probes, kept and broken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest
from written import PROBE, spoiled

from lrd.custom import PROBE_PROTOCOL, ProtocolError, check_probe, load_any
from lrd.custom.sql_words import SQL_WORDS
from lrd.custom.table_protocol import OTHER_COLUMNS, OTHER_TABLES
from lrd.paths import CONF
from lrd.probes import PROBES
from lrd.records import schema

TABLE = '{"t": range(len(norm)), "part": ["h"] * len(norm), "norm": norm, "large": norm > 1}'
SCALARS = "\n    def scalars(self, tables):\n        return {}\n"
#: Where a default takes seconds.
SMALL: dict[str, dict[str, Any]] = {"lyapunov": {"steps": 20, "transient": 5}, "parameter_gradient": {"samples": 3}}


def checked(folder: Path, text: str) -> list[str]:
    (folder / "probe.py").write_text(text)
    group, kind = load_any(f"{folder / 'probe.py'}:Norms")
    assert group == "probe"
    return PROBE_PROTOCOL.check(kind)


@pytest.mark.parametrize("name", PROBES)
def test_every_probe_of_lrd_keeps_it_but_for_what_is_lrds(name: str) -> None:
    """Names of lrd's own tables are taken, and the scalars of some have older names."""
    probe = PROBES[name](**SMALL.get(name, {}))
    if name in ("gradient_flow", "jacobian", "gates", "retention"):
        with pytest.raises(ProtocolError, match="names of scalars must begin with") as caught:
            check_probe(probe)
        assert caught.value.line == 10
    else:
        assert check_probe(probe) == [] or name == "closing"  # which is for texts alone


def test_a_plain_probe_keeps_it(tmp_path: Path) -> None:
    assert checked(tmp_path, PROBE) == []
    assert checked(tmp_path, PROBE + SCALARS.replace("{}", '{"my_norms_last": 1.0}')) == []


@pytest.mark.parametrize(
    ("line", "old", "new", "message"),
    [
        (1, "@dataclass(frozen=True)\n", "", "@dataclass.frozen=True. is missing above the class"),
        (1, 'option(1.0, "factor", gt=0)', "1.0", "scale is no option"),
        (2, '"my_norms"', '"my norms"', "`name` must be made of letters, digits and _"),
        (2, '"my_norms"', '"My_norms"', "`name` must be small letters, digits and _, a letter first, got 'My_norms'"),
        (2, '"my_norms"', '"gradient_fit"', "`name` must be none of lrd's tables, got 'gradient_fit'"),
        (2, '"my_norms"', '"runs"', "`name` must be none of lrd's tables, got 'runs'"),
        (2, '"my_norms"', '"order"', "`name` must be no word of SQL, got 'order'"),
        (2, "def measure", "def measures", "it lacks measure"),
        (
            3,
            ', {"t": "BIGINT", "part": "VARCHAR", "norm": "DOUBLE", "large": "BOOLEAN"}',
            ", {}",
            "`columns` must give",
        ),
        (3, '"large": "BOOLEAN"', '"update": "BIGINT"', "a column cannot be called update"),
        (3, '"large": "BOOLEAN"', '"layer": "BIGINT"', "a column cannot be called layer, which lrd adds, unless"),
        (
            3,
            '"large": "BOOLEAN"',
            '"Direction": "BIGINT"',
            "a column cannot be called Direction, which lrd adds, unless",
        ),
        (3, '"large": "BOOLEAN"', '"T": "BIGINT"', "must differ by more than case"),
        (3, '"large": "BOOLEAN"', '"select": "BIGINT"', "be no word of SQL, got 'select'"),
        (3, '"DOUBLE"', '"FLOAT"', "the type of norm must be one of BIGINT, DOUBLE, VARCHAR, BOOLEAN, got 'FLOAT'"),
        (4, "return tables", "return tables[0]", "measure must give a list of 2 tables, one a run, got a dict"),
        (4, "return tables", "return tables[:1]", "measure must give a list of 2 tables, one a run, got 1"),
        (4, '["h"]\n', '["c"]\n', r"measure, with task=adding cell=rnn, raised KeyError: 'c' \(line 13\)"),
        (4, "(-1)\n", "(-1) + torch.zeros(len(h)).double()\n", "measure makes a tensor on another device than the"),
        (5, '"norm": norm,', "", "a table lacks norm"),
        (5, '"norm": norm,', '"norm": norm, "more": norm,', "a table has undeclared more"),
        (5, '"norm": norm,', '"norm": norm[1:],', "columns must be equally long, got t "),
        (5, '"norm": norm,', '"norm": norm[None],', r"the column norm must have one axis, got the shape \[1, "),
        (6, '"norm": norm,', '"norm": ["a"] * len(norm),', "norm must hold DOUBLE, got texts"),
        (6, '"t": range(len(norm))', '"t": norm', "t must hold BIGINT, got float64"),
        (6, '["h"] * len(norm)', "norm", "part must hold VARCHAR, got float64"),
        (7, "tables = []", 'tables = []; subject.params["W"].mul_(2)', "it wrote into W: make a new tensor instead"),
        (7, "(-1)\n", "(-1) + torch.rand(1).to(h)\n", "it draws from torch's own random numbers"),
        (8, "tables = []", "tables = []; import random; h = h * random.random()", "the same subject gave other rows"),
        (9, "h[:, run]", "(h - h.mean())[:, run]", "norm of a run alone is another than of the same run in a pack"),
    ],
)
def test_what_breaks_a_line_is_reported(tmp_path: Path, line: int, old: str, new: str, message: str) -> None:
    with pytest.raises(ProtocolError, match=message) as caught:
        checked(tmp_path, spoiled(PROBE, old, new))
    assert caught.value.line == line, caught.value


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("3.0", "scalars must give a dict of numbers, got a float"),
        ('{"slope_h": 1.0}', "names of scalars must begin with my_norms, got 'slope_h'"),
        ('{"my_norms_last": tables["my_norms"]["norm"]}', "the scalar my_norms_last must be a number, got a ndarray"),
        ('{"my_norms_last": tables["my_norm"]}', "scalars raised KeyError"),
    ],
)
def test_scalars_are_numbers_of_its_own_names(tmp_path: Path, given: str, message: str) -> None:
    with pytest.raises(ProtocolError, match=message) as caught:
        checked(tmp_path, PROBE + f"\n    def scalars(self, tables):\n        return {given}\n")
    assert caught.value.line == 10


def test_a_probe_is_tried_on_what_it_is_for_alone(tmp_path: Path) -> None:
    of_c = spoiled(PROBE, '["h"]\n', '["c"]\n')
    refuse = (
        "\n    def check_cell(self, cell):\n        if {}:\n            raise OptionError('samples', 'is for others')\n"
    )
    assert checked(tmp_path, of_c + refuse.format('"c" not in cell.state_names')) == []
    with pytest.raises(ProtocolError, match=r"check raised AttributeError: .*nothing.* \(line \d+\)"):
        checked(tmp_path, PROBE + refuse.format("cell.nothing"))
    (remark,) = checked(tmp_path, PROBE + refuse.format("True"))
    assert remark.endswith("lines 4 to 11 were not tried")


STATES = 'h = self.scale * subject.states(subject.sequences(self.samples))["h"]'
#: Steps the cell of a subject along ``{read}``, one run at a time.
STEPPED = """h = []
        batch = subject.sequences(self.samples)
        for run in range(len(subject.seeds)):
            p = {{name: value[run] for name, value in subject.parameters().items()}}
            state = [batch.inputs.new_zeros(self.samples, size) for size in subject.cell.state_sizes()]
            of_run = []
            for x in {read}[:, run]:
                state = torch.func.vmap(subject.cell.step, in_dims=(None, 0, 0))(p, x, tuple(state))
                of_run.append(state[0])
            h.append(torch.stack(of_run))
        h = self.scale * torch.stack(h, 1)"""


def test_a_probe_that_steps_the_cell_gives_it_what_its_part_reads(tmp_path: Path) -> None:
    """Driven by the task's inputs it works for one layer, and not for those above."""
    assert checked(tmp_path, spoiled(PROBE, STATES, STEPPED.format(read="subject.driven(batch.inputs)"))) == []
    with pytest.raises(ProtocolError) as caught:
        checked(tmp_path, spoiled(PROBE, STATES, STEPPED.format(read="batch.inputs")))
    assert caught.value.line == 11
    said = str(caught.value)
    where = "with task=copy cell=lstm cell.layers=2 cell.bidirectional=true, of layer 2 forward,"
    assert said.startswith(f"measure, {where} raised RuntimeError: ")
    assert said.endswith("; its cell reads subject.driven(batch.inputs)")
    assert "(line 20)" in said
    assert "\n" not in said


def test_a_probe_of_the_network_gets_the_whole(tmp_path: Path) -> None:
    whole = spoiled(PROBE, '"my_norms", {', '"my_norms", {"layer": "BIGINT", ').replace(
        "    scale:", "    of_network = True\n    scale:"
    )
    whole = spoiled(whole, '{"t": range', '{"layer": [1] * len(norm), "t": range')
    read = "h = self.scale * subject.h(subject.sequences(self.samples).inputs)"
    assert checked(tmp_path, spoiled(whole, STATES, read)) == []
    with pytest.raises(
        ProtocolError, match=r"ValueError: a network has .*; the readout sees subject.h\(batch.inp"
    ) as caught:
        checked(tmp_path, whole)
    assert caught.value.line == 11


def test_a_probe_may_refuse_networks_of_several_layers(tmp_path: Path) -> None:
    refuses = (
        "\n    def check_cell(self, cell):\n        if cell.layers > 1:\n            raise OptionError('scale', '')\n"
    )
    of_inputs = spoiled(PROBE, STATES, STEPPED.format(read="batch.inputs"))
    assert checked(tmp_path, of_inputs + refuses) == []


def test_last_bits_that_depend_on_companions_are_remarked(tmp_path: Path) -> None:
    (remark,) = checked(tmp_path, spoiled(PROBE, "(-1)\n", "(-1) * (1 + 1e-12 * len(subject.seeds))\n"))
    assert remark.startswith("the last bits of a run's rows depend on its companions in the pack")


def test_what_is_taken_is_what_records_and_sql_have() -> None:
    query = "select keyword_name from duckdb_keywords() where keyword_category = 'reserved'"
    assert {word for (word,) in duckdb.connect().execute(query).fetchall()} <= SQL_WORDS
    tables = {table for probe in PROBES.values() for table in probe.tables()} | OTHER_TABLES
    assert schema.TABLES.keys() | {"runs"} <= tables
    assert {path.stem for path in (CONF / "probe").glob("*.yaml")} <= tables
    assert {"update", "run_id", "filename"} == OTHER_COLUMNS
