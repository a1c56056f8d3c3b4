"""What the tests share: the notebooks' cells, brute force, a data file, a real kernel, a real server."""

import itertools
import os
import queue
import shutil
import sys
from pathlib import Path

import jupyter_client
import nbformat
import numpy as np
import pytest
from playwright.sync_api import sync_playwright

REPO = Path(__file__).parents[1]
SOLUTION = REPO / "solution_12_3_cam.ipynb"
EXERCISE = REPO / "exercise_12_3_cam.ipynb"
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # nbgrader looks there for alembic


def code_cells(path):
    """Return the code cells of a notebook by their ids, in order."""
    return {cell.id: cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"}


def load_cells(*ids, **names):
    """Execute cells of the solution without TensorFlow; names are what earlier cells would have defined."""
    namespace = {"np": np, "os": os, "SEED": 0, "T_C": 2 / np.log(1 + np.sqrt(2)), **names}
    cells = code_cells(SOLUTION)
    for id in ids:
        exec(compile(cells[id].source, id, "exec"), namespace)
    return namespace


@pytest.fixture(scope="session")
def physics():
    """The sampler, the loader and the exact partition function, as the notebook defines them."""
    return load_cells("simulate", "load", "exact")


@pytest.fixture(scope="session")
def all_4x4():
    """All 65,536 spin configurations of the periodic 4 x 4 lattice and their energies, bond by bond."""
    states = np.array(list(itertools.product([-1, 1], repeat=16)), dtype=np.int8).reshape(-1, 4, 4)
    energies = np.zeros(len(states))
    for y, x in itertools.product(range(4), repeat=2):
        energies -= states[:, y, x] * (states[:, (y + 1) % 4, x] + states[:, y, (x + 1) % 4])
    return states, energies


@pytest.fixture(scope="session")
def data_file(physics, tmp_path_factory):
    """A function that gives the path of a data file simulated with a seed; one that nbval has left is used again."""

    known = {}

    def make(seed):
        left = REPO / "ising_simulated.npz"
        if seed == 0 and left.exists():
            return left
        if seed not in known:
            spins, temperatures = physics["simulate_ising"](physics["TEMPERATURES"], 1000, 32, seed)
            known[seed] = tmp_path_factory.mktemp("data") / f"seed_{seed}.npz"
            np.savez_compressed(known[seed], C=spins, T=temperatures)
        return known[seed]

    return make


class Kernel:
    """A real Jupyter kernel: runs code, returns what it prints, what it raises, and the traceback that is shown."""

    def __init__(self, folder, **environment):
        self.manager, self.client = jupyter_client.manager.start_new_kernel(
            cwd=str(folder), env={**os.environ, "MPLBACKEND": "module://matplotlib_inline.backend_inline", **environment}
        )

    def run(self, code, timeout=600):
        out = {"stdout": "", "stderr": "", "error": "", "traceback": []}

        def hook(message):
            content = message["content"]
            if message["msg_type"] == "stream":
                out[content["name"]] += content["text"]
            elif message["msg_type"] == "error":
                out["error"] = f"{content['ename']}: {content['evalue']}"
                out["traceback"] = content["traceback"]

        try:
            self.client.execute_interactive(code, timeout=timeout, output_hook=hook, allow_stdin=False)
        except (TimeoutError, queue.Empty):
            out["error"] = f"no answer for {timeout} s"
        return out

    def value(self, expression):
        """Return a number or a list of numbers from the kernel."""
        out = self.run(f"print(repr(np.asarray({expression}).tolist()))")
        assert not out["error"], out["error"]
        return eval(out["stdout"])

    def peak_memory(self):
        """Return the largest memory so far in MiB, and how much is pages of files (TensorFlow's library, mostly).

        Kernels on one computer have those in common. On Linux, ru_maxrss would count the parent process, too.
        """
        if sys.platform == "linux":
            status = "open('/proc/self/status').read()"
            return [self.value(f"int({status}.split('{name}:')[1].split()[0])") / 2**10 for name in ("VmHWM", "RssFile")]
        return self.value("__import__('resource').getrusage(0).ru_maxrss") / 2**20, 0

    def stop(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@pytest.fixture(scope="session")
def student(data_file, tmp_path_factory):
    """The untouched exercise, alone in a folder, run in a kernel until the first error: kernel, where it stopped, outputs."""
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
    """The student's kernel after the exercise was filled in and run to its end, restarting nothing: kernel, outputs."""
    kernel, stopped, _ = student
    outputs, begun = {}, False
    for id, cell in code_cells(EXERCISE).items():
        begun |= id == stopped
        if begun:
            outputs[id] = kernel.run(answers.get(id, cell.source))
    kernel.peak = kernel.peak_memory()
    return kernel, outputs


@pytest.fixture(scope="session")
def solved(finished, data_file, tmp_path_factory):
    """A function that gives a kernel in which the whole notebook has run with a seed, on data simulated with it."""
    kernels = {0: finished[0]}

    def run(seed):
        if seed not in kernels:
            kernels[seed] = Kernel(tmp_path_factory.mktemp(f"seed_{seed}"), ISING_DATA=str(data_file(seed)))
            for id, cell in code_cells(SOLUTION).items():
                assert "SEED = 0" in cell.source or id != "setup"
                out = kernels[seed].run(cell.source.replace("SEED = 0", f"SEED = {seed}"))
                assert not out["error"], f"{id}: {out['error']}"
        return kernels[seed]

    yield run
    for kernel in kernels.values():
        kernel.stop()


@pytest.fixture(scope="session")
def browser():
    """Debian's or Google's Chromium, which finds no host by its name."""
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if not path:
        pytest.skip("no Chromium on this machine (Debian: apt install chromium)")
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()
