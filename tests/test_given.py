"""Given things stay given: names flow forward, and a check tells what a student has changed.

What later cells rely on is read off the syntax trees of the exercise's cells.
"""

import ast
import builtins
import re

import pytest
from conftest import EXERCISE, Kernel, code_cells, draws_only, other_answers

# What the guard itself is made of: it cannot report its own loss, but run_check says in one line
# that something is wrong. The last ones begin a check, or are the check of an earlier task.
GUARDS_OWN = set("GIVEN GIVEN_IN_PART_B remembered remember guard fingerprint meaning".split())
GUARDS_OWN |= set("builtins globals getattr hasattr issubclass Exception SystemExit".split())
GUARDS_OWN |= set("put_out check_task_1".split())


class Names(ast.NodeVisitor):
    """What a cell binds and loads at its top level, and what each of its functions loads."""

    def __init__(self, source):
        self.bound, self.loads, self.functions = set(), set(), {}
        self.local, self.into = None, self.loads
        self.visit(ast.parse(source))

    def within(self, local, into, nodes):
        """Visit nodes in which more names are local; what they load goes into a set."""
        before = self.local, self.into
        self.local, self.into = (self.local or set()) | local, into
        for node in nodes:
            self.visit(node)
        self.local, self.into = before

    def visit_Name(self, node):
        if isinstance(node.ctx, ast.Load):
            if node.id not in (self.local or ()):
                self.into.add(node.id)
        elif self.local is None:
            self.bound.add(node.id)

    def visit_Import(self, node):
        if self.local is None:
            self.bound |= {(name.asname or name.name).split(".")[0] for name in node.names}

    visit_ImportFrom = visit_Import

    def visit_FunctionDef(self, node):
        own = {argument.arg for argument in ast.walk(node.args) if isinstance(argument, ast.arg)}
        for inner in ast.walk(node):
            if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
                own.add(inner.id)
            elif isinstance(inner, ast.FunctionDef):
                own.add(inner.name)
            elif isinstance(inner, (ast.Import, ast.ImportFrom)):
                own |= {name.asname or name.name for name in inner.names}
            elif isinstance(inner, ast.ExceptHandler):
                own.add(inner.name)
        into = self.into
        if self.local is None:
            self.bound.add(node.name)
            into = self.functions.setdefault(node.name, set())
        for node_outside in (*node.args.defaults, *node.decorator_list):
            self.visit(node_outside)
        self.within(own, into, node.body)

    def visit_ClassDef(self, node):
        if self.local is None:
            self.bound.add(node.name)
        for base in node.bases:
            self.visit(base)
        self.within(set(), self.functions.setdefault(node.name, set()), node.body)

    def visit_Lambda(self, node):
        own = {argument.arg for argument in node.args.args}
        self.within(own, self.into, [node.body])

    def comprehension(self, node):
        targets = [name for part in node.generators for name in ast.walk(part.target)]
        own = {name.id for name in targets if isinstance(name, ast.Name)}
        self.within(own, self.into, ast.iter_child_nodes(node))

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = comprehension


def cells_with_names():
    return [(id, Names(cell.source)) for id, cell in code_cells(EXERCISE).items()]


def relied_on(position, cells):
    """Return what the cell at a position loads, directly or in functions: name -> cell or None."""
    _, names = cells[position]
    to_do = [*names.loads, *(name for loads in names.functions.values() for name in loads)]
    found = {}
    while to_do:
        name = to_do.pop()
        if name in found:
            continue
        places = [k for k in range(position, -1, -1) if name in cells[k][1].bound]
        found[name] = places[0] if places else None
        if places:
            to_do += cells[places[0]][1].functions.get(name, ())
    return found


def needed():
    """Return what cells after some answer rely on and cells before it give: name -> answer ids."""
    cells = cells_with_names()
    answers = [k for k, (id, _) in enumerate(cells) if id.endswith("-answer")]
    result = {}
    for position in range(len(cells)):
        for name, giver in relied_on(position, cells).items():
            between = [k for k in answers if (giver is None or giver < k) and k < position]
            by_a_student = giver is not None and cells[giver][0].endswith("-answer")
            known = giver is not None or hasattr(builtins, name)
            if between and known and not by_a_student:
                result.setdefault(name, set()).update(cells[k][0] for k in between)
    return result


