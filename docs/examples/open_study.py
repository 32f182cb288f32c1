"""Open a study and plot its learning curves: python docs/examples/open_study.py runs/demo curves.png."""

import sys

import matplotlib

matplotlib.use("Agg")  # a file, no window
import matplotlib.pyplot as plt

from lrd.records import open_study

folder, picture = sys.argv[1:3]
study = open_study(folder)
rows = study.sql("""
    select coalesce(cell_label::varchar, cell) as label, run_id, metrics."update", metrics.eval_loss, chance_loss,
        task, gap
    from metrics join runs using (run_id)
    where metrics.eval_loss is not null
        and (task, gap) = (select (task, gap) from runs order by task, gap desc limit 1)
    order by all
""").fetchall()

figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
labels = sorted({row[0] for row in rows})
for label, run_id in sorted({row[:2] for row in rows}):
    updates, losses = zip(*(row[2:4] for row in rows if row[1] == run_id), strict=True)
    axes.plot(updates, losses, color=f"C{labels.index(label)}", linewidth=1)
for number, label in enumerate(labels):
    axes.plot([], [], color=f"C{number}", label=label)
axes.axhline(rows[0][4], color="grey", linestyle=":", label="chance")
axes.set(title=f"{rows[0][5]}, gap {rows[0][6]}", xlabel="update", ylabel="evaluation loss, a line a run", yscale="log")
axes.legend()
figure.savefig(picture, dpi=150)
print(f"{len(rows)} points of {folder} in {picture}")
