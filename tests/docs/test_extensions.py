"""The Markdown extensions of the documentation: equations, and parts made from the code."""

from __future__ import annotations

import re

import equations
import generated
import markdown
import pytest


def html(text: str, *extensions: object) -> str:
    return markdown.markdown(text, extensions=[*extensions, "tables"])


def test_an_equation_becomes_mathml_and_code_stays_code() -> None:
    made = html(r"The norm $\lVert \delta_t \rVert = 2^{e_t}\, m_t$ of `$x$` costs $5 and $6.", equations.Equations())
    assert made.count("<math") == 1
    assert "<code>$x$</code>" in made
    assert "costs $5 and $6." in made
    assert "<msup><mn>2</mn>" in made


def test_a_block_becomes_an_equation_of_its_own() -> None:
    made = html("Before\n\n$$\n\\delta_{t-1} = W^\\top\n\\delta_t\n$$\n\nafter", equations.Equations())
    assert re.search(r'<div class="equation">\s*<math [^>]*display="block"', made)
    assert "$" not in made


def test_readings_come_from_the_script() -> None:
    made = html("{{ reading gap_wall }}", generated.Generated())
    assert "95 % Wilson interval" in made
    assert "{{" not in made
    with pytest.raises(LookupError, match="does not say"):
        html("{{ reading no_such_figure }}", generated.Generated())


def test_every_option_has_a_row() -> None:
    made = html("{{ options cell }}", generated.Generated())
    assert "<code>cell=lstm_peephole</code>" in made
    assert re.search(r"<td><code>cell\.forget_bias</code></td>\s*<td><code>1.0</code></td>", made)


def test_every_probe_says_what_it_measures() -> None:
    made = html("{{ probes }}", generated.Generated())
    assert made.count("<h3") == len(generated.kinds("probe"))
    assert "``" not in made


def test_every_table_and_file_of_a_record_is_described() -> None:
    made = html("{{ tables }}\n\n{{ files }}", generated.Generated())
    assert re.search(r"<td><code>log10_gmean</code></td>\s*<td>DOUBLE</td>\s*<td>\w+", made)
    for name in ("runs", "gradient_norms", "gates", "summary.json", "checkpoint.pt"):
        assert f"<code>{name}</code>" in made
    assert "``" not in made


def test_a_cell_of_a_table_may_hold_a_bar() -> None:
    assert generated.table(["a"], [["x | y"]])[3] == "| x \\| y |"
