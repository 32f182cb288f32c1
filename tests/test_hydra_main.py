"""From the command line to configurations: what Hydra's grammar means here, and its errors in one line."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from commands import process_as_before
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.errors import MissingConfigException, OverrideParseException
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lrd import spec
from lrd.hydra_errors import CompositionError, explain
from lrd.hydra_main import compose_from_command_line
from lrd.known_options import GROUPS, known_keys
from lrd.paths import CONF
from lrd.sweeps.compose import OverrideError

EXPERIMENTS = CONF / "experiment"
STUDIES = sorted(path.stem for path in EXPERIMENTS.glob("*.yaml"))
STUDIES += sorted(f"papers/{path.stem}" for path in (EXPERIMENTS / "papers").glob("*.yaml"))


@pytest.fixture(autouse=True)
def _process_as_before() -> Iterator[None]:
    with process_as_before():
        yield


def configs(*arguments: str) -> list[dict[str, Any]]:
    return compose_from_command_line(list(arguments)).configs


def table(*arguments: str) -> list[tuple[str, str, int, int]]:
    return [(c["task"]["name"], c["cell"]["name"], c["task"]["gap"], c["seed"]) for c in configs(*arguments)]


def test_no_argument_is_the_default_run() -> None:
    assert table() == [("copy", "lstm", 20, 0)]


def test_a_sweep_is_the_product_of_its_choices_in_order() -> None:
    swept = table("-m", "task=copy,adding", "cell=rnn,lstm", "task.gap=3,4", "seed=range(2)")
    assert swept == [(t, c, g, s) for t in ("copy", "adding") for c in ("rnn", "lstm") for g in (3, 4) for s in (0, 1)]


@pytest.mark.slow
@pytest.mark.parametrize("flag", ["-m", "--multirun"])
def test_the_sweep_flag_may_stand_anywhere(flag: str) -> None:
    assert table("seed=1,2", flag, "task.gap=5") == table("-m", "seed=1,2", "task.gap=5")


@pytest.mark.slow
def test_a_custom_cell_has_options_of_its_own_and_the_others_keep_theirs() -> None:
    swept = configs("-m", "cell=custom,rnn", "cell.path=my_cell.py:Mine", "cell.leak=0.5", "cell.gain=2.0", "seed=0")
    assert [(c["cell"]["name"], c["cell"]["leak"], c["cell"]["gain"]) for c in swept] == [
        ("custom", 0.5, 2.0),
        ("rnn", 0.5, 2.0),
    ]
    (alone,) = configs("cell=custom", "cell.path=my_cell.py:Mine", "cell.leak=0.5")
    assert alone["cell"]["leak"] == 0.5
    others = configs("-m", "cell=glob(*,exclude=custom)", "cell.hidden_size=5", "cell.label=x")
    assert {c["cell"]["hidden_size"] for c in others} == {5}
    assert "custom" not in {c["cell"]["name"] for c in others}


def test_a_composition_leaves_nothing_for_the_next() -> None:
    assert len(configs("-m", "seed=1,2")) == 2
    with pytest.raises(CompositionError):
        configs("cell.gain=${nope}")
    assert len(configs("seed=1")) == 1
    assert configs("--cfg", "job") == []


def test_a_study_sweeps_by_itself_and_the_command_line_beats_it() -> None:
    whole = table("experiment=demo")
    assert len(whole) > 30
    assert {t for t, *_ in whole} == {"copy", "adding", "delay"}
    fewer = configs("experiment=demo", "seed=0", "training.max_updates=7", "cell.hidden_size=4")
    assert {(c["seed"], c["training"]["max_updates"], c["cell"]["hidden_size"]) for c in fewer} == {(0, 7, 4)}


def test_what_a_study_states_is_no_part_of_its_runs() -> None:
    inbox = compose_from_command_line(["experiment=clipping", "seed=0"])
    assert set(inbox.hypotheses) >= {"clipping_lets_learn"}
    assert not any("hypotheses" in config for config in inbox.configs)
    asked = compose_from_command_line(["experiment=clipping", "seed=0", "hypotheses.clipping_lets_learn.says=No."])
    run_ids = [[spec.job_from_config(config).run.run_id for config in each.configs] for each in (inbox, asked)]
    assert run_ids[0] == run_ids[1]
    assert compose_from_command_line(["seed=0"]).hypotheses is None


def test_the_former_key_of_what_a_study_states_is_read(tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    file, options = tmp_path / "experiment" / "old.yaml", ["--config-dir", str(tmp_path), "experiment=old"]
    file.write_text("# @package _global_\nclaims: {a: {says: It is so.}}\n")
    inbox = compose_from_command_line(options)
    assert inbox.hypotheses == {"a": {"says": "It is so."}}
    assert not any("claims" in config for config in inbox.configs)
    file.write_text(file.read_text() + "hypotheses: {b: {says: It is so.}}\n")
    with pytest.raises(CompositionError, match="hypotheses: stands beside claims:, its former name"):
        compose_from_command_line(options)


def test_launcher_options_arrive() -> None:
    for arguments in (["hydra.launcher.workers=3"], ["-m", "seed=1,2", "hydra.launcher.workers=3"]):
        assert compose_from_command_line(arguments).launcher == {"name": "local", "workers": 3, "retries": 1}


def test_known_keys_are_those_of_every_kind() -> None:
    keys = known_keys()
    assert set(GROUPS) | {"seed", "device", "experiment", "task.gap", "task.convention", "cell.chrono"} <= keys
    assert {f"optimizer.{f.name}" for kind in spec.OPTIMIZERS.values() for f in fields(kind)} <= keys


def interpolation_error() -> OmegaConfBaseException:
    with pytest.raises(OmegaConfBaseException) as caught:
        OmegaConf.to_container(OmegaConf.create({"task": {"gap": "${nope}"}}), resolve=True)
    return caught.value


@pytest.mark.parametrize(
    ("error", "start", "end"),
    [
        (OverrideError("cell.hiden"), "cell.hiden: there is no such option; did you mean 'hidden_size'?", "truncated"),
        (OverrideError("sede"), "sede: there is no such option; did you mean 'seed'?", "training"),
        (OverrideError("cel.gain"), "cel.gain: there is no such option", "did you mean 'cell.gain'?"),
        (OverrideError("seed", "is there already"), "seed: is there already", "already"),
        (OverrideParseException("a=[", "long\ntext"), "cannot read the override 'a=['", "needs quotes, 'a=\"[\"'"),
        (OverrideError("seed"), "seed: cannot be set so; write seed=VALUE", "VALUE"),
        (OverrideError("cell.chrono"), "cell.chrono: there is no such option of the cell chosen; ", " have it"),
        (MissingConfigException("m", "task/coppy", ["copy", "delay"]), "task: must be one of copy", "mean 'copy'?"),
        (MissingConfigException("m", "hydra/launcher/x", ["local"]), "hydra/launcher: must be one of local", "'x'"),
        (ValueError("two\n  lines"), "two lines", "two lines"),
    ],
)
def test_errors_are_one_line_with_key_rule_and_way_out(error: Exception, start: str, end: str) -> None:
    said = explain(error)
    assert said.startswith(start)
    assert said.endswith(end)
    assert "\n" not in said


def test_an_interpolation_of_nothing_names_its_key() -> None:
    assert explain(interpolation_error()).startswith("task.gap: Interpolation key 'nope' not found")


@pytest.mark.parametrize("mode", [[], ["-m"], ["hydra.mode=MULTIRUN"]])
@pytest.mark.parametrize("chosen", ["hydra/launcher=basic", "hydra.launcher._target_=hydra_plugins.joblib.Launcher"])
def test_a_launcher_that_is_not_lrds_is_refused(mode: list[str], chosen: str) -> None:
    with pytest.raises(CompositionError, match=r"^hydra/launcher: must be local or slurm, which .* got .*Launcher$"):
        configs(*mode, chosen, "seed=0")


def test_a_plugin_that_is_installed_is_refused_before_it_launches(monkeypatch: pytest.MonkeyPatch) -> None:
    launched: list[str] = []

    class Joblib(Launcher):
        def setup(self, **_: Any) -> None:
            launched.append("set up")

        def launch(self, *_: Any) -> list[Any]:
            launched.append("launched")
            return []

    class Optuna(Sweeper):
        def setup(self, **_: Any) -> None:
            launched.append("set up")

        def sweep(self, arguments: list[str]) -> None:
            launched.append("swept")

    for kind, group in ((Joblib, "launcher"), (Optuna, "sweeper")):
        monkeypatch.setattr(kind, "__module__", f"hydra_plugins.{kind.__name__.lower()}")
        plugin = f"{kind.__module__}.{kind.__name__}"
        Plugins.instance().register(kind)
        ConfigStore.instance().store(name="foreign", group=f"hydra/{group}", node={"_target_": plugin})
        with pytest.raises(CompositionError, match=f"^hydra/{group}: must be .*, got {plugin}$"):
            configs("-m", f"hydra/{group}=foreign", "seed=0,1")
    assert launched == []


@pytest.mark.parametrize("options", [["hydra.launcher=null"], ["hydra.sweeper=null"]])
def test_what_hydra_has_nothing_for_is_one_line(options: list[str]) -> None:
    with pytest.raises(CompositionError, match=r"^Hydra (launcher|sweeper) is not configured$"):
        configs("-m", *options, "seed=0,1")


def test_a_sweeper_that_is_not_lrds_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Hydra's own would leave a file in the current folder, too."""
    monkeypatch.chdir(tmp_path)
    assert mistake("-m", "hydra/sweeper=basic", "seed=0,1").startswith("hydra/sweeper: must be union")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("options", [["hydra.run.dir=."], ["hydra.sweep.dir=x"]])
