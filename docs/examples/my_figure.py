"""What is left of the gradient across the gap: its norm at the answer and at the largest lag, one mark a run.

How to read it. To the right runs the norm of dL/dh at the answer, up that at the largest lag, both after training. On
the dotted line all of the gradient arrives; a mark far below it is of a run whose gradient vanishes on the way.
From the table gradient_flow: the last answer's total gradient, geometric mean over samples.
"""

import sys

from lrd.figures import FigureScript, groups, join_runs, layout, line_styles, main, runs_of, save_figure

QUERY = """
    select run_id, 10 ** arg_min(log10_gmean, lag) as near, 10 ** arg_max(log10_gmean, lag) as far
    from gradient_flow join (select run_id, "update" from runs where state = 'finished') using (run_id, "update")
    where variable = 'h' and part = 'total' and answer = 'last' group by run_id order by run_id
"""


@FigureScript
def draw(study, out):
    """Draw the norms of the runs of a study; return the files written."""
    runs = runs_of(study)
    rows = join_runs(study.columns(QUERY), runs)
    figure, [[panel]] = layout.grid(1, 1, 2.6)
    styles = line_styles(runs["label"])
    for (label,), mine in groups(rows, "label"):
        panel.loglog(mine["near"], mine["far"], **styles[label].points, linestyle="none", label=label)
    panel.axline((1, 1), slope=1, color="0.25", linestyle=":")
    panel.set(xlabel="gradient norm at the answer", ylabel="at the largest lag")
    layout.legend(figure, *panel.get_legend_handles_labels())
    columns = ("panel", "gap", "label", "run_id", "near", "far")
    table = [dict(zip(columns, row)) for row in zip(*(rows[name] for name in columns))]
    return save_figure(figure, out, "my_figure", table)


if __name__ == "__main__":
    sys.exit(main(draw, __doc__))
