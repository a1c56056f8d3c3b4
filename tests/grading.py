"""What the tests of grading and of the fence share: a course with a tiny assignment."""

import os
import shutil
import subprocess
import sys

import nbformat
import numpy as np
from conftest import EXERCISE, TOOLS
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

NAME = EXERCISE.name


def cell(source, id, **nbgrader):
    """Return a cell of an assignment."""
    metadata = {"schema_version": 3, "grade_id": id, "grade": False, "solution": False}
    metadata |= {"locked": False, "task": False, **nbgrader}
    return new_code_cell(source, id=id.replace("_", "-"), metadata={"nbgrader": metadata})


def answer(source, task, **nbgrader):
    source = f"### BEGIN SOLUTION\n{source}\n### END SOLUTION"
    return cell(source, f"task_{task}_answer", solution=True, **nbgrader)


def check(task, points):
    """Return the one open line that calls a check."""
    name = f"task_{task}_check"
    return cell(f"check_task_{task}()", name, grade=True, locked=True, points=points)


ROOM = """# @title Given: the checks
from IPython.display import Markdown, display


class Stop(Exception):
    def _render_traceback_(self):
        return [f"Stop: {self}"]


def _compare(name, found, right):
    if found != right:
        raise Stop(f"{name} is {found}, not {right}.")


def check_task_1():
    _compare("x", x, 42)
    _compare("y", y, 43)
    print("✓ Task 1 is right.")


def check_task_2():
    _compare("z", z, 43)
    print("✓ Task 2 is right.")


def check_task_5():
    display(Markdown(answer))


given = 1"""
FOLDED = "<details><summary>A hint</summary>\n\nAs released: $T < T_c$.\n\n</details>"


def tiny_assignment():
    """Return a notebook like the exercise, but small: 5 automatic points, and 4 by hand."""
    return new_notebook(
        cells=[
            cell(ROOM, "checks_a", locked=True),
            new_markdown_cell(FOLDED, id="hint"),
            answer("x = given + 41\ny = x + 1", 1),
            check(1, 3),
            answer("z = y", 2),
            check(2, 2),
            answer('answer = "Words."', 5, grade=True, points=4),
            check(5, 0),
        ]
    )


def data_file(folder, name="data.npz"):
    """Make a file of two arrays, which is enough for the configuration; return its path."""
    np.savez(folder / name, C=[1], T=[1.0])
    return str(folder / name)


def new_course(folder, notebook):
    """Make a course with the configuration and one assignment, generated."""
    (folder / "source" / "cam").mkdir(parents=True)
    nbformat.write(notebook, folder / "source" / "cam" / NAME)
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
