"""Weeks in remission of 42 children with leukaemia, 6-mercaptopurine against placebo (Freireich et al. 1963, Blood 21).

The worked example of survival analysis since Gehan (1965); Klein & Moeschberger (2003), table 1.1.
"""

from __future__ import annotations

import numpy as np

RELAPSED = [6, 6, 6, 7, 10, 13, 16, 22, 23]
CENSORED = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
PLACEBO = np.array([1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23], dtype=float)

DRUG = np.array(RELAPSED + CENSORED, dtype=float)
DRUG_EVENTS = np.arange(21) < len(RELAPSED)
