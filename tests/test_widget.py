"""In a browser: the widget of Part B changes its picture, and a failing check is one line."""

import contextlib
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import nbformat
import pytest
from conftest import SOLUTION, code_cells

GIVEN = "start setup data load-now split show model test near checks-a".split()
WIDGET = [*GIVEN, *"pictures physics-b bayes mended explore widget".split()]
INSTEAD = {  # a small data set and no training: the widget does not depend on them
    "load-now": "N_TRAIN = 400\nspins, temperatures = simulate_ising(TEMPERATURES, 20, 32, SEED)",
    "mended": "mended, wrong_below = model, 0",
}
STDERR = '[data-mime-type="application/vnd.jupyter.stderr"]'  # JupyterLab shows errors so, too
ERROR = f'.jp-OutputArea-output:is([data-mime-type="application/vnd.jupyter.error"], {STDERR})'


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """JupyterLab on the loopback interface: the folder that it serves, its address and token."""
    folder = tmp_path_factory.mktemp("lab")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{probe.getsockname()[1]}"
    token = secrets.token_hex(16)
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += [f"--ServerApp.root_dir={folder}", f"--ServerApp.port={address.rpartition(':')[2]}"]
    command += ["--ServerApp.port_retries=0", f"--IdentityProvider.token={token}"]
    # Settings of its own: no dialogue, no news, and no workspace of an earlier run opens itself.
    names = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTERLAB_WORKSPACES_DIR")
    own = {name: f"{folder}/.{name.lower()}" for name in names}
    with open(folder / "lab.log", "w") as log:
        server = subprocess.Popen(command, env={**os.environ, **own}, stdout=log, stderr=log)
    try:
        for _ in range(240):
            with contextlib.suppress(urllib.error.URLError, ConnectionError):
                urllib.request.urlopen(f"{address}/api", timeout=5).close()
                break
            time.sleep(0.25)
        yield folder, address, token
    finally:
        server.terminate()  # it ends its kernels
        server.wait(30)


@pytest.fixture
def page(browser):
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    yield page
    page.close()


def run_all(page, lab, name, sources):
    """Open a notebook of these cells, run all, and return the errors once all ran or one failed."""
    folder, address, token = lab
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    metadata = nbformat.read(SOLUTION, as_version=4).metadata
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), folder / name)
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


def test_moving_a_slider_changes_the_picture(lab, page):
    cells = code_cells(SOLUTION)
    sources = [INSTEAD.get(id, cells[id].source) for id in WIDGET]
    assert run_all(page, lab, "widget.ipynb", sources) == []
    slider = page.locator(".widget-slider", has_text="size").get_by_role("slider")
    another_picture(page, lambda: slider.press("ArrowRight"))
    actions = page.locator(".widget-dropdown select")
    another_picture(page, lambda: actions.select_option(label="disorder"))


def test_a_failing_check_is_one_line(lab, page):
    cells = code_cells(SOLUTION)
    sources = [INSTEAD.get(id, cells[id].source) for id in GIVEN]
    (shown,) = run_all(page, lab, "check.ipynb", [*sources, cells["task-5-check"].source])
    assert shown.startswith("answer is missing: ") and "\n" not in shown.strip()
