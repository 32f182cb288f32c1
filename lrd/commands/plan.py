"""``lrd plan``: what ``lrd train`` with the same arguments would do, in how much time and memory."""

from __future__ import annotations

from lrd.commands.composed import composed


def run(arguments: list[str]) -> int:
    """Print the plan; nothing is trained and nothing is left on disk."""
    work = composed(arguments, trains=False)
    if isinstance(work, int):
        return work

    from lrd.spec import SpecError
    from lrd.sweeps.forecast import forecast, in_words

    print(work.headline, flush=True)
    if work.duplicates:
        print(f"{work.duplicates} jobs of the sweep repeat the run of another and count once")
    if work.plan.packs:
        try:
            print(in_words(forecast(work.plan, work.workers)))
        except SpecError as error:  # a cluster's device that this machine lacks
            print(f"no forecast of time and memory here: {error}")
    return 0
