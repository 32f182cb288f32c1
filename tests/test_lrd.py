"""What importing lrd does to a process."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PRODUCTS = """
import lrd, os, torch
torch.manual_seed(0)
x, y = torch.randn(5, 100, 5).transpose(1, 2), torch.randn(5, 100, 5)
together = torch.bmm(x, y)
print(os.environ["MKL_CBWR"], all(torch.equal(together[i], x[i].clone() @ y[i].clone()) for i in range(5)))
"""


@pytest.mark.slow_but(1)
@pytest.mark.parametrize(
    ("given", "expected"), [({}, "AUTO True\n"), ({"MKL_CBWR": "COMPATIBLE"}, "COMPATIBLE True\n")]
)
def test_products_do_not_depend_on_where_their_factors_lie(given: dict[str, str], expected: str) -> None:
    """On AMD's Zen 4 they do, where MKL may choose."""
    environment = {name: value for name, value in os.environ.items() if name != "MKL_CBWR"} | given
    done = subprocess.run([sys.executable, "-c", PRODUCTS], env=environment, capture_output=True, text=True)
    assert done.stdout == expected, done.stderr
