"""The updates at which a probe measures."""

from __future__ import annotations


def log_spaced(last: int, per_decade: int = 3) -> list[int]:
    """Return update 0, about ``per_decade`` a decade in 1-2-5 manner (1, 2, 5, 10, ...), and the update ``last``.

    Rounded powers of ten, the same whatever ``last`` is, so that runs of different length share their moments.
    """
    if per_decade == 0:
        return sorted({0, last})
    moments = {0, last}
    k = 0
    while (moment := _round(10 ** (k / per_decade))) < last:
        moments.add(moment)
        k += 1
    return sorted(moments)


def _round(x: float) -> int:
    digits = max(0, len(str(int(x))) - 1)
    return int(round(x / 10**digits) * 10**digits)
