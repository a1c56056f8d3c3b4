"""What a submission tries on whoever opens it, in a real browser: graders and the student.

Each way in calls a server of the test, or shows a picture from there, under a name of its own.
"""

import contextlib
import re
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import nbformat
import pytest
import requests
from conftest import EXERCISE
from grading import FOLDED, NAME, data_file, nbgrader, new_course, tiny_assignment
from nbformat.v4 import new_code_cell, new_markdown_cell, new_raw_cell
from nbgrader.api import Gradebook

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5E"
PIXEL += "rkJggg=="
CODE = {  # a way in -> what a cell runs; RUN stands for HTML whose script calls the test
    "html": "display(HTML(RUN))",
    "html in a frame": "display(HTML(RUN), metadata={'text/html': {'isolated': True}})",
    "javascript": "display(Javascript(SCRIPT))",
    "svg": "display(SVG('<svg xmlns=\"http://www.w3.org/2000/svg\" onload=\"' + SCRIPT + '\"/>'))",
    "markdown": "display(Markdown(RUN))",
    "latex": "display(Latex(RUN))",
    "diagram": "display(Markdown('```mermaid\\n' + RUN + '\\n```'))",
    "widget": "import ipywidgets\ndisplay(ipywidgets.HTML(RUN))",
    "text": "print(RUN, '\\x1b[31m' + RUN)\ndisplay({'text/plain': RUN}, raw=True)",
    "error": "class E(Exception):\n"
    "    def _render_traceback_(self):\n        return [RUN]\n\nraise E(RUN)",
    "no picture": "display({'image/png': 'x\"' + RUN}, raw=True)",
    "name of a figure": "display({'image/png': PIXEL}, raw=True, metadata={'filenames': "
    "{'image/png': PLACE}})",
}
MARKDOWN = {
    "html in Markdown": "RUN",
    "picture from elsewhere": "![](PLACE)",
    "diagram in Markdown": "```mermaid\nRUN\n```",
    "link": "[bait](javascript:SCRIPT)",
    "formula": "$\\href{javascript:SCRIPT}{bait}$",
    "formula in entities": "&#36;\\hr&#101;f{javascript:SCRIPT}{bait}&#36;",
    "formula with a token": "$\\mmlToken{mi}[href=javascript:SCRIPT]{bait}$",
    "formula with a picture": "$\\bbox[background: url(PLACE)]{x}$",
    "link to a file": "[bait](evil.html)",  # which the formgrader and the feedback have, too
    "released text": FOLDED + "RUN",
    "attachment": "![](attachment:a.png)",
    "attachment that is gone": "![](attachment:b.png)",
    "name of an input field": "## task_5_answer",
    "hours for a parser": 150_000 * "\\\\[",
}
KEPT = "A note of **mine**: $T < T_c$, and 1 < 2.\n\n| a | b |\n|--:|---|\n| 1 | 2 |"


