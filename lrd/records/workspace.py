"""The wandb workspace of a study: made offline from its records, and saved on a server.

The library for it, wandb-workspaces, imports wandb, and speaks to a server in ``save`` alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lrd.records.dashboard import Chart, sections
from lrd.records.files import RecordError
from lrd.records.mirror_keys import mirror_keys
from lrd.records.record import RunRecord
from lrd.records.sync import MirrorPlace, place_of
from lrd.records.wandb_runs import log_in, prepare, tear_down
from lrd.records.wandb_server import ASK_TIMEOUT, within

if TYPE_CHECKING:
    from wandb_workspaces.workspaces import Workspace

    from lrd.records.study import Study

COLUMNS = ("outcome", "solved_at", "test_loss", "seconds")  # of the summary, shown beside the names of runs
RUNS_SHOWN = 100  # curves in one chart; a group of runs is one curve


def place_of_study(study: Study, project: str | None, entity: str | None) -> MirrorPlace:
    """Return the project and entity that the runs of a study are mirrored to.

    Args:
        study: the study.
        project: wandb project of all mirrors; None: the one in the records.
        entity: wandb entity of all mirrors; None: the one in the records.

    Raises:
        RecordError: the runs are mirrored to several places.
    """
    found: dict[MirrorPlace, str] = {}
    for run_id in study.where("true"):
        run = RunRecord(study.path.parent, study.path.name, run_id).read_run()
        found.setdefault(place_of(run.get("tracker") or {}, project, entity), run_id)
    if len(found) > 1:
        several = ", ".join(f"{entity or '(default)'}/{project}" for project, entity in found)
        raise RecordError(f"the runs of {study.path} are mirrored to {several}: choose by --entity and --project")
    return next(iter(found))


def make_workspace(study: Study, place: MirrorPlace, directory: Path) -> Workspace:
    """Make the workspace of a study, without network; the same records give the same workspace.

    Args:
        study: the study.
        place: project and entity; an entity of None is left empty, and ``save`` fills it in.
        directory: where wandb may write its files.
    """
    prepare(directory)
    from wandb_workspaces import workspaces as ws

    project, entity = place
    found = mirror_keys(study)
    name = _name(study)
    made = ws.Workspace(
        entity=entity or "",
        project=project,
        name=f"lrd: {name}",
        sections=[_section(title, charts) for title, charts in sections(found).items()],
        settings=ws.WorkspaceSettings(x_axis="update", max_runs=RUNS_SHOWN),
        runset_settings=_runs(name, found.summary, _codes(study)),
    )
    # A name of its own for each study, so that saving again changes the same view instead of adding another.
    made._internal_name = f"nw-{_digest(project, name)}-v"
    return made


def as_json(workspace: Workspace) -> str:
    """Return the workspace as JSON, in the form that a server gets."""
    text: str = workspace._to_model().model_dump_json(by_alias=True, exclude_none=True, indent=2)
    return text


def outline(study: Study, place: MirrorPlace) -> list[str]:
    """Describe the dashboard of a study in words, a line a chart."""
    project, entity = place
    lines = [f"workspace 'lrd: {_name(study)}' in {entity or 'the entity of the key'}/{project}"]
    for title, charts in sections(mirror_keys(study)).items():
        lines += [f"{title}", *(f"  {chart.line}" for chart in charts)]
    return lines


def save(workspace: Workspace, directory: Path) -> str:
    """Save a workspace in its project, in the place of an earlier one of the study, and return its address.

    Raises:
        ServerError: there is no key, server or project, or no answer in time.
    """
    try:
        return within(2 * ASK_TIMEOUT, lambda: _save(workspace, directory))
    finally:
        tear_down()


def _save(workspace: Workspace, directory: Path) -> str:
    prepare(directory)
    log_in()
    import wandb
    from wandb_workspaces.workspaces.internal import View

    if not workspace.entity:
        workspace.entity = str(wandb.Api(timeout=ASK_TIMEOUT).default_entity)
    try:
        workspace._internal_id = View.from_name(workspace.entity, workspace.project, workspace._internal_name).id
    except ValueError as error:  # raised for a view that is not there, and for a project
        if "Project" in str(error):
            where = f"{workspace.entity}/{workspace.project}"
            raise ValueError(f"there is no project {where} for this key; `lrd sync` makes it") from error
    workspace.save()  # type: ignore[no-untyped-call]
    return str(workspace.url)


def _name(study: Study) -> str:
    """Return the study's name in its records, the group of its mirrors; its folder may have another name by now."""
    ((name,),) = study.sql("select study from runs group by study order by count(*) desc, study limit 1").fetchall()
    return str(name)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def _section(title: str, charts: Sequence[Chart]) -> Any:
    from wandb_workspaces import workspaces as ws

    panels = [_panel(chart) for chart in charts]
    for chart, panel in zip(charts, panels, strict=True):
        panel._id = _digest(title, chart.kind, *chart.keys)  # the library draws one at random
    x_axis = ws.SectionPanelSettings(x_axis="update")
    return ws.Section(name=title, panels=panels, is_open=True, panel_settings=x_axis)


def _panel(chart: Chart) -> Any:
    from wandb_workspaces.reports.v2 import interface as wr

    over_runs: Any = {"groupby_aggfunc": "median", "groupby_rangefunc": "minmax"}
    if chart.kind == "pictures":
        return wr.MediaBrowser(title=chart.title, media_keys=list(chart.keys), num_columns=2)
    if chart.kind == "runs":
        gap, y = wr.Config("task.gap"), wr.SummaryMetric(chart.keys[0])
        return wr.ScatterPlot(title=chart.title, x=gap, y=y, log_x=chart.log_x, log_y=chart.log_y)
    if chart.kind == "bars":
        return wr.BarPlot(title=chart.title, metrics=list(chart.keys), groupby=wr.Config("cell.name"), **over_runs)
    return wr.LinePlot(
        title=chart.title,
        x="update",
        y=list(chart.keys),
        log_x=chart.log_x,
        log_y=chart.log_y,
        title_x="update",
        max_runs_to_show=RUNS_SHOWN,
        **over_runs,
    )


def _codes(study: Study) -> list[str]:
    """Return the options by which runs are grouped too, ``cell.code``, where one name stands for several codes."""
    known = study.runs.columns
    named = [group for group in ("task", "cell") if f"{group}_code" in known]
    return [f"{group}.code" for group in named if study.where(f"{group} <> {group}_name")]


def _runs(study: str, summary: Sequence[str], codes: Sequence[str]) -> Any:
    """Return settings that show the runs of this study alone, grouped by task, cell and gap."""
    from wandb_workspaces import expr
    from wandb_workspaces import workspaces as ws

    return ws.RunsetSettings(
        filters=expr.And(expr.Metric("Group") == study),
        groupby=[expr.Config(key) for key in ("task.name", "cell.name", *codes, "task.gap")],
        order=[expr.Ordering(expr.Metric("Name"), ascending=True)],
        pinned_columns=["run:displayName", *(f"summary:{key}" for key in COLUMNS if key in summary)],
    )
