"""What a study claims, and what its records say of it.

findings = check_claims(read_claims("runs/demo"), open_study("runs/demo"))
"""

from lrd.findings.check import check_claims
from lrd.findings.claim import Claim, ClaimError, claims_from
from lrd.findings.files import CLAIMS, read_claims, write_claims
from lrd.findings.finding import FAILS, HOLDS, UNDECIDED, Finding

__all__ = [
    "CLAIMS",
    "FAILS",
    "HOLDS",
    "UNDECIDED",
    "Claim",
    "ClaimError",
    "Finding",
    "check_claims",
    "claims_from",
    "read_claims",
    "write_claims",
]