def test_other_options_of_hydra_train_what_was_asked_for(options: list[str]) -> None:
    assert table("-m", *options, "seed=0,1") == [("copy", "lstm", 20, 0), ("copy", "lstm", 20, 1)]


def test_to_train_nothing_is_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lrd.hydra_main.hydra_main", lambda **_: lambda _: lambda: None)
    with pytest.raises(CompositionError, match="leads Hydra to no run at all"):
        configs("seed=0")
    assert configs("--cfg", "job") == []


def mistake(*arguments: str) -> str:
    with pytest.raises(CompositionError) as caught:
        configs(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


TEXTS = [
    "été",
    "~/x",
    "a=b",
    "a(b)",
    "a&b",
    "50%!",
    "a,b",
    "it's",
    '"',
    "{a}",
    "[a",
    "$\\frac{a}{b}$",
    "a;b #c",
    "${seed}é",
    "🙂",
]


@pytest.mark.slow_but(3)
@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("flags", [[], ["-m"]])
def test_a_text_that_cannot_be_read_is_reported_with_the_line_to_type(text: str, flags: list[str]) -> None:
    if flags and "," in text:
        assert [config["study"] for config in configs("-m", f"study={text}")] == ["a", "b"]
        return
    said = mistake(*flags, f"study={text}")
    (word,) = shlex.split(said[said.rindex("'study=\"") :])
    assert [config["study"] for config in configs(*flags, word)] == [text]


@pytest.mark.parametrize(
    ("typed", "word"),
    [
        (["task.file=/data/my", "file.txt"], "'task.file=/data/my file.txt'"),
        (["cell.label=the", "(big)", "one", "seed=1"], "'cell.label=\"the (big) one\"'"),
        (["probe=[gradient_flow,", "gates]"], "'probe=[gradient_flow, gates]'"),
        (["-m", "study=é,b"], '\'study="é","b"\''),
        (["probe=gates,lyapunov"], "'probe=[gates,lyapunov]'"),
    ],
)
def test_what_a_shell_or_a_comma_takes_apart_is_reported_whole(typed: list[str], word: str) -> None:
    assert mistake(*typed).endswith(word)
    rest = [argument for argument in typed if argument in ("-m", "seed=1")]
    assert configs(*rest, "task=text", *shlex.split(word))


@pytest.mark.parametrize("typed", [["seed=1", "task.gap"], ["task.gap=1é"], ["task.gap=[1"], ["seed=1", "copy="]])
def test_no_quotes_are_advised_where_they_do_not_help(typed: list[str]) -> None:
    assert '"' not in mistake(*typed)


@pytest.mark.slow_but(3)
@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("cell=[rnn,lstm]", "cell: takes one name; several values are swept"),
        ("-m cell=[rnn,lstm],gru", "cell: takes one name; several values are swept, -m cell=rnn,lstm"),
        ("-m experiment=demo,variants", "experiment: demo sweeps by itself; train it alone, experiment=demo"),
        ("hydra.mode=RUN experiment=demo", "hydra.mode=RUN: the study sweeps"),
        ("-m task.gap=interval(1,3)", "task.gap=interval(1,3): lrd sweeps over values"),
        ("experiment=null", "experiment: must be the name of a file of conf/experiment/, got null"),
        ("tracker=null", "tracker: must be the name of a file of conf/tracker/, got null; tracker=none is for nothing"),
        ("+tracker=none", "tracker: is there already; leave out the +"),
        ("++cell=rnn", "cell: is there already; leave out the +"),
        ("-m +cell=rnn,lstm", "cell: is there already; leave out the +"),
        ("cell@x=rnn", "cell: is chosen without @, cell=NAME"),
        ("-m cell=glob(x*) seed=1", "the sweep is empty: cell=glob(x*) gives no value"),
        ("cell=rnn cell.chrono=true", "cell.chrono: there is no such option of the cell chosen; "),
        ("-m task.gap=10,20,", "task.gap: there is no value behind the last comma; write task.gap=10,20"),
        ("cell=rnn,", "cell: there is no value behind the last comma; write cell=rnn"),
        ("--config-dir no/such seed=1", "--config-dir: there is no folder "),
        ("--config-name demo", "--config-name: a configuration of yours does not replace lrd's own, it goes over it"),
        ("--config-path /tmp seed=1", "--config-path: a configuration of yours does not replace lrd's own"),
    ],
)
def test_what_hydra_would_take_for_something_else_is_refused(typed: str, said: str) -> None:
    assert mistake(*typed.split()).startswith(said)