def tables():
    """Return the helpers' tables of what is given: name -> words for the cells that give it."""
    tree = ast.parse(code_cells(EXERCISE)["helpers"].source)
    given = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]).startswith("GIVEN"):
            for words, names in ast.literal_eval(node.value).items():
                given |= dict.fromkeys(names.split(), words)
    return given


def cells_named(words):
    """Return the ids of the cells that a message names."""
    cells = code_cells(EXERCISE)
    ids = list(cells)

    def beginning_with(start):
        start = start.removesuffix(", ...").strip()
        titles = [cell.source.removeprefix("# @title ") for cell in cells.values()]
        titles = [title.removeprefix("Folded: ") for title in titles]
        (k,) = [k for k, title in enumerate(titles) if title.startswith(start)]
        return k

    starts = [beginning_with(a or b) for a, b in re.findall(r"`(.+?)`|'(.+?)'", words)]
    if "helpers" in words:
        starts.append(ids.index("helpers"))
    return ids[starts[0] : starts[-1] + 1]


def test_what_later_cells_rely_on_is_guarded_and_nothing_else():
    assert set(needed()) - GUARDS_OWN == set(tables())


def test_the_tables_name_the_cells_that_give_it():
    for name, words in tables().items():
        if "`del`" not in words:
            cells = code_cells(EXERCISE)
            assert any(name in Names(cells[id].source).bound for id in cells_named(words)), name


def test_names_flow_forward():
    """No cell needs what a later one, or a folded one that only draws, has set."""
    cells = cells_with_names()
    source = code_cells(EXERCISE)
    blanks = "feature_maps weights bias cams evidence answer specks get_ipython display".split()
    blanks += "correct_below correct_above wrong_below wrong_above draw_row Wrap".split()
    for position, (id, _) in enumerate(cells):
        for name, giver in relied_on(position, cells).items():
            if giver is None:
                assert hasattr(builtins, name) or name in blanks, f"{name} in {id}"
            elif giver != position:
                assert not draws_only(source[cells[giver][0]]), f"{name} in {id}"


def test_a_changed_thing_is_named_and_running_its_cells_again_helps(solved, judge):
    """Each name by itself; then one of each row of the tables, with the remedy."""
    kernel, cells = solved(0), code_cells(EXERCISE)
    judge("task-1", "pass")
    check = cells["task-8-check"].source
    rows = {}
    unguardable = set("run_check Stop types zlib isinstance list".split())  # the guard uses them
    for name, words in tables().items():
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
                kernel.do(cells[id].source)
        out = kernel.run(check)
        assert "Task 8 is right" in out["stdout"], f"{name}: {out['error']}"


def test_what_is_not_relied_on_is_free(data_file, tmp_path_factory):
    """A notebook reaches its end when every free name is overwritten at each blank.

    It is done without the first cell and those that only draw, and with other right answers.
    """
    kernel = Kernel(tmp_path_factory.mktemp("other"), ISING_DATA=str(data_file(0)))
    others, guarded = other_answers(), set(tables()) | GUARDS_OWN
    given = set()
    for id, cell in list(code_cells(EXERCISE).items())[1:]:
        if draws_only(cell):
            continue
        if id.endswith("-answer"):
            free = given - guarded - Names(cell.source).loads
            kernel.do("\n".join(f"{name} = None" for name in sorted(free)))
        out = kernel.do(others.get(id, cell.source))
        # TensorFlow's messages, and what Keras has to say about an answer
        assert not out["stderr"] or id == "setup" or id.endswith("-answer")
        if not id.endswith(("-answer", "helpers")):
            given |= Names(cell.source).bound
    kernel.stop()


@pytest.mark.parametrize("name", ["check", "numbers", "str", "guard", "zlib"])
def test_a_check_never_breaks_by_a_name(solved, judge, name):
    judge("task-2", "pass")
    solved(0).do(f"{name} = 3")
    out = solved(0).run(code_cells(EXERCISE)["task-2-check"].source)
    assert not out["stderr"] and len(out["traceback"]) <= 1
