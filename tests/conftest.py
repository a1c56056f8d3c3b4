"""What the tests share: the notebooks' cells, brute force, data files, real kernels, a browser."""

import itertools
import os
import queue
import re
import shutil
import sys
import textwrap
from pathlib import Path

import jupyter_client
import nbformat
import numpy as np
import pytest
from answers import RIGHT, STUB
from names import ANSWERS, GUARDS_OWN, RESULTS, Names, tables
from playwright.sync_api import sync_playwright
from xdist.scheduler import LoadScopeScheduling

REPO = Path(__file__).parents[1]
TOOLS = REPO / "tests" / "tools"
SOLUTION = REPO / "solution_12_3_cam.ipynb"
EXERCISE = REPO / "exercise_12_3_cam.ipynb"
LOADER = ("shares", "fault", "read", "reason", "download", "stored", "load")  # its cells
sys.path.append(str(TOOLS))
# nbgrader looks for alembic on the PATH.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

if "PYTEST_XDIST_WORKER" in os.environ:  # a core each, instead of all for each
    for variable in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(variable, "1")

# These files share the kernels in which students' notebooks have run.
KERNELS = set("test_answers test_small_changes test_given test_notebooks test_part_b".split())


class Schedule(LoadScopeScheduling):
    """Run a file in one of pytest-xdist's processes, and the files that share kernels in one, too.

    The cells of a notebook, which nbval runs, are of one file.
    """

    def _split_scope(self, nodeid):
        file = Path(nodeid.partition("::")[0]).stem
        return "kernels" if file in KERNELS else file


def pytest_xdist_make_scheduler(config, log):
    return Schedule(config, log)


def code_cells(path):
    """Return the code cells of a notebook by their ids, in order."""
    cells = nbformat.read(path, as_version=4).cells
    return {cell.id: cell for cell in cells if cell.cell_type == "code"}


def is_folded(cell):
    return cell.metadata.get("jupyter", {}).get("source_hidden", False)


def draws_only(cell):
    """Say whether a cell is a folded one that draws a figure and gives nothing else."""
    return cell.source.startswith("# @title Folded: draws the figure")


def load_cells(*ids, **names):
    """Execute cells of the solution without TensorFlow.

    names: what earlier cells would have defined.
    """
    setup = {"SEED": 0, "T_C": 2 / np.log(1 + np.sqrt(2)), "N_TRAIN": 20_000, "NEAR": 0.1}
    namespace = {"np": np, **setup, **names}
    cells = code_cells(SOLUTION)
    for id in ids:
        exec(compile(cells[id].source, id, "exec"), namespace)
    return namespace


def filled(cell, code):
    """Return an answer cell with code in place of the line to be replaced.

    Code that begins with def, class or del stands in place of the whole function or class.
    """
    code = textwrap.dedent(code).strip("\n")
    before, line, after = cell.source.partition(STUB)
    assert line, "the cell has no line to be replaced"
    indent = before[before.rfind("\n") + 1 :]
    if indent and code.startswith(("def ", "class ", "del ")):
        return code + (after if code.startswith("def ") else "")
    return before + textwrap.indent(code, indent).lstrip() + after


def solution_region(source):
    """Return the lines of an answer cell between the marks of the solution."""
    return source.partition("### BEGIN SOLUTION\n")[2].partition("### END SOLUTION")[0].rstrip(" ")


@pytest.fixture(scope="session")
def physics():
    """The sampler, the loader and the exact partition function, as the notebook defines them."""
    return load_cells("simulate", *LOADER, "exact")


@pytest.fixture(scope="session")
def all_4x4():
    """All 65,536 configurations of the periodic 4 x 4 lattice, and their energies bond by bond."""
    states = np.array(list(itertools.product([-1, 1], repeat=16)), dtype=np.int8)
    states = states.reshape(-1, 4, 4)
    energies = np.zeros(len(states))
    for y, x in itertools.product(range(4), repeat=2):
        neighbours = states[:, (y + 1) % 4, x] + states[:, y, (x + 1) % 4]
        energies -= states[:, y, x] * neighbours
    return states, energies


