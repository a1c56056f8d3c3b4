"""What the cells of a notebook bind and rely on, read off their syntax trees.

Here cells are a list of pairs: an id, and the Names of the cell.
"""

import ast
import builtins

# What the guard itself is made of: it cannot report its own loss, but run_check says in one line
# that something is wrong. The last ones begin a check, or are the check of an earlier task.
GUARDS_OWN = set("GIVEN remembered remember guard fingerprint meaning".split())
GUARDS_OWN |= {"GIVEN_IN_TASK_4", *(f"GIVEN_BEFORE_TASK_{task}" for task in (6, 7, 8))}
GUARDS_OWN |= set("builtins globals getattr hasattr issubclass Exception SystemExit".split())
GUARDS_OWN |= set("put_out check_task_1".split())

# The variables that answers bind, by task, and all that they bind: a check makes arrays of some.
RESULTS = {
    "task-1": "feature_maps, weights, bias",
    "task-2": "cams, evidence",
    "task-3": "correct_below, correct_above, wrong_below, wrong_above",
    "task-7": "specks",
}
ANSWERS = set(", ".join(RESULTS.values()).split(", "))
ANSWERS |= {"draw_row", "answer", "local_energy", "Wrap"}


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


def cells_with_names(sources):
    """Return the cells of a notebook, whose sources are given by their ids."""
    return [(id, Names(source)) for id, source in sources.items()]


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


def needed(cells):
    """Return the names that cells after some answer rely on and cells before it give."""
    answers = [k for k, (id, _) in enumerate(cells) if id.endswith("-answer")]
    result = set()
    for position in range(len(cells)):
        for name, giver in relied_on(position, cells).items():
            between = [k for k in answers if (giver is None or giver < k) and k < position]
            known = giver is not None or hasattr(builtins, name)
            if between and known and name not in ANSWERS:
                result.add(name)
    return result


def tables(helpers):
    """Return the tables of what is given, from their cell: name -> words for cells that give it."""
    given = {}
    for node in ast.parse(helpers).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]).startswith("GIVEN"):
            for words, names in ast.literal_eval(node.value).items():
                given |= dict.fromkeys(names.split(), words)
    return given
