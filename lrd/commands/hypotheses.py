"""``lrd hypotheses``: the verdict of a study's records on each of its hypotheses."""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lrd.commands import add_filter, fail, study_parser

if TYPE_CHECKING:
    from lrd.findings import Finding

_FORMER_NAME = "lrd claims STUDY [--claims FILE] is the former name of this command and does the same."


def run(arguments: list[str]) -> int:
    """Print each hypothesis with its verdict, numbers and reason, then how many hold, fail and are undecided.

    Returns:
        The exit status: 0 whatever the verdicts; 2 where the study, the file or a hypothesis cannot be read.
    """
    from lrd.findings import HypothesisError, check_hypotheses, read_hypotheses, read_paper, verdict_line
    from lrd.records import RecordError, open_study

    parser = study_parser("hypotheses")
    parser.epilog = _FORMER_NAME
    parser.add_argument("--file", type=Path, help="a YAML file with a key hypotheses: (default: the study's own)")
    parser.add_argument("--claims", dest="file", type=Path, help=argparse.SUPPRESS)
    add_filter(parser)
    given = parser.parse_args(arguments)
    source = given.file or given.study
    try:
        study = open_study(given.study, given.filter)
        hypotheses, paper = read_hypotheses(source), read_paper(source)
    except (RecordError, HypothesisError) as error:
        return fail(str(error))
    if not hypotheses:
        return fail(f"{source} holds no hypotheses; give a file that does: --file experiments/demo.yaml")
    findings = check_hypotheses(hypotheses, study)
    _print(findings)
    if paper:
        print(verdict_line(paper, findings))
    for problem in study.problems:
        print(f"lrd: left out: {problem}", file=sys.stderr)
    if broken := [f"hypotheses.{finding.name}: {finding.broken}" for finding in findings if finding.broken]:
        return fail("\n".join(broken))
    return 0


def _print(findings: Sequence[Finding]) -> None:
    from lrd.findings import tally

    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        print(f"{finding.verdict:9}  {finding.name:{width}}  {finding.says}")
        for line in filter(None, (finding.numbers, finding.reason)):
            print(textwrap.fill(line, 110, initial_indent=" " * 11, subsequent_indent=" " * 11))
    print(f"\n{tally(findings)}")
