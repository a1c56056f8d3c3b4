"""What the tests share: the notebooks' cells, brute force, data files, real kernels, a browser."""

import itertools
import os
import queue
import shutil
import sys
import textwrap
from pathlib import Path

import jupyter_client
import nbformat
import numpy as np
import pytest
from answers import STUB
from playwright.sync_api import sync_playwright

REPO = Path(__file__).parents[1]
TOOLS = REPO / "tests" / "tools"
SOLUTION = REPO / "solution_12_3_cam.ipynb"
EXERCISE = REPO / "exercise_12_3_cam.ipynb"
sys.path.append(str(TOOLS))
# nbgrader looks for alembic on the PATH.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

if "PYTEST_XDIST_WORKER" in os.environ:  # a core each, instead of all for each
    for variable in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(variable, "1")


def code_cells(path):
    """Return the code cells of a notebook by their ids, in order."""
    cells = nbformat.read(path, as_version=4).cells
    return {cell.id: cell for cell in cells if cell.cell_type == "code"}


def is_folded(cell):
    return cell.metadata.get("jupyter", {}).get("source_hidden", False)


def load_cells(*ids, **names):
    """Execute cells of the solution without TensorFlow.

    names: what earlier cells would have defined.
    """
    setup = {"SEED": 0, "T_C": 2 / np.log(1 + np.sqrt(2)), "N_TRAIN": 20_000, "NEAR": 0.1}
    namespace = {"np": np, "EXTENT": (0, 32, 32, 0), **setup, **names}
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


@pytest.fixture(scope="session")
def physics():
    """The sampler, the loader and the exact partition function, as the notebook defines them."""
    one = {"levels": np.array([2.0]), "T_train": np.array([2.0]), "x_train": np.ones((1, 32, 32))}
    return load_cells("data") | load_cells("physics-b", **one)  # the test of equilibrium needs one


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

        Kernels on one computer have those in common: TensorFlow's library, mostly.
        """
        status = self.do("print(open('/proc/self/status').read())")["stdout"]
        sizes = dict(line.split(maxsplit=1) for line in status.splitlines() if "kB" in line)
        return [int(sizes[name].split()[0]) / 2**10 for name in ("VmHWM:", "RssFile:")]

    def stop(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@pytest.fixture(scope="session")
def answers():
    """What the instructor's solution has in place of each blank, by the id of its cell."""
    return {id: cell.source for id, cell in code_cells(SOLUTION).items() if id.endswith("-answer")}


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