@pytest.mark.slow_but(6)
@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize(
    "way", ["~{}", "+{}=x", "{}=null", "{}=", "{}.{}=1", "{}=x", "{}@y=x", "-m {}=x,y", "{}=[x,y]"]
)
def test_no_advice_is_what_was_typed(group: str, way: str) -> None:
    said = ""
    try:
        configs(*way.replace("{}", group).split())
    except CompositionError as error:
        said = str(error)
    assert f"did you mean '{group}'" not in said
    assert "\n" not in said


@pytest.mark.parametrize("study", STUDIES)
def test_every_study_sweeps_beside_other_options(study: str) -> None:
    """Also where what a sweep gives an option names another option, which is another number in each job."""
    found = configs(f"experiment={study}", "seed=0", "tracker=none")
    assert len(found) > (0 if study.startswith("papers/") else 1)
    assert {config["study"] for config in found} == {study.removeprefix("papers/")}


def test_a_tracker_or_probe_left_out_is_none() -> None:
    for typed in (["~tracker", "~probe"], ["-m", "~tracker=wandb", "~probe", "seed=1"]):
        (config,) = configs(*typed)
        assert (config["tracker"]["name"], config["probe"]) == ("none", {})


def study_file(folder: Path, text: str) -> list[str]:
    """A study of the user's own; gives the arguments that choose it."""
    (folder / "experiment").mkdir(exist_ok=True)
    (folder / "experiment" / "own.yaml").write_text(text)
    return [f"--config-dir={folder}", "experiment=own"]


