"""Autograding in the fence: what a submission can read, write and reach, without it and with it."""

import os
import shutil
import socket
import sqlite3
import subprocess
import sys

import nbformat
import pytest
from conftest import REPO
from nbformat.v4 import new_code_cell, new_notebook

BWRAP = "bwrap --unshare-all --ro-bind / / true"
PROBES = {
    "read another submission": "open({course!r} + '/submitted/other/cam/tiny.ipynb').read()",
    "read the gradebook": "open({course!r} + '/gradebook.db', 'rb').read()",
    "write to the gradebook": "change({course!r} + '/gradebook.db')",
    "write to the source": "open({course!r} + '/source/cam/thief', 'w').close()",
    "write to its submission": "open('thief', 'w').close()",
    "open a connection": "socket.create_connection(('127.0.0.1', {port}), timeout=5)",
    "read the environment": "os.environ['SECRET']",
}
THIEF = """
import os, socket, sqlite3

def change(path):
    with sqlite3.connect(path) as db:
        db.execute("UPDATE student SET first_name = 'thief'")

for probe, action in {probes!r}.items():
    try:
        eval(action)
        print(probe)
    except Exception:
        pass
x = 42
"""


def cell(source, name, **fields):
    metadata = {
        "schema_version": 3,
        "grade_id": name,
        "grade": False,
        "solution": False,
        "locked": False,
        "task": False,
    }
    return new_code_cell(source, id=name, metadata={"nbgrader": metadata | fields})


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A course of one tiny exercise with a submission that breaks in, and a server on the loopback interface."""
    course = tmp_path_factory.mktemp("fence")
    answer = cell("### BEGIN SOLUTION\nx = 42\n### END SOLUTION", "answer", solution=True)
    check = cell("assert x == 42", "check", grade=True, locked=True, points=3)
    with socket.create_server(("127.0.0.1", 0)) as server:
        probes = {
            name: line.format(course=str(course), port=server.getsockname()[1])
            for name, line in PROBES.items()
        }
        thief = cell(THIEF.format(probes=probes), "answer", solution=True)
        for place, solution in (
            ("source", answer),
            ("submitted/thief", thief),
            ("submitted/other", answer),
        ):
            target = course / place / "cam" / "tiny.ipynb"
            target.parent.mkdir(parents=True)
            nbformat.write(new_notebook(cells=[solution, check]), target)
        nbgrader(course, "generate_assignment", "--create")
        yield course


def nbgrader(course, *command):
    line = [sys.executable, "-m", "nbgrader", *command, "cam", "--log-level=WARN"]
    environment = {**os.environ, "SECRET": "token"}
    done = subprocess.run(
        line, cwd=course, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr


def broken_into(course):
    """Grade the thief's submission; return what it managed to do, and its points."""
    nbgrader(course, "autograde", "--student=thief", "--force")
    cells = nbformat.read(
        course / "autograded" / "thief" / "cam" / "tiny.ipynb", as_version=4
    ).cells
    done = "".join(output.get("text", "") for output in cells[0].outputs).splitlines()
    with sqlite3.connect(course / "gradebook.db") as db:
        (points,) = db.execute(
            "SELECT auto_score FROM grade WHERE auto_score IS NOT NULL"
        ).fetchone()
        renamed = db.execute("SELECT 1 FROM student WHERE first_name = 'thief'").fetchall()
        db.execute("UPDATE student SET first_name = NULL")
    assert bool(renamed) == ("write to the gradebook" in done)
    return done, points


def test_without_a_fence_a_submission_can_do_everything(course):
    assert broken_into(course) == (list(PROBES), 3)


@pytest.mark.skipif(
    not shutil.which("bwrap") or subprocess.run(BWRAP.split(), capture_output=True).returncode != 0,
    reason="needs bubblewrap and user namespaces",
)
def test_in_the_fence_it_can_do_nothing_and_gets_its_points(course):
    shutil.copy(REPO / "tests" / "fence.py", course / "nbgrader_config.py")
    assert broken_into(course) == ([], 3)
