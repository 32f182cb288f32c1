"""``lrd claims``: what a study claims, and what its records say of it."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

from lrd.commands import fail, study_parser


def run(arguments: list[str]) -> int:
    """Print each claim with its verdict; the exit status is 0 whatever the verdicts, 2 where a claim is malformed."""
    from lrd.findings import FAILS, HOLDS, UNDECIDED, ClaimError, check_claims, read_claims
    from lrd.records import RecordError, open_study

    parser = study_parser("claims")
    parser.add_argument("--claims", type=Path, help="a YAML file with a key claims: (default: the study's own)")
    parser.add_argument("--filter", help="of which runs, in SQL: \"cell = 'lstm' and gap >= 50\"")
    given = parser.parse_args(arguments)
    try:
        study = open_study(given.study, given.filter)
        claims = read_claims(given.claims or given.study)
    except (RecordError, ClaimError) as error:
        return fail(str(error))
    if not claims:
        return fail(
            f"{given.claims or given.study} holds no claims; give a file that does: --claims experiments/demo.yaml"
        )
    findings = check_claims(claims, study)
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        print(f"{finding.verdict:9}  {finding.name:{width}}  {finding.says}")
        for line in filter(None, (finding.numbers, finding.reason)):
            print(textwrap.fill(line, 110, initial_indent=" " * 11, subsequent_indent=" " * 11))
    tally = {verdict: sum(finding.verdict == verdict for finding in findings) for verdict in (HOLDS, FAILS, UNDECIDED)}
    print(f"\n{len(findings)} claims: {', '.join(f'{count} {verdict}' for verdict, count in tally.items())}")
    for problem in study.problems:
        print(f"lrd: left out: {problem}", file=sys.stderr)
    if broken := [f"claims.{finding.name}: {finding.broken}" for finding in findings if finding.broken]:
        return fail("\n".join(broken))
    return 0
