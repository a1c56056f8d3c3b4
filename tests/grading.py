"""What the tests of grading and of the fence share: a course with a tiny assignment."""

import os
import shutil
import subprocess
import sys

import nbformat
from conftest import EXERCISE, TOOLS
from nbformat.v4 import new_code_cell, new_notebook

NAME = EXERCISE.name


def cell(source, id, **nbgrader):
    """Return a cell of an assignment."""
    metadata = {"schema_version": 3, "grade_id": id, "grade": False, "solution": False}
    metadata |= {"locked": False, "task": False, **nbgrader}
    return new_code_cell(source, id=id.replace("_", "-"), metadata={"nbgrader": metadata})


def answer(source, task, **nbgrader):
    source = f"### BEGIN SOLUTION\n{source}\n### END SOLUTION"
    return cell(source, f"task_{task}_answer", solution=True, **nbgrader)


def check(source, task, points):
    source = f"# @title Check of Task {task}\n{source}"
    return cell(source, f"task_{task}_check", grade=True, locked=True, points=points)


def tiny_assignment():
    """Return a notebook like the exercise, but small: 5 automatic points, and 4 by hand."""
    given = """# @title Folded: Stop
class Stop(Exception):
    def _render_traceback_(self):
        return [f"{self}"]


given = 1"""
    return new_notebook(
        cells=[
            cell(given, "helpers", locked=True),
            answer("x = given + 41\ny = x + 1", 1),
            check("assert x == 42 and y == 43", 1, 3),
            answer("z = y", 2),
            check("if z != 43:\n    raise Stop('z is not y')", 2, 2),
            answer('answer = "Words."', 5, grade=True, points=4),
            check("assert answer", 5, 0),
        ]
    )


def new_course(folder, notebook, name=NAME):
    """Make a course with the configuration and one assignment, generated."""
    (folder / "source" / "cam").mkdir(parents=True)
    nbformat.write(notebook, folder / "source" / "cam" / name)
    shutil.copy(TOOLS / "nbgrader_config.py", folder)
    nbgrader(folder, "generate_assignment", "cam", "--create")


def nbgrader(folder, *command, python=sys.executable, succeeds=True, **environment):
    """Run an nbgrader command in a course; return what it prints."""
    done = subprocess.run(
        [python, "-m", "nbgrader", *command, "--log-level=WARN"],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert not succeeds or done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