SWEPT = ["params: {seed: '1,2', cell: 'glob(r*)', training.truncate: null}", "union: [{seed: 1}, {seed: '2'}]"]


@pytest.mark.slow_but(1)
@pytest.mark.parametrize("mode", ["", "  mode: RUN\n", "  mode: MULTIRUN\n"])
@pytest.mark.parametrize("swept", SWEPT)
def test_a_study_of_the_users_own_sweeps_however_it_is_started(tmp_path: Path, swept: str, mode: str) -> None:
    own = study_file(tmp_path, f"# @package _global_\nhydra:\n{mode}  sweeper:\n    {swept}\n")
    assert [config["seed"] for config in configs(*own)] == [1, 2]
    assert [config["seed"] for config in configs(*own, "seed=7,8,9", "-m")[:3]] == [7, 8, 9]
    assert {config["training"]["truncate"] for config in configs(*own)} == {None}


@pytest.mark.slow
def test_sweep_values_of_the_command_line_are_never_ignored() -> None:
    for typed in (
        '+hydra.sweeper.params.seed="1,2"',
        '+hydra.sweeper.params={seed:"1,2"}',
        "hydra.sweeper.union=[{seed:1},{seed:2}]",
    ):
        assert [config["seed"] for config in configs(typed)] == [1, 2]


