"""Given things stay given: names flow forward, and a check tells what a student has changed."""

import builtins
import re

import pytest
from conftest import EXERCISE, code_cells, draws_only
from names import ANSWERS, GUARDS_OWN, Names, cells_with_names, needed, relied_on, tables

CELLS = code_cells(EXERCISE)
WITH_NAMES = cells_with_names({id: cell.source for id, cell in CELLS.items()})
TABLES = tables(CELLS["helpers"].source)


def cells_named(words):
    """Return the ids of the cells that a message names."""
    ids = list(CELLS)

    def beginning_with(start):
        start = start.removesuffix(", ...").strip()
        titles = [cell.source.removeprefix("# @title ") for cell in CELLS.values()]
        titles = [title.removeprefix("Folded: ") for title in titles]
        (k,) = [k for k, title in enumerate(titles) if title.startswith(start)]
        return k

    starts = [beginning_with(a or b) for a, b in re.findall(r"`(.+?)`|'(.+?)'", words)]
    if "helpers" in words:
        starts.append(ids.index("helpers"))
    return ids[starts[0] : starts[-1] + 1]


def test_what_later_cells_rely_on_is_guarded_and_nothing_else():
    assert needed(WITH_NAMES) - GUARDS_OWN == set(TABLES)


def test_the_tables_name_the_cells_that_give_it():
    for name, words in TABLES.items():
        if "`del`" not in words:
            assert any(name in Names(CELLS[id].source).bound for id in cells_named(words)), name


def test_names_flow_forward():
    """No cell needs what a later one, or a folded one that only draws, has set."""
    known = ANSWERS | {"get_ipython", "display"}
    for position, (id, _) in enumerate(WITH_NAMES):
        for name, giver in relied_on(position, WITH_NAMES).items():
            if giver is None:
                assert hasattr(builtins, name) or name in known, f"{name} in {id}"
            elif giver != position:
                assert not draws_only(CELLS[WITH_NAMES[giver][0]]), f"{name} in {id}"


def test_a_changed_thing_is_named_and_running_its_cells_again_helps(solved, judge):
    """Each name by itself; then one of each row of the tables, with the remedy."""
    kernel = solved(0)
    judge("task-1", "pass")
    check = CELLS["task-8-check"].source
    rows = {}
    unguardable = set("run_check Stop types zlib isinstance list".split())  # the guard uses them
    for name, words in TABLES.items():
        if name not in unguardable:
            kernel.do(f"tests_before = {name}\n{name} = 'changed'")
            out = kernel.run(check)
            kernel.do(f"{name} = tests_before")
            expected = f"Stop: {name} is no longer what the notebook has given: leave it as it is"
            assert out["error"].startswith(expected), out["error"]
            assert out["error"].endswith(f", and run {words}.") and len(out["traceback"]) == 1
            rows[words] = name
    kernel.do("tests_restore()")
    for words, name in rows.items():
        kernel.do(f"{name} = 'changed'")
        if "`del`" in words:
            kernel.do(f"del {name}")
        else:
            for id in cells_named(words):
                kernel.do(CELLS[id].source)
        out = kernel.run(check)
        assert "Task 8 is right" in out["stdout"], f"{name}: {out['error']}"


def test_what_is_not_relied_on_is_free(solved):
    """The notebook has reached its end though every free name was overwritten at each blank."""
    assert "does not fix the map" in solved("other").value("text")  # of the last cell


@pytest.mark.parametrize("name", ["check", "numbers", "str", "guard", "zlib"])
def test_a_check_never_breaks_by_a_name(solved, judge, name):
    judge("task-2", "pass")
    solved(0).do(f"{name} = 3")
    out = solved(0).run(CELLS["task-2-check"].source)
    assert not out["stderr"] and len(out["traceback"]) <= 1