@pytest.fixture(scope="module")
def calls():
    """A server that remembers what is asked of it: its address, and the list."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(requests.utils.unquote(self.path[1:]))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


def hostile(released, address, harmless):
    """Return a right submission with all ways in, each calling the address under its name."""

    def armed(text, name, quote=False):
        place = f"{address}/{requests.utils.quote(name)}"
        script = f"fetch('{place}')"
        values = {"RUN": f'<img src=x onerror="{script}">', "SCRIPT": script, "PLACE": place}
        values["PIXEL"] = PIXEL
        for word, value in values.items():
            text = text.replace(word, repr(value) if quote else value)
        return text

    notebook = nbformat.reads(released, as_version=4)
    answers = {"task-1-answer": "x, y = 42, 43", "task-2-answer": "z = 43"}
    answers["task-5-answer"] = armed("answer = RUN", "answer", quote=True)
    for cell in notebook.cells:
        cell.source = answers.get(cell.id, cell.source)
    first = "from IPython.display import HTML, Javascript, Latex, Markdown, SVG, display"
    first += f"\nprint('A plain text')\ndisplay({{'image/png': {PIXEL!r}}}, raw=True)"
    cells = [new_code_cell(first), new_markdown_cell(KEPT)]
    cells += [new_code_cell(armed(code, name, quote=True)) for name, code in CODE.items()]
    cells += [new_markdown_cell(armed(text, name)) for name, text in MARKDOWN.items()]
    cells.append(new_raw_cell(armed("RUN", "raw cell"), metadata={"raw_mimetype": "text/html"}))
    inject = armed('x" onerror="SCRIPT', "attachment")
    cells[-1 - len(MARKDOWN) + list(MARKDOWN).index("attachment")].attachments = {
        "a.png": {"image/png": inject}
    }
    cells[0].metadata.tags = [armed('">RUN', "tag")]
    notebook.metadata.title = armed("</title>RUN", "title")
    if not harmless:  # of these two the feedback would not come to an end
        cells = [c for c in cells if "b.png" not in c.source and len(c.source) < 100_000]
    notebook.cells = cells + notebook.cells
    return nbformat.writes(notebook), armed("RUN", "link to a file")


def graded_course(folder, calls, harmless=True):
    """Make a course with a hostile submission, graded; return its folder."""
    new_course(folder, tiny_assignment())
    if not harmless:
        config = folder / "nbgrader_config.py"
        text = config.read_text(encoding="utf-8")
        config.write_text(text.replace(", Harmless]", "]").replace("[Harmless, ", "["))
    released = (folder / "release" / "cam" / NAME).read_text(encoding="utf-8")
    submitted = folder / "submitted" / "eve" / "cam"
    submitted.mkdir(parents=True)
    notebook, page = hostile(released, calls[0], harmless)
    (submitted / NAME).write_text(notebook, encoding="utf-8")
    (submitted / "evil.html").write_text(page, encoding="utf-8")
    nbgrader(folder, "autograde", "cam", ISING_DATA=data_file(folder))
    nbgrader(folder, "generate_feedback", "cam")
    return folder


def feedback_of(course):
    return (course / "feedback" / "eve" / "cam" / f"{EXERCISE.stem}.html").as_uri()


@pytest.fixture(scope="module")
def course(calls, tmp_path_factory):
    return graded_course(tmp_path_factory.mktemp("attacks"), calls)


@pytest.fixture(scope="module")
def formgrader(course):
    """The address of the submission in a formgrader that runs in the course folder."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "jupyter", "server", "--no-browser", f"--port={port}"]
    command += ["--IdentityProvider.token=", "--allow-root"]
    server = subprocess.Popen(command, cwd=course, stderr=subprocess.DEVNULL)
    try:
        while server.poll() is None:
            with contextlib.suppress(requests.ConnectionError):
                if requests.get(f"http://127.0.0.1:{port}/api", timeout=30).ok:
                    break
            time.sleep(0.5)
        with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
            submission = gradebook.find_submission_notebook(EXERCISE.stem, "cam", "eve")
            yield f"http://127.0.0.1:{port}/formgrader/submissions/{submission.id}/"
    finally:
        server.terminate()
        server.wait()


def open_and_click(browser, calls, address):
    """Open a page and click on all that invites to; return the page and what has been called."""
    calls[1].clear()
    page = browser.new_page()
    page.goto(address)
    for bait in page.locator("a", has_text="bait").all():
        bait.click()
        page.wait_for_timeout(1000)
        page.goto(address)
    page.wait_for_timeout(1000)
    return page, set(calls[1])


def formulas_in(page):
    """Return what could harm in the text of a page that MathJax makes formulas of: all but code.

    MathJax comes from a network, which a test may not need.
    """
    page.locator("pre").evaluate_all("all => all.forEach(one => one.remove())")
    return set(re.findall(r"\\(?:href|mmlToken|bbox)", page.locator("body").inner_text()))


def test_without_the_configuration_the_ways_in_are_open(browser, calls, tmp_path):
    address = feedback_of(graded_course(tmp_path, calls, harmless=False))
    page, called = open_and_click(browser, calls, address)
    assert formulas_in(page) == {r"\href", r"\mmlToken", r"\bbox"}
    page.close()
    ways = {"html", "markdown", "diagram", "name of a figure", "answer", "html in Markdown"}
    assert ways | {"link", "link to a file", "released text"} <= called


@pytest.mark.parametrize("where", ["formgrader", "feedback"])
def test_nothing_of_a_submission_runs_in_a_browser(where, browser, calls, course, request):
    if where == "formgrader":
        address = request.getfixturevalue("formgrader")
    else:
        address = feedback_of(course)
    page, called = open_and_click(browser, calls, address)
    assert called == set()
    text = page.locator("body").inner_text()
    for kept in ("A plain text", "A note of mine: $T < T_c$, and 1 < 2.", "onerror="):
        assert kept in text
    assert page.locator("details").count() == 1 and page.locator("td").count() == 2
    widths = page.locator("img").evaluate_all("all => all.map(one => one.naturalWidth)")
    assert widths == [1, 1]
    if where == "formgrader":
        assert page.locator("#task_5_answer").first.evaluate("one => one.tagName") == "INPUT"
    assert formulas_in(page) == set()
    page.close()
