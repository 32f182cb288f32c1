"""Open a study and plot its learning curves: python docs/examples/open_study.py runs/demo curves.png"""

import sys

import matplotlib

matplotlib.use("Agg")  # a file, no window
import matplotlib.pyplot as plt

from lrd.records import open_study

folder, picture = sys.argv[1:3]
study = open_study(folder)
rows = study.sql("""
    select cell, gap, metrics."update", median(metrics.eval_loss) as loss, any_value(chance_loss) as chance
    from metrics join runs using (run_id)
    where metrics.eval_loss is not null and task = (select min(task) from runs)
    group by all order by all
""").fetchall()

figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
for cell, gap in sorted({row[:2] for row in rows}):
    curve = [(update, loss) for c, g, update, loss, _ in rows if (c, g) == (cell, gap)]
    axes.plot(*zip(*curve, strict=True), label=f"{cell}, gap {gap}")
axes.axhline(rows[0][-1], color="grey", linestyle=":", label="chance at the smallest gap")
axes.set(xlabel="update", ylabel="evaluation loss, median over seeds", yscale="log")
axes.legend()
figure.savefig(picture, dpi=150)
print(f"{len(rows)} points of {folder} in {picture}")
