"""Autograding in the fence: what a submission can read, write and reach, without it and with it."""

import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
from grading import NAME, cell, data_file, nbgrader, new_course
from nbformat.v4 import new_notebook

BWRAP = "bwrap --unshare-all --ro-bind / / true"
WORKS = shutil.which("bwrap") and subprocess.run(BWRAP.split(), capture_output=True).returncode == 0
needs_fence = pytest.mark.skipif(not WORKS, reason="needs bubblewrap and user namespaces")
PROBES = {
    "read another submission": "open({course!r} + '/submitted/other/cam/{name}').read()",
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
READER = "import os\nopen(os.environ['ISING_DATA'], 'rb').close()\nx = 42"


CHECK = cell("assert x == 42", "task_1_check", grade=True, locked=True, points=3)


def exercise(answer):
    return new_notebook(cells=[cell(answer, "task_1_answer", solution=True), CHECK])


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """A course of one tiny exercise, generated once."""
    folder = tmp_path_factory.mktemp("released")
    new_course(folder, exercise("### BEGIN SOLUTION\nx = 42\n### END SOLUTION"))
    return folder


@pytest.fixture
def course(released, tmp_path):
    """A copy of the course with a submission that breaks in, and a server."""
    shutil.copytree(released, tmp_path, dirs_exist_ok=True)
    with socket.create_server(("127.0.0.1", 0)) as server:
        values = {"course": str(tmp_path), "port": server.getsockname()[1], "name": NAME}
        probes = {name: line.format(**values) for name, line in PROBES.items()}
        for student, code in (("thief", THIEF.format(probes=probes)), ("other", READER)):
            target = tmp_path / "submitted" / student / "cam" / NAME
            target.parent.mkdir(parents=True)
            nbformat.write(exercise(code), target)
        yield tmp_path


def broken_into(course, **how):
    """Grade the thief's submission; return what it did, its points, and what is printed."""
    command = ("autograde", "cam", "--student=thief", "--force")
    said = nbgrader(course, *command, SECRET="token", ISING_DATA=data_file(course), **how)
    cells = nbformat.read(course / "autograded" / "thief" / "cam" / NAME, as_version=4).cells
    done = "".join(output.get("text", "") for output in cells[0].outputs).splitlines()
    with sqlite3.connect(course / "gradebook.db") as db:
        renamed = db.execute("SELECT 1 FROM student WHERE first_name = 'thief'").fetchall()
    assert bool(renamed) == ("write to the gradebook" in done)
    return done, points_of(course), said.splitlines()


def points_of(course):
    with sqlite3.connect(course / "gradebook.db") as db:
        return db.execute("SELECT SUM(auto_score) FROM grade").fetchone()[0]


@pytest.fixture
def without_bwrap(tmp_path_factory):
    """A PATH with everything that is needed here but bubblewrap."""
    folder = tmp_path_factory.mktemp("bin")
    for name in ("sh", "env", "git", "uname"):
        if shutil.which(name):
            (folder / name).symlink_to(shutil.which(name))
    return f"{Path(sys.executable).parent}{os.pathsep}{folder}"


def test_without_a_fence_a_submission_can_do_everything_and_the_first_line_says_so(
    course, without_bwrap
):
    done, points, said = broken_into(course, PATH=without_bwrap)
    assert (done, points) == (list(PROBES), 3)
    reason = "bubblewrap is missing (Debian, Ubuntu: sudo apt install bubblewrap)"
    assert said[0] == f"No fence, submissions run with your rights: {reason}."
    assert sum("No fence" in line for line in said) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="needs a shell script in place of bwrap")
def test_a_fence_that_the_system_forbids_is_told_with_the_reason(course, without_bwrap):
    forbidden = Path(without_bwrap.split(os.pathsep)[1]) / "bwrap"
    forbidden.write_text(
        "#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2\nexit 1"
    )
    forbidden.chmod(0o755)
    said = broken_into(course, PATH=without_bwrap)[2]
    assert "bwrap: setting up uid map: Permission denied (Ubuntu: AppArmor" in said[0]


