"""What the documents name is there (files, options, functions, columns, tests); every command is run or marked."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
from documents import DOCS, IN_SLURM, NOT_RUN, PAGES, ROOT, blocks, name, prose, text_of

from lrd.commands import COMMANDS

EVERY = pytest.mark.parametrize("page", PAGES, ids=name)
ENDINGS = "py|yaml|yml|toml|cff|md|txt|png"
#: Files of the reader, of records, what is built, and placeholders.
RECORDED = r"(claims|hypotheses)\.yaml|(looks|claim|summary|run|status|environment)\.json|(figures|report)/"
NOT_OURS = re.compile(rf"runs/.*|site/|my_.*|.*NAME.*|{RECORDED}")


def quoted(page: Path) -> list[str]:
    return re.findall(r"`([^`\n]+)`", prose(page))


@EVERY
def test_every_command_is_run_by_a_test_or_marked(page: Path) -> None:
    for block in blocks(page):
        assert block.language in ("sh", "python", "yaml", "sql", "text"), block
        if block.language == "sh":
            assert not block.comment or block.comment == IN_SLURM or NOT_RUN.fullmatch(block.comment), block
        elif block.language == "text":
            assert not re.search(r"^(lrd|make|python|pip) ", block.text, re.MULTILINE), f"{block}: commands are sh"


def test_few_commands_are_not_run() -> None:
    commands = [block for page in PAGES for block in blocks(page) if block.language == "sh"]
    assert sum(not block.runs for block in commands) <= 4 < len(commands)


def test_every_subcommand_is_shown() -> None:
    shown = {" ".join(line.split()[:2]) for page in PAGES for block in blocks(page) for line in block.lines}
    assert {f"lrd {command}" for command in COMMANDS} <= shown


@EVERY
def test_every_file_it_names_is_there(page: Path) -> None:
    paths = [q for q in quoted(page) if re.fullmatch(rf"[\w.-]+(/[\w.-]+)*(/|\.({ENDINGS}))", q)]
    paths = [q for q in paths if not NOT_OURS.fullmatch(q)]
    missing = [path for path in paths if not (ROOT / path).exists() and not (DOCS / path).exists()]
    assert not missing


@pytest.mark.parametrize("page", [page for page in PAGES if DOCS not in page.parents], ids=name)
def test_every_link_of_a_page_outside_of_the_site_leads_somewhere(page: Path) -> None:
    """Links of the site itself are followed when it is built."""
    targets = re.findall(r"\]\(([^)\s#]+)\S*\)", prose(page))
    assert not [target for target in targets if not target.startswith("http") and not (ROOT / target).exists()]


@EVERY
def test_every_make_target_it_names_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z.-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    lines = [line for block in blocks(page) if block.language == "sh" for line in block.lines]
    assert {words.split()[1] for words in quoted(page) + lines if words.startswith("make ")} <= targets


@EVERY
def test_every_option_it_names_exists(page: Path) -> None:
    from lrd.known_options import GROUPS, known_keys

    named = set(re.findall(rf"`((?:{'|'.join(GROUPS)})\.\w+)[`=]", prose(page)))
    known = known_keys()
    probes = {key.split(".")[1] for key in known if key.startswith("probe.")}
    assert {key for key in named if key.split(".")[1] not in probes} <= known


def test_options_are_named_at_all() -> None:
    assert len(re.findall(r"`training\.\w+`", prose(DOCS / "guide" / "configuration.md"))) > 5


def test_the_readme_is_short_and_begins_with_the_two_commands() -> None:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 120
    first = next(block for block in blocks(ROOT / "README.md") if block.language == "sh")
    assert first.lines == ["make demo", "make test"]


def test_every_figure_has_its_part_of_the_page() -> None:
    scripts = {path.stem for path in (ROOT / "analysis").glob("*.py") if "How to read it." in text_of(path)}
    page = text_of(DOCS / "guide" / "figures.md")
    assert set(re.findall(r"^\{\{ reading (\w+) \}\}$", page, re.MULTILINE)) == scripts
    assert scripts <= set(re.findall(r"^## (\w+)$", page, re.MULTILINE))


def test_there_are_ten_queries() -> None:
    assert sum(block.language == "sql" for block in blocks(DOCS / "guide" / "queries.md")) == 10


def named_functions() -> set[str]:
    return {q for page in PAGES for q in quoted(page) if re.fullmatch(r"lrd(\.\w+)+:\w+(\.\w+)*", q)}


def test_every_function_that_is_named_with_its_module_is_there() -> None:
    """As in ``docs/gradients.md``, which leads from the equation to the function, its column and its test."""
    assert len(named_functions()) >= 5
    for named in named_functions():
        module, _, path = named.partition(":")
        found: object = importlib.import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
        assert callable(found), named


def test_every_column_that_is_named_with_its_table_is_in_the_schema() -> None:
    from lrd.records.schema import TABLES

    page = DOCS / "gradients.md"
    named = [q.split(".") for q in quoted(page) if re.fullmatch(rf"({'|'.join(TABLES)})\.\w+", q)]
    assert {table for table, _ in named} >= {"gradient_flow", "gradient_fit", "gradient_norms"}
    assert not [f"{table}.{column}" for table, column in named if column not in TABLES[table][0]]


def test_every_test_that_is_named_is_there() -> None:
    named = {q for page in PAGES for q in quoted(page) if re.fullmatch(r"tests/.*::\w+", q)}
    assert len(named) >= 4
    for test in named:
        file, _, function = test.partition("::")
        assert re.search(rf"^def {function}\(", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE), test
