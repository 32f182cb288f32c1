"""What a study states, its hypotheses, and the verdicts of its records on them.

Example:
    findings = check_hypotheses(read_hypotheses("runs/demo"), open_study("runs/demo"))
"""

from lrd.findings.check import check_hypotheses
from lrd.findings.files import HYPOTHESES, read_hypotheses, read_paper, write_hypotheses
from lrd.findings.finding import FAILS, HOLDS, UNDECIDED, Finding
from lrd.findings.hypothesis import Hypothesis, HypothesisError
from lrd.findings.paper import AGREES, DISAGREES, PARTLY, Paper, paper_from, paper_verdict, verdict_line
from lrd.findings.statements import hypotheses_from
from lrd.findings.verdict_table import tally, verdict_table

__all__ = [
    "AGREES",
    "DISAGREES",
    "FAILS",
    "HOLDS",
    "HYPOTHESES",
    "PARTLY",
    "UNDECIDED",
    "Finding",
    "Hypothesis",
    "HypothesisError",
    "Paper",
    "check_hypotheses",
    "hypotheses_from",
    "paper_from",
    "paper_verdict",
    "read_hypotheses",
    "read_paper",
    "tally",
    "verdict_line",
    "verdict_table",
    "write_hypotheses",
]
