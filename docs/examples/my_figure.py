"""What is left of the gradient across the gap: its norm at the answer and at the largest lag.

How to read it. To the right runs log10 of the norm of dL/dh at the answer, up the same at the largest lag, both after
training. On the dotted line all of the gradient arrives; a mark n below it is of a run that has lost n powers of ten on
the way. A run has one mark, or one for each layer and direction of its network.

From the table gradient_flow: the last answer's total gradient, geometric mean over samples.
"""

import sys

from lrd.figures import FigureScript, groups, join_runs, layout, line_styles, main, runs_of, save_figure

QUERY = """
    select run_id, layer, direction, arg_min(log10_gmean, lag) as near, arg_max(log10_gmean, lag) as far
    from gradient_flow join (select run_id, "update" from runs where state = 'finished') using (run_id, "update")
    where variable = 'h' and part = 'total' and answer = 'last' and lag >= 0
    group by run_id, layer, direction order by all
"""


@FigureScript
def draw(study, out):
    """Draw the norms of the runs of a study; return the files written."""
    runs = runs_of(study)
    rows = join_runs(study.columns(QUERY), runs)
    figure, [[panel]] = layout.grid(1, 1, 2.6)
    styles = line_styles(runs["label"])
    for (label,), mine in groups(rows, "label"):
        panel.plot(mine["near"], mine["far"], **styles[label].points, linestyle="none", label=label)
    panel.axline((0, 0), slope=1, color="0.25", linestyle=":")
    panel.set(xlabel="log10 norm at the answer", ylabel="log10 norm at the largest lag")
    layout.legend(figure, *panel.get_legend_handles_labels())
    layout.foot(figure, [f"{len(set(rows['run_id']))} finished runs."])
    columns = ("panel", "gap", "label", "run_id", "near", "far")
    table = [dict(zip(columns, row, strict=True)) for row in zip(*(rows[name] for name in columns), strict=True)]
    return save_figure(figure, out, "my_figure", table)


if __name__ == "__main__":
    sys.exit(main(draw, __doc__))