@pytest.fixture(scope="session")
def data_file(physics, tmp_path_factory):
    """A function that gives the path of a data file simulated with a seed.

    One that nbval has left is used again. "other" stands for other data: lattices near Tc only,
    in unequal numbers at each temperature, taken from the files of the seeds 0, 1 and 2.
    """
    known = {}

    def near():
        files = [np.load(make(seed)) for seed in (0, 1, 2)]
        C, T = (np.concatenate([file[name] for file in files]) for name in ("C", "T"))
        kept = (T > 1.85) & (T < 2.65) & ((T < 2.35) | (np.arange(len(T)) % 3 > 0))
        order = np.random.default_rng(0).permutation(np.flatnonzero(kept))
        return C[order], T[order]

    def make(seed):
        left = REPO / "ising_simulated.npz"
        if seed == 0 and left.exists():
            return left
        if seed not in known:
            if seed == "other":
                C, T = near()
            else:
                temperatures = physics["TEMPERATURES"]
                C, T = physics["simulate_ising"](temperatures, 1000, 32, seed)
            known[seed] = tmp_path_factory.mktemp("data") / f"seed_{seed}.npz"
            np.savez_compressed(known[seed], C=C, T=T)
        return known[seed]

    return make


class Kernel:
    """A real Jupyter kernel: it runs code and returns what is printed, raised and shown of it."""

    def __init__(self, folder, **environment):
        self.manager, self.client = jupyter_client.manager.start_new_kernel(
            cwd=str(folder), env={**os.environ, **environment}
        )

    def run(self, code, timeout=600):
        out = {"stdout": "", "stderr": "", "error": "", "traceback": [], "figures": []}

        def hook(message):
            content = message["content"]
            if message["msg_type"] == "stream":
                out[content["name"]] += content["text"]
            elif message["msg_type"] == "error":
                out["error"] = f"{content['ename']}: {content['evalue']}"
                out["traceback"] = content["traceback"]
            elif "image/png" in content.get("data", {}):
                out["figures"].append(content["data"]["image/png"])

        settings = {"allow_stdin": False, "stop_on_error": False}
        try:
            self.client.execute_interactive(code, timeout=timeout, output_hook=hook, **settings)
        except (TimeoutError, queue.Empty):
            out["error"] = f"no answer for {timeout} s"
        return out

    def do(self, code):
        """Run code that must not fail."""
        out = self.run(code)
        assert not out["error"], out["error"]
        return out

    def value(self, expression):
        """Return a number or a list of numbers from the kernel."""
        return eval(self.do(f"print(repr(np.asarray({expression}).tolist()))")["stdout"])

    def peak_memory(self):
        """Return the largest memory so far in MiB, and how much of it is pages of files.

        Kernels on one computer have those in common: TensorFlow's library, mostly. On Linux,
        ru_maxrss would count the parent process, too.
        """
        if sys.platform == "linux":
            status = self.do("print(open('/proc/self/status').read())")["stdout"]
            sizes = [re.search(rf"{name}:\s+(\d+)", status)[1] for name in ("VmHWM", "RssFile")]
            return [int(size) / 2**10 for size in sizes]
        peak = self.value("__import__('resource').getrusage(0).ru_maxrss")
        return peak / 2**20, 0

    def stop(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@pytest.fixture(scope="session")
def student(data_file, tmp_path_factory):
    """The untouched exercise, alone in a folder, run in a kernel until the first error.

    Gives the kernel, the id of the cell where it stopped, and the outputs by id.
    """
    kernel = Kernel(tmp_path_factory.mktemp("student"), ISING_DATA=str(data_file(0)))
    outputs = {}
    for id, cell in code_cells(EXERCISE).items():
        outputs[id] = kernel.run(cell.source)
        if outputs[id]["error"]:
            break
    yield kernel, id, outputs
    kernel.stop()


@pytest.fixture(scope="session")
def answers():
    """What the instructor's solution has in place of each blank, by task."""
    return {id: cell.source for id, cell in code_cells(SOLUTION).items() if id.endswith("-answer")}


@pytest.fixture(scope="session")
def finished(student, answers):
    """The student's kernel after the exercise was filled in and run to its end, and the outputs."""
    kernel, stopped, _ = student
    cells = code_cells(EXERCISE)
    outputs = {}
    for id in list(cells)[list(cells).index(stopped) :]:
        outputs[id] = kernel.run(answers.get(id, cells[id].source))
    kernel.peak = kernel.peak_memory()
    return kernel, outputs


@pytest.fixture(scope="session")
def solved(finished, data_file, tmp_path_factory):
    """A function that gives a kernel in which the whole notebook has run with a seed.

    Its data are those of data_file(seed). The cells that only draw are left out: the notebook has
    to do without them. With "other", it has to do with even less.
    """
    kernels = {0: finished[0]}

    def run(seed):
        if seed not in kernels:
            kernels[seed] = Kernel(
                tmp_path_factory.mktemp(f"seed_{seed}"), ISING_DATA=str(data_file(seed))
            )
            for source in without_free_names() if seed == "other" else with_seed(seed):
                kernels[seed].do(source)
        return kernels[seed]

    yield run
    for kernel in kernels.values():
        kernel.stop()


def with_seed(seed):
    """Yield what runs in the solution with a seed, without the cells that only draw."""
    for cell in code_cells(SOLUTION).values():
        if not draws_only(cell):
            yield cell.source.replace("SEED = 0", f"SEED = {seed}")


def without_free_names():
    """Yield what runs in the exercise with right answers that are not the solution's.

    At each blank all names are overwritten on which no later cell relies. The first cell and those
    that only draw are left out. The training is short: no check depends on it.
    """
    cells = code_cells(EXERCISE)
    given, guarded = set(), set(tables(cells["helpers"].source)) | GUARDS_OWN
    for id, cell in list(cells.items())[1:]:
        if id.endswith("-answer"):
            free = given - guarded - Names(cell.source).loads
            yield "\n".join(f"{name} = None" for name in sorted(free))
            yield filled(cell, next(iter(RIGHT[id.removesuffix("-answer")].values())))
        elif not draws_only(cell):
            yield cell.source.replace("EPOCHS, BATCH = 3", "EPOCHS, BATCH = 1")
            if id != "helpers":
                given |= Names(cell.source).bound - ANSWERS


REMEMBER = """
tests_names = [name for name in globals() if not name.startswith("_")]
tests_saved = {name: globals()[name] for name in tests_names}
tests_arrays = {k: v.copy() for k, v in tests_saved.items() if isinstance(v, np.ndarray)}
tests_arrays = {k: v for k, v in tests_arrays.items() if v.nbytes < 15e6}  # not the data
tests_weights, tests_layers = model.get_weights(), list(model.layers)
"""
RESTORE = """
def tests_restore():
    import numpy as np
    for name in [name for name in globals() if not name.startswith(("_", "tests_"))]:
        if name not in tests_saved:
            del globals()[name]
    globals().update(tests_saved)
    globals().update({name: array.copy() for name, array in tests_arrays.items()})
    if len(model.layers) != len(tests_layers):
        while model.layers:
            model.pop()
        for layer in tests_layers:
            model.add(layer)
        model.compile(loss="categorical_crossentropy", metrics=["accuracy"])
    model.get_layer("phase").activation = keras.activations.softmax
    if any((a != b).any() for a, b in zip(tests_weights, model.get_weights())):
        model.set_weights(tests_weights)
    plt.close("all")


tests_restore()
"""


@pytest.fixture(scope="session")
def judge(solved):
    """A function that runs an answer to a task and its check in the kernel of a seed.

    Everything else is answered as in the solution. It returns the outputs of both cells. With
    fresh, the results of the task do not exist before. Only if asked, Task 4 draws its figure.
    """
    cells = code_cells(EXERCISE)
    ready = set()

    def run(task, code, seed=0, fresh=False, figure=False):
        kernel = solved(seed)
        if seed not in ready:
            kernel.do(REMEMBER)
            ready.add(seed)
        kernel.do(RESTORE)
        if fresh and task in RESULTS:
            kernel.do(f"del {RESULTS[task]}")
        answer = filled(cells[f"{task}-answer"], code)
        if not figure:
            answer = answer.partition("\n\n\nfig = plot_cams")[0]
        return kernel.run(answer), kernel.run(cells[f"{task}-check"].source)

    return run


@pytest.fixture(scope="session")
def browser():
    """Debian's or Google's Chromium, which finds no host by its name."""
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    if not path:
        pytest.skip("no Chromium on this machine (Debian: apt install chromium)")
    hosts = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
    arguments = ["--no-sandbox", "--disable-gpu", hosts]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()