@pytest.mark.slow
def test_a_mistake_in_a_study_file_is_reported_as_it_stands_in_a_file(tmp_path: Path) -> None:
    own = study_file(tmp_path, '# @package _global_\nhydra: {sweeper: {params: {study: "it\'s été"}}}\n')
    said = mistake(*own)
    assert said.startswith("cannot read study: it's été of hydra.sweeper: a text needs two kinds of quotes there, ")
    fixed = said.partition("quotes there, ")[2]
    own = study_file(tmp_path, f"# @package _global_\nhydra:\n  sweeper:\n    params:\n      {fixed}\n")
    assert [config["study"] for config in configs(*own)] == ["it's été"]
    assert "`# @package _global_`" in mistake(*study_file(tmp_path, "seed: 3\n"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "seed: 1\nstudy sat\n\ndevice: cpu\n",
            ", line 3: it is no YAML, could not find expected ':'; write key: value",
        ),
        ("seed: 1\n  study: sat\n", ", line 3: it is no YAML, mapping values are not allowed here; write key: value"),
        ("study: 'sat\nseed: 1\n", ", line 2: it is no YAML, found unexpected end of stream; write key: value"),
        ("seed: 1\nseed: 2\n", ", line 3: it is no YAML, found duplicate key seed; write key: value"),
        ("study: [a\nseed: 1\n", ": it is no YAML, "),
        ("study: \x01\n", "own.yaml"),
    ],
)
def test_a_file_that_is_no_yaml_is_named_with_the_line(tmp_path: Path, text: str, said: str) -> None:
    own = study_file(tmp_path, f"# @package _global_\n{text}")
    line = mistake(*own)
    assert str(tmp_path / "experiment" / "own.yaml") in line
    assert said in line


def test_mistakes_around_a_study_file_name_the_way_out(tmp_path: Path) -> None:
    own = study_file(tmp_path, "defaults:\n  - override /task: adding\n")
    assert mistake(*own) == "experiment: the first line of a study's file must be `# @package _global_`"
    for mode in ("", "  mode: MULTIRUN\n"):
        own = study_file(tmp_path, f"# @package _global_\nhydra:\n{mode}  sweeper:\n    parms: {{seed: '1,2'}}\n")
        assert mistake(*own).endswith("got 'parms'; did you mean 'params'?")
    inside = mistake(f"--config-dir={tmp_path}/experiment", "experiment=own")
    assert inside == f"--config-dir: give the folder that experiment/ lies in, --config-dir {tmp_path}"
    (tmp_path / "bare.yaml").write_text("# @package _global_\n")
    beside = mistake("-cd", str(tmp_path), "experiment=bare")
    assert beside.startswith("--config-dir: bare.yaml must lie in a folder experiment/; move it to ")


