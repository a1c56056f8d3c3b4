"""A class's round through nbgrader, with the README's configuration and command: assignment, grades, feedback."""

import os
import shutil
import subprocess
import sys

import nbformat
import pytest
from bs4 import BeautifulSoup
from conftest import EXERCISE, REPO, SOLUTION
from nbgrader.api import Gradebook

NAME = EXERCISE.stem


@pytest.fixture(scope="module")
def course(data_file, tmp_path_factory):
    """A course in a folder of its own, graded; returns the folder."""
    folder = tmp_path_factory.mktemp("course")
    (folder / "source" / "cam").mkdir(parents=True)
    shutil.copy(SOLUTION, folder / "source" / "cam" / EXERCISE.name)

    def run(command, **environment):
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=1500,
        )
        assert done.returncode == 0 and "failed" not in done.stdout, done.stdout + done.stderr

    def nbgrader(*command):
        run([sys.executable, "-m", "nbgrader", *command, "cam", "--log-level=WARN"])

    blocks = [block.strip() for block in (REPO / "README.md").read_text().split("```")[1::2]]
    config = next(block for block in blocks if "db_url" in block)
    grade = next(line for block in blocks for line in block.splitlines() if "xargs" in line)
    (folder / "nbgrader_config.py").write_text(config)
    nbgrader("generate_assignment", "--create")
    released = nbformat.read(folder / "release" / "cam" / EXERCISE.name, as_version=4)
    solved = {cell.id: cell for cell in nbformat.read(SOLUTION, as_version=4).cells}
    slips = {"task-2-answer": (" + bias", ""), "task-4-answer": ("evidence[i]", "-evidence[i]")}
    for student, wrong in (("solution", {}), ("blank", None), ("slip", slips)):
        submission = nbformat.from_dict(released)
        for cell in submission.cells if wrong is not None else []:
            if cell.id.endswith("-answer"):
                cell.source = solved[cell.id].source.replace(*wrong.get(cell.id, ("", "")))
        target = folder / "submitted" / student / "cam" / EXERCISE.name
        target.parent.mkdir(parents=True)
        nbformat.write(submission, target)
    run(
        ["sh", "-c", grade], ISING_DATA=str(data_file(0))
    )  # all three at once, as the README prints it
    nbgrader("generate_feedback")
    return folder


def points(course, student):
    """Return the automatic points of a submission by task, and the greatest possible ones."""
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        grades = gradebook.find_submission_notebook(NAME, "cam", student).grades
        return (
            {g.name: g.auto_score or 0 for g in grades if g.name.endswith("_check")},
            {g.name: g.max_score for g in grades if g.name.endswith("_check")},
            [g.name for g in grades if g.needs_manual_grade],
        )


def test_the_solution_gets_all_automatic_points(course):
    got, possible, manual = points(course, "solution")
    assert got == possible and sum(got.values()) == 15
    assert manual == ["task_5_answer"]


def test_the_blank_exercise_gets_none(course):
    got, possible, _ = points(course, "blank")
    assert set(got) == set(possible) and sum(got.values()) == 0


def test_wrong_tasks_lose_their_points_and_are_told_why(course):
    """Each failing check is one line of the feedback page, and no other check suffers."""
    got, possible, _ = points(course, "slip")
    assert {task for task in got if got[task] != possible[task]} == {"task_2_check", "task_4_check"}
    assert got["task_2_check"] == got["task_4_check"] == 0
    page = BeautifulSoup(
        (course / "feedback" / "slip" / "cam" / f"{NAME}.html").read_text(), "html.parser"
    )
    errors = [
        e.get_text().strip()
        for e in page.select(
            '[data-mime-type="application/vnd.jupyter.stderr"], .output_error, .jp-mod-error'
        )
    ]
    assert [len(error.splitlines()) for error in errors] == [1, 1], errors
    assert (
        errors[0].startswith("The bias is forgotten")
        and "axes[3]" in errors[1]
        and "sign" in errors[1]
    )


def test_the_headings_say_the_points_of_the_metadata():
    cells = nbformat.read(SOLUTION, as_version=4).cells
    in_metadata, in_heading = {}, {}
    for cell in cells:
        grader = cell.metadata.get("nbgrader", {})
        if grader.get("grade"):
            task = grader["grade_id"][:6]
            in_metadata[task] = in_metadata.get(task, 0) + grader["points"]
        for line in cell.source.splitlines():
            if line.startswith("#### Task"):
                in_heading[f"task_{line[10]}"] = int(line.split("(")[1].split()[0])
    assert in_heading == in_metadata and len(in_heading) == 7


def test_checks_are_locked_and_folded(course):
    cells = nbformat.read(EXERCISE, as_version=4).cells
    checks = [
        cell
        for cell in cells
        if cell.metadata.get("nbgrader", {}).get("grade") and cell.id.endswith("check")
    ]
    assert len(checks) == 7
    for cell in checks:
        assert cell.metadata.nbgrader.locked and cell.metadata.jupyter.source_hidden
        assert cell.metadata.editable is False and cell.metadata.deletable is False
        assert not any(word in cell.source for word in ("tensorflow", "predict", "fit(", "tf."))
