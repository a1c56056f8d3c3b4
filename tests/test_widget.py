"""The sliders of Part B in a real browser: JupyterLab, a real kernel, and a picture that changes."""

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
from conftest import SOLUTION, code_cells

# The notebook's own cells on a small data set and without training, which the widget does not depend on.
SMALL = "N_TRAIN = 400\nspins, temperatures = simulate_ising(TEMPERATURES, 20, 32, SEED)"
LEFT_OUT = (
    "training",
    "curves",
    "identity",
    "task-4-answer",
    "puzzle-figure",
    "twin-figure",
    "touch",
    "move",
    "rim",
    "platt",
    "table",
    "roll-figure",
)
ERROR = '.jp-OutputArea-output:is([data-mime-type="application/vnd.jupyter.error"], [data-mime-type="application/vnd.jupyter.stderr"])'
IN_PLACE = {
    "load-now": SMALL,
    "task-3-answer": "correct_below = correct_above = wrong_below = wrong_above = 0",
    "mended": "mended = untrained",
}


def small_notebook():
    """Return the cells up to the widget, without checks and without what takes long."""
    cells, metadata = [], nbformat.read(SOLUTION, as_version=4).metadata
    for id, cell in code_cells(SOLUTION).items():
        if id in IN_PLACE:
            cell.source = IN_PLACE[id]
        if not (id in LEFT_OUT or id.endswith("-check")):
            cells.append(nbformat.v4.new_code_cell(cell.source, id=id))
        if id == "widget":
            return nbformat.v4.new_notebook(cells=cells, metadata=metadata)


@contextlib.contextmanager
def jupyter_lab(folder):
    """Serve a folder with JupyterLab on the loopback interface; give the address of its API and its token."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--no-browser",
        "--allow-root",
        f"--ServerApp.root_dir={folder}",
    ]
    command += [
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        f"--IdentityProvider.token={token}",
    ]
    # Settings of its own: no dialogue, no news, and no workspace of an earlier run opens itself.
    own = {
        "JUPYTER_CONFIG_DIR": f"{folder}/.config",
        "JUPYTER_DATA_DIR": f"{folder}/.data",
        "JUPYTERLAB_WORKSPACES_DIR": f"{folder}/.lab",
    }
    with open(f"{folder}/lab.log", "w") as log:
        server = subprocess.Popen(
            command, env={**os.environ, **own}, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        for _ in range(240):
            with contextlib.suppress(urllib.error.URLError, ConnectionError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api", timeout=5).close()
                break
            assert server.poll() is None, open(f"{folder}/lab.log").read()
            time.sleep(0.25)
        yield f"http://127.0.0.1:{port}", token
    finally:
        server.terminate()  # it ends its kernels
        server.wait(30)


def run_all(page, address, token, notebook):
    """Open a notebook, run all its cells, wait until the kernel is idle and every code cell has its number."""
    page.goto(
        f"{address}/doc/tree/{notebook}?token={token}"
    )  # /doc: this document alone, without side bars
    page.locator(".jp-Notebook .jp-CodeCell").first.wait_for(timeout=60_000)
    # Run All is lost if it comes before the kernel. The status bar knows; the notebook's own indicator starts with "idle".
    page.locator("#jp-main-statusbar").get_by_text("| Idle").wait_for(timeout=60_000)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    page.wait_for_function(
        "() => document.querySelector('.jp-Notebook-ExecutionIndicator').dataset.status == 'idle' &&"
        " [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')].every(p => /\\[\\d+\\]/.test(p.textContent)) ||"
        f" document.querySelector({ERROR!r})",
        timeout=120_000,
    )
    errors = page.locator(ERROR)
    assert errors.count() == 0, errors.first.inner_text()


def another_picture(page, change):
    """Do something to the widget; return when its picture is another one."""
    picture = "[...document.querySelectorAll('.jupyter-widgets img')].at(-1)?.src"
    page.wait_for_function(picture, timeout=60_000)
    before = page.evaluate(picture)
    change()
    page.wait_for_function(
        f"before => {picture} && {picture} != before", arg=before, timeout=60_000
    )


def test_moving_a_slider_changes_the_picture(browser, tmp_path):
    nbformat.write(small_notebook(), tmp_path / "widget.ipynb")
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    with jupyter_lab(tmp_path) as (address, token):
        run_all(page, address, token, "widget.ipynb")
        for label in ("index", "top", "size"):
            another_picture(
                page,
                lambda: (
                    page.locator(".widget-slider", has_text=label)
                    .get_by_role("slider")
                    .press("ArrowRight")
                ),
            )
        another_picture(
            page, lambda: page.locator(".widget-dropdown select").select_option(label="disorder")
        )
        page.close()