LISTED = "a study's file, and each group in it, must map keys to values, as in study: mine; one is a list: {file}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"study: \xff\n", "a study's file is no text in UTF-8: {file}; save it as UTF-8"),
        (b"- seed\n", LISTED),
        (b"training: [seed]\n", LISTED),
        (b"study: '${nothing}'\n", "study: Interpolation key 'nothing' not found; ${ begins"),
        (b"study: 'costs ${'\n", "study: no viable alternative at input '${'; ${ begins"),
    ],
)
def test_what_no_study_can_be_made_of_is_named(tmp_path: Path, text: bytes, said: str) -> None:
    own = study_file(tmp_path, "")
    file = tmp_path / "experiment" / "own.yaml"
    file.write_bytes(b"# @package _global_\n" + text)
    line = mistake(*own)
    assert line.startswith(said.replace("{file}", str(file)))
    assert "${" not in said or line.endswith(", for the text itself write \\${")


def test_a_reference_that_is_escaped_is_a_text(tmp_path: Path) -> None:
    own = study_file(tmp_path, "# @package _global_\nstudy: 'costs \\${x}'\n")
    assert [config["study"] for config in configs(*own)] == ["costs ${x}"]


@pytest.mark.parametrize(
    ("typed", "lists", "meant"),
    [
        ("papers/bengio1994_lach", "papers/arjovsky2016_adding, papers/", "papers/bengio1994_latch"),
        ("papers/bengio1994_latch.py", "papers/arjovsky2016_adding, papers/", "papers/bengio1994_latch"),
        ("paper/bengio1994_latch", "clipping, demo, ", "papers/bengio1994_latch"),
        ("bengio1994_latch", "clipping, demo, ", "papers/bengio1994_latch"),
        ("demmo", "clipping, demo, ", "demo"),
        ("mine/fitst", "mine/first, got ", "mine/first"),
    ],
)
def test_a_misspelt_study_is_looked_for_in_its_folder(tmp_path: Path, typed: str, lists: str, meant: str) -> None:
    (tmp_path / "experiment" / "mine").mkdir(parents=True)
    (tmp_path / "experiment" / "mine" / "first.yaml").write_text("# @package _global_\n")
    said = mistake(f"--config-dir={tmp_path}", f"experiment={typed}")
    assert said.startswith(f"experiment: must be one of {lists}")
    assert said.endswith(f"got {typed!r}; did you mean {meant!r}?")


def test_a_glob_leaves_out_the_custom_one() -> None:
    assert [config["cell"]["name"] for config in configs("-m", "cell=glob(c*)")] == ["clockwork"]


@pytest.mark.slow
@pytest.mark.parametrize("group", ["cell", "task"])
def test_globs_leave_out_the_custom_one_unless_it_is_named(group: str) -> None:
    names = {path.stem: OmegaConf.load(path)["name"] for path in (CONF / group).glob("*.yaml")}
    own = names.keys() - {"custom"}

    def swept(pattern: str) -> list[str]:
        return sorted(config[group]["name"] for config in configs("-m", f"{group}={pattern}"))

    for pattern, stems in (
        ("*", own),
        ("[c*,r*]", {name for name in own if name[0] in "cr"}),
        ("*,exclude=r*", {name for name in own if name[0] != "r"}),
        ("*,exclude=custom", own),
    ):
        assert swept(f"glob({pattern})") == sorted(names[stem] for stem in stems)
    for pattern in ("glob([custom,d*])", "glob(d*),custom"):
        assert "custom" in swept(pattern)


def test_the_home_folder_may_be_written_as_in_a_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (config,) = configs('runs_dir="~/x"')
    assert spec.job_from_config(config).place.folder == tmp_path / "x" / "scratch"
    study_file(tmp_path, "# @package _global_\nseed: 3\n")
    assert [config["seed"] for config in configs("--config-dir=~", "experiment=own")] == [3]
