"""What a study states, its hypotheses, and the verdicts of its records on them.

Example:
    findings = check_hypotheses(read_hypotheses("runs/demo"), open_study("runs/demo"))
"""

from lrd.findings.check import check_hypotheses
from lrd.findings.files import HYPOTHESES, read_hypotheses, write_hypotheses
from lrd.findings.finding import FAILS, HOLDS, UNDECIDED, Finding
from lrd.findings.hypothesis import Hypothesis, HypothesisError
from lrd.findings.statements import hypotheses_from
from lrd.findings.verdict_table import tally, verdict_table

__all__ = [
    "FAILS",
    "HOLDS",
    "HYPOTHESES",
    "UNDECIDED",
    "Finding",
    "Hypothesis",
    "HypothesisError",
    "check_hypotheses",
    "hypotheses_from",
    "read_hypotheses",
    "tally",
    "verdict_table",
    "write_hypotheses",
]
