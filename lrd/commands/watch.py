"""``lrd watch``: wandb's terminal viewer on a study."""

from __future__ import annotations

from lrd.commands import fail, study_parser


def run(arguments: list[str]) -> int:
    """Open the viewer on the study's offline mirrors."""
    from lrd.records import RecordError, viewer

    given = study_parser("watch").parse_args(arguments)
    try:
        folder = viewer.mirrors_of(given.study)
        viewer.check_viewer()
    except RecordError as error:
        return fail(str(error))
    status = viewer.view(folder)
    return 0 if status == 0 else fail(f"wandb's viewer ended with exit status {status}")
