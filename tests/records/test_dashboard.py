"""What stands on a dashboard, and on which axes."""

from __future__ import annotations

from lrd.records.dashboard import Chart, sections
from lrd.records.mirror_keys import MirrorKeys

HISTORY = (
    *("train_loss", "eval_loss", "eval_accuracy", "eval_error_share", "eval_mean_absolute_error", "omega", "eval_r2"),
    *("grad_norm", "grad_norm_clipped", "slope_h", "slope_c", "horizon_h", "lyapunov_free", "sigma_rate"),
    *("gate_forget", "log10_kept_by_forget", "readable_h"),
)
SUMMARY = ("outcome", "solved_at", "test_loss", "seconds", "seconds_per_update", "slope_h_start", "slope_h_end")
PICTURES = ("gradient_flow/h", "gradient_flow/c", "gradient_norms/h", "gradient_norms/c")
FOUND = sections(MirrorKeys(HISTORY, PICTURES, SUMMARY))


def curves(key: str) -> Chart:
    (chart,) = (c for charts in FOUND.values() for c in charts if c.kind == "curves" and key in c.keys)
    return chart


def test_every_key_of_the_history_stands_in_one_chart_and_in_its_section() -> None:
    assert list(FOUND) == ["learning", "gradient flow", "gates and retention", "cost"]
    places = {key: name for name, charts in FOUND.items() for chart in charts for key in chart.keys}
    drawn = [key for charts in FOUND.values() for chart in charts if chart.kind == "curves" for key in chart.keys]
    assert sorted(drawn) == sorted(HISTORY)
    assert {places[key] for key in HISTORY[:7]} == {"learning"}
    assert {places[key] for key in (*HISTORY[7:14], "gradient_flow/h", "slope_h_start")} == {"gradient flow"}
    assert {places[key] for key in HISTORY[14:]} == {"gates and retention"}
    assert places["seconds"] == places["seconds_per_update"] == "cost"
    assert {places["solved_at"], places["test_loss"]} == {"learning"}


def test_training_gradient_norms_are_pictured_beside_the_gradient_flow() -> None:
    pictures = [chart for chart in FOUND["gradient flow"] if chart.kind == "pictures"]
    assert [chart.keys for chart in pictures] == [PICTURES[:2], PICTURES[2:]]
    one_answer, training = (chart.title for chart in pictures)
    assert "of one answer" in one_answer
    assert "of training" in training
    without = sections(MirrorKeys(HISTORY, PICTURES[:2], SUMMARY))["gradient flow"]
    assert [chart.keys for chart in without if chart.kind == "pictures"] == [PICTURES[:2]]


def test_what_spans_orders_of_magnitude_and_has_no_sign_is_on_a_log_axis() -> None:
    log = {key for key in HISTORY if curves(key).log_y}
    assert log == {
        *("train_loss", "eval_loss", "eval_mean_absolute_error", "omega"),
        *("grad_norm", "grad_norm_clipped", "horizon_h"),
    }


def test_the_update_is_on_a_log_axis_for_what_probes_see() -> None:
    assert {key for key in HISTORY if curves(key).log_x} == {*HISTORY[9:]}


def test_nothing_is_drawn_of_what_is_not_there() -> None:
    assert sections(MirrorKeys((), (), ())) == {}
    some = sections(MirrorKeys(("eval_loss",), (), ("outcome", "seconds")))
    assert {name: [chart.keys for chart in charts] for name, charts in some.items()} == {
        "learning": [("eval_loss",)],
        "cost": [("seconds",)],
    }


def test_charts_in_words() -> None:
    assert curves("horizon_h").line == "horizon: steps back to 1/e: horizon_h against update (log x, log y)"
    assert Chart("pictures", "flow", ("a", "b")).line == "flow: a, b pictures"