@needs_fence
def test_in_the_fence_it_can_do_nothing_and_gets_its_points(course):
    done, points, said = broken_into(course)
    assert (done, points) == ([], 3)
    assert not any("No fence" in line for line in said)


@needs_fence
def test_a_terminal_of_a_server_that_has_read_the_configuration_makes_fences_of_its_own(course):
    """JupyterLab hands its environment on; in one fence, kernels that run at once meet."""
    hand_on = "from traitlets.config import PyFileConfigLoader as P; import json, os; "
    hand_on += "P('nbgrader_config.py').load_config(); print(json.dumps(dict(os.environ)))"
    server = subprocess.run([sys.executable, "-c", hand_on], cwd=course, capture_output=True)
    environment = json.loads(server.stdout)
    sockets = Path(environment["JUPYTER_PATH"], "sockets")
    sockets.mkdir(parents=True)
    (sockets / "of the server").touch()
    answer = f"import os\nx = 42 - os.path.exists({str(sockets / 'of the server')!r})"
    nbformat.write(exercise(answer), course / "submitted" / "other" / "cam" / NAME)
    environment["ISING_DATA"] = data_file(course)
    nbgrader(course, "autograde", "cam", "--student=other", **environment)
    shutil.rmtree(sockets.parent)
    assert points_of(course) == 3


@needs_fence
def test_a_python_behind_two_links_is_followed(course, tmp_path_factory):
    """As with pyenv, uv and /usr/local/bin: links to links in other folders."""
    folder = tmp_path_factory.mktemp("python")
    python = os.path.realpath(sys.executable)
    for place in ("first", "second"):
        (folder / place).mkdir()
        (folder / place / "python3").symlink_to(python)
        python = str(folder / place / "python3")
    subprocess.run([python, "-m", "venv", "--without-pip", str(folder / ".venv")], check=True)
    lib = folder / ".venv" / "lib"
    shutil.rmtree(lib)
    lib.symlink_to(Path(sys.prefix) / "lib")  # with all that is installed here
    linked = str(folder / ".venv" / "bin" / "python3")
    assert os.readlink(linked) == python
    assert broken_into(course, python=linked)[:2] == ([], 3)


@pytest.mark.parametrize("fenced", [False, pytest.param(True, marks=needs_fence)])
@pytest.mark.parametrize("form", ["'data.npz'", "~/my data.npz"])
def test_the_data_file_is_found_whatever_its_path_is_like(course, without_bwrap, form, fenced):
    for name in ("data.npz", "my data.npz"):
        data_file(course, name)
    environment = {"ISING_DATA": form, "HOME": str(course)}
    if not fenced:
        environment["PATH"] = without_bwrap
    nbgrader(course, "autograde", "cam", "--student=other", **environment)
    assert points_of(course) == 3


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("", "names nothing, which is no file"),
        ("nowhere.npz", "nowhere.npz, which is no file"),
        ("page.npz", "page.npz, which is no npz file"),
        ("other.npz", "other.npz, which lacks the arrays C and T"),
    ],
)
def test_a_data_file_that_cannot_be_used_is_told_before_anybody_is_graded(course, name, fault):
    (course / "page.npz").write_text("<html>Quota exceeded</html>")
    np.savez(course / "other.npz", x=1)
    said = nbgrader(course, "autograde", "cam", succeeds=False, ISING_DATA=name)
    assert fault in said and not (course / "autograded").exists()


def test_without_a_data_file_it_is_said_what_that_means(course, monkeypatch):
    monkeypatch.delenv("ISING_DATA", raising=False)
    said = nbgrader(course, "autograde", "cam", "--student=other", succeeds=False)
    assert said.startswith("ISING_DATA is not set")
