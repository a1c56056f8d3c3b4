"""In a browser: the sliders of Part B change their picture, and a failing check is one line."""

import contextlib
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import nbformat
import pytest
from conftest import LOADER, SOLUTION, code_cells

# What the sliders need, on a small data set and without training, on which they do not depend.
WIDGET = f"quiet setup simulate {' '.join(LOADER)} load-now split show model test near helpers"
WIDGET += " draw exact bayes networks"
SMALL = "N_TRAIN = 400\nspins, temperatures = simulate_ising(TEMPERATURES, 20, 32, SEED)"
MENDED = "mended, wrong_below = model, 0"
FAILING = 'run_check(lambda: require(False, "This is wrong."), "")'
STDERR = '[data-mime-type="application/vnd.jupyter.stderr"]'  # JupyterLab shows errors so, too
ERROR = f'.jp-OutputArea-output:is([data-mime-type="application/vnd.jupyter.error"], {STDERR})'


def notebook(*sources):
    cells = [nbformat.v4.new_code_cell(source, id=f"cell-{k}") for k, source in enumerate(sources)]
    metadata = nbformat.read(SOLUTION, as_version=4).metadata
    return nbformat.v4.new_notebook(cells=cells, metadata=metadata)


def small_notebook():
    """Return what is needed of the notebook up to the widget."""
    cells = {id: cell.source for id, cell in code_cells(SOLUTION).items()}
    cells["load-now"] = SMALL
    return notebook(
        *(cells[id] for id in WIDGET.split()), MENDED, cells["explore"], cells["widget"]
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("lab")


@pytest.fixture(scope="module")
def lab(folder, browser):
    """JupyterLab on the loopback interface, which serves a folder: its address and its token."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += [f"--ServerApp.root_dir={folder}", f"--ServerApp.port={port}"]
    command += ["--ServerApp.port_retries=0", f"--IdentityProvider.token={token}"]
    # Settings of its own: no dialogue, no news, and no workspace of an earlier run opens itself.
    names = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTERLAB_WORKSPACES_DIR")
    own = {name: f"{folder}/.{name.lower()}" for name in names}
    log = Path(folder) / "lab.log"
    with open(log, "w") as output:
        server = subprocess.Popen(
            command, env={**os.environ, **own}, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        for _ in range(240):
            with contextlib.suppress(urllib.error.URLError, ConnectionError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api", timeout=5).close()
                break
            assert server.poll() is None, log.read_text(encoding="utf-8")
            time.sleep(0.25)
        yield f"http://127.0.0.1:{port}", token
    finally:
        server.terminate()  # it ends its kernels
        server.wait(30)


@pytest.fixture
def page(browser):
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    yield page
    page.close()


def run_all(page, lab, name):
    """Open a notebook, run all its cells, and wait until all have run or one has failed."""
    address, token = lab
    page.goto(f"{address}/doc/tree/{name}?token={token}")  # /doc: alone, without side bars
    page.locator(".jp-Notebook .jp-CodeCell").first.wait_for(timeout=60_000)
    # Run All is lost if it comes before the kernel. The status bar knows; the notebook's own
    # indicator starts with "idle".
    page.locator("#jp-main-statusbar").get_by_text("| Idle").wait_for(timeout=60_000)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    page.wait_for_function(
        """error => {
            const indicator = document.querySelector('.jp-Notebook-ExecutionIndicator');
            const prompts = [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')];
            const done = prompts.every(prompt => /\\[\\d+\\]/.test(prompt.textContent));
            return indicator.dataset.status == 'idle' && done || document.querySelector(error);
        }""",
        arg=ERROR,
        timeout=120_000,
    )
    return page.locator(ERROR).all_inner_texts()


def another_picture(page, change):
    """Do something to the widget; return when its picture is another one."""
    picture = "[...document.querySelectorAll('.jupyter-widgets img')].at(-1)?.src"
    page.wait_for_function(picture, timeout=60_000)
    before = page.evaluate(picture)
    change()
    changed = f"before => {picture} && {picture} != before"
    page.wait_for_function(changed, arg=before, timeout=60_000)


def test_moving_a_slider_changes_the_picture(lab, folder, page):
    nbformat.write(small_notebook(), folder / "widget.ipynb")
    assert run_all(page, lab, "widget.ipynb") == []
    for label in ("index", "top", "size"):
        slider = page.locator(".widget-slider", has_text=label).get_by_role("slider")
        another_picture(page, lambda slider=slider: slider.press("ArrowRight"))
    actions = page.locator(".widget-dropdown select")
    another_picture(page, lambda: actions.select_option(label="disorder"))


def test_a_failing_check_is_one_line(lab, folder, page):
    cells = code_cells(SOLUTION)
    sources = [cells[id].source for id in ("quiet", "setup", *LOADER, "helpers")]
    nbformat.write(notebook(*sources, FAILING), folder / "check.ipynb")
    (shown,) = run_all(page, lab, "check.ipynb")
    assert shown.strip() == "This is wrong."
