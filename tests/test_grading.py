"""From a student's file to the marks, through nbgrader with the configuration of the README.

Whatever students' editors do to a file: its points are right, or the student is named with a true
reason, and nothing hinders the grading and the feedback of the others.
"""

import copy
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile

import nbformat
import numpy as np
import pytest
from bs4 import BeautifulSoup
from conftest import EXERCISE, REPO, SOLUTION, TOOLS
from grading import NAME, nbgrader, new_course, tiny_assignment
from nbformat.v4 import new_code_cell
from nbgrader.api import Gradebook

README = (REPO / "README.md").read_text(encoding="utf-8")
POINTS = {"1": 2, "2": 3, "3": 2, "4": 3, "5": 0, "6": 2, "7": 2, "8": 3}  # automatic ones


def colab(notebook):
    """Ids in the metadata, an old minor version, widgets without their state, old outputs."""
    notebook["nbformat_minor"] = 0
    notebook["metadata"] = {"colab": {}, "widgets": {"application/x": {"abc": {"model": "x"}}}}
    output = {"output_type": "stream", "name": "stderr", "text": "a warning"}
    for cell in notebook["cells"]:
        cell["metadata"]["id"] = cell.pop("id")
        cell["outputs"] = [output]
        cell["execution_count"] = 3


def pasted_twice(notebook):
    check = place(notebook, "task_1_check")
    notebook["cells"].insert(check, copy.deepcopy(notebook["cells"][check]))
    notebook["cells"].append(copy.deepcopy(notebook["cells"][check]))


def answer_split(notebook):
    """As JupyterLab splits a cell: both halves have the metadata."""
    k = place(notebook, "task_1_answer")
    first, second = (copy.deepcopy(notebook["cells"][k]) for _ in range(2))
    lines = text_of(first).split("\n")
    first["source"], second["source"] = "\n".join(lines[:2]), "\n".join(lines[2:])
    second["id"] = "second-half"
    notebook["cells"][k : k + 1] = [first, second]


def checks_deleted(notebook):
    gone = ("helpers", "task_1_check", "task_5_check")
    notebook["cells"] = [c for c in notebook["cells"] if grade_id(c) not in gone]


def retyped(notebook):
    """The blank of Task 5 left as it was, and the answer in a new cell."""
    k = place(notebook, "task_5_answer")
    new = new_code_cell(text_of(notebook["cells"][k]), id="new")
    notebook["cells"][k]["source"] = "raise Stop('your code here')  # replace this line"
    notebook["cells"].insert(k + 1, json.loads(json.dumps(new)))


def metadata_lost(notebook):
    for cell in notebook["cells"]:
        cell["metadata"] = {}


def check_changed(notebook):
    notebook["cells"][place(notebook, "task_2_check")]["source"] = "pass"


def without_ids(notebook):
    notebook["nbformat_minor"] = 4
    for cell in notebook["cells"]:
        cell.pop("id")


def old_with_ids(notebook):
    notebook["nbformat_minor"] = 2


def same_ids(notebook):
    for cell in notebook["cells"]:
        cell["id"] = "same"


def stops(notebook):
    notebook["cells"][place(notebook, "task_2_answer")]["source"] = "z = y / 0"


def wrong(notebook):
    notebook["cells"][place(notebook, "task_2_answer")]["source"] = "z = 0"


def dies(notebook):
    notebook["cells"][place(notebook, "task_2_answer")]["source"] = "import os\nos._exit(1)"


def untouched(notebook):
    for cell in notebook["cells"]:
        if grade_id(cell).endswith("answer"):
            cell["source"] = "raise Stop('your code here')  # replace this line"


def as_it_is(notebook):
    pass


# Name of a student -> what happened to the file; all of these are right.
RIGHT = {
    f.__name__: f
    for f in (
        as_it_is,
        colab,
        pasted_twice,
        answer_split,
        checks_deleted,
        retyped,
        metadata_lost,
        without_ids,
        old_with_ids,
        same_ids,
    )
}
FILES = {  # name of a student -> names of the files, all right
    "copy of": ["Copy of exercise_12_3_cam.ipynb"],
    "number 1": ["exercise_12_3_cam (1).ipynb"],
    "beside another": [NAME, "notes.ipynb"],
}
REASONS = {  # name of a student -> what the list says
    "wrong": "3 points; Task 2: z is not y",
    "stops": "3 points; Task 2: its cell stops with ZeroDivisionError: division by zero",
    "check_changed": "3 points; Task 2: z is not y",
    "dies": "0 points; not graded: nbclient.exceptions.DeadKernelError: Kernel died",
    "cut off": "0 points; not graded: json.decoder.JSONDecodeError",
    "two files": "0 points; no exercise_12_3_cam.ipynb, but a.ipynb, b.ipynb",
    "nothing": "0 points; no exercise_12_3_cam.ipynb, but no notebook",
    "untouched": "0 points; Task 5: no answer",
}


def text_of(cell):
    return "".join(cell["source"])


def grade_id(cell):
    return cell["metadata"].get("nbgrader", {}).get("grade_id", "")


def place(notebook, name):
    return next(k for k, cell in enumerate(notebook["cells"]) if grade_id(cell) == name)


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A course with a tiny assignment and all kinds of files, graded: folder and the list."""
    folder = tmp_path_factory.mktemp("course")
    new_course(folder, tiny_assignment())
    released = (folder / "release" / "cam" / NAME).read_text(encoding="utf-8")
    sources = {cell.metadata.nbgrader.grade_id: cell.source for cell in tiny_assignment().cells}

    def submit(student, change=as_it_is, files=(NAME,), encoding="utf-8", length=None):
        notebook = json.loads(released)
        for cell in notebook["cells"]:
            cell["source"] = sources[grade_id(cell)]
        change(notebook)
        target = folder / "submitted" / student / "cam"
        target.mkdir(parents=True)
        for name in files:
            (target / name).write_text(json.dumps(notebook)[:length], encoding=encoding)

    for student, change in RIGHT.items():
        submit(student, change)
    for student, files in FILES.items():
        submit(student, files=files)
    submit("byte-order mark", encoding="utf-8-sig")
    submit("wrong", wrong)
    submit("check_changed", lambda notebook: (wrong(notebook), check_changed(notebook)))
    submit("stops", stops)
    submit("dies", dies)
    submit("untouched", untouched)
    submit("cut off", length=2000)
    submit("two files", files=["a.ipynb", "b.ipynb"])
    submit("nothing", files=())
    grade = ("autograde", "cam")
    nbgrader(folder, *grade, succeeds=False, ISING_DATA=__file__)  # all, one after another
    for student in ("dies", "cut off"):  # as the recipe does it, each with a log of its own
        said = nbgrader(folder, *grade, f"--student={student}", succeeds=False)
        (folder / f"{student}.log").write_text(said, encoding="utf-8")
    nbgrader(folder, "generate_feedback", "cam")
    listing = [sys.executable, "nbgrader_config.py"]
    done = subprocess.run(listing, cwd=folder, capture_output=True, text=True, check=True)
    return folder, done.stdout.splitlines()


def points(folder, student, name=EXERCISE.stem):
    """Return a submission's automatic points by cell, and which cells wait for a grader."""
    with Gradebook(f"sqlite:///{folder / 'gradebook.db'}") as gradebook:
        grades = gradebook.find_submission_notebook(name, "cam", student).grades
        automatic = {g.name: g.auto_score for g in grades if g.name.endswith("_check")}
        return automatic, [g.name for g in grades if g.needs_manual_grade]


@pytest.mark.parametrize("student", [*RIGHT, *FILES, "byte-order mark"])
def test_a_right_answer_has_its_points_whatever_its_file_went_through(course, student):
    folder, lines = course
    got, by_hand = points(folder, student)
    assert got == {"task_1_check": 3, "task_2_check": 2, "task_5_check": 0}
    assert by_hand == ["task_5_answer"]
    own = [line for line in lines if line.startswith(f"{student}: ")]
    assert own == [f"{student}: 5 points; Task 5: to be graded by hand"]
    graded = folder / "autograded" / student / "cam"
    cells = nbformat.read(graded / NAME, as_version=4).cells
    (text,) = [c.source for c in cells if grade_id(c) == "task_5_answer"]
    assert "Words" in text
    assert (folder / "feedback" / student / "cam" / f"{EXERCISE.stem}.html").exists()


@pytest.mark.parametrize("student", REASONS)
def test_whoever_lacks_points_is_named_with_the_reason(course, student):
    _, lines = course
    own = [line for line in lines if line.startswith(f"{student}: ")]
    assert any(line.startswith(f"{student}: {REASONS[student]}") for line in own), own


def test_nothing_of_a_submission_is_changed(course):
    folder, _ = course
    submitted = folder / "submitted"
    assert (submitted / "copy of" / "cam" / "Copy of exercise_12_3_cam.ipynb").exists()
    assert json.loads((submitted / "colab" / "cam" / NAME).read_text())["nbformat_minor"] == 0
    assert sorted(os.listdir(submitted / "two files" / "cam")) == ["a.ipynb", "b.ipynb"]


def test_feedback_says_what_is_wrong_right_below_the_title_of_the_check(course):
    folder, _ = course
    page = folder / "feedback" / "wrong" / "cam" / f"{EXERCISE.stem}.html"
    body = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser").body
    lines = [line.strip() for line in body.get_text().splitlines() if line.strip()]
    title = max(k for k, line in enumerate(lines) if "Check of Task 2" in line)
    message = next(k for k, line in enumerate(lines) if "z is not y" in line)
    assert 0 < message - title < 3 and "if z != 43" not in "".join(lines)


def test_the_exercise_is_released_as_it_is_in_the_repository(tmp_path):
    """nbgrader makes of the solution what make_exercise.py makes: the stub stands once."""
    new_course(tmp_path, nbformat.read(SOLUTION, as_version=4))
    released = nbformat.read(tmp_path / "release" / "cam" / NAME, as_version=4)
    sources = [cell.source for cell in nbformat.read(EXERCISE, as_version=4).cells]
    assert [cell.source for cell in released.cells] == sources


@pytest.fixture(scope="module")
def class_round(data_file, tmp_path_factory):
    """The README's recipe, line by line, with four students: folder of the course, and the list.

    The training is shortened: no point depends on it. In place of JupyterLab the test writes the
    points of Task 5 into the gradebook.
    """
    blocks = [block.strip() for block in README.split("```")[1::2]]
    (recipe,) = [block for block in blocks if "zip_collect" in block]
    lines = recipe.replace("NAME", "1004").splitlines()
    repository = tmp_path_factory.mktemp("class") / "repository"
    (repository / "tests").mkdir(parents=True)
    shutil.copytree(TOOLS, repository / "tests" / "tools")
    nbformat.write(shortened_solution(), repository / SOLUTION.name)
    with np.load(data_file(0)) as file:
        np.savez(repository / "ising_simulated.npz", C=file["C"][:2600], T=file["T"][:2600])
    environment = {name: value for name, value in os.environ.items() if name != "ISING_DATA"}

    def run(first, last, *before):
        """Run the lines from one that contains a word to another one; return what is printed."""
        places = [k for word in (first, last) for k, line in enumerate(lines) if word in line]
        start, stop = places[0], places[-1]
        script = "\n".join(["set -e", *before, *lines[start : stop + 1]])
        command = ["bash", "-c", script]
        done = subprocess.run(
            command, cwd=repository, env=environment, capture_output=True, text=True, timeout=900
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    again = [line for line in lines if line.startswith(("export", "cd"))]  # for a new shell
    run("mkdir", "generate_assignment")
    course = repository.parent / "course"
    hand_in(course)
    listing = run("zip_collect", "python nbgrader_config.py", *again)
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        grade = gradebook.find_grade("task_5_answer", EXERCISE.stem, "cam", "1001")
        grade.manual_score, grade.needs_manual_grade = 3, False
        gradebook.db.commit()
    run("generate_feedback", "--force", *again)
    return course, listing.splitlines()


def shortened_solution():
    solution = nbformat.read(SOLUTION, as_version=4)
    for cell in solution.cells:
        cell.source = cell.source.replace("N_TRAIN = 20_000", "N_TRAIN = 2_000")
        cell.source = cell.source.replace("EPOCHS, BATCH = 3", "EPOCHS, BATCH = 2")
    return solution


def hand_in(course):
    """Put a learning platform's zip with four students' files where the README says."""
    released = (course / "release" / "cam" / NAME).read_text(encoding="utf-8")
    right = {cell.id: cell.source for cell in shortened_solution().cells}
    slips = {
        "task-2-answer": ("@ weights + bias", "@ weights"),
        "task-6-answer": ("-spins", "spins"),
    }
    students = {  # a number of the platform: how the answers are changed, None for a blank file
        "Ada Lovelace_1001": {},
        "Ben Müller_1002": slips,
        "Cy Xu_1003": None,
        "Dee_1004": {},
    }
    archive = course / "downloaded" / "cam" / "archive" / "CAM_2026_77.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for student, changes in students.items():
            notebook = nbformat.reads(released, as_version=4)
            for cell in notebook.cells if changes is not None else []:
                if cell.id.endswith("-answer"):
                    cell.source = right[cell.id].replace(*changes.get(cell.id, ("", "")))
            name = f"{student}_assignsubmission_file_{NAME}"
            file.writestr(name, nbformat.writes(notebook))


def test_the_recipe_of_the_readme_leads_from_release_to_marks(class_round):
    course, listing = class_round
    possible = {f"task_{task}_check": points for task, points in POINTS.items()}
    for student, wrong in (("1001", ()), ("1002", ("2", "6")), ("1004", ())):
        got, by_hand = points(course, student)
        lost = {f"task_{task}_check": 0 for task in wrong}
        assert got == possible | lost, student
        assert by_hand == ([] if student == "1001" else ["task_5_answer"])
    assert sum(points(course, "1003")[0].values()) == 0
    marks = (course / "grades.csv").read_text(encoding="utf-8").splitlines()
    scores = {row.split(",")[3]: float(row.split(",")[9]) for row in marks[1:]}
    assert scores == {"1001": 17 + 3, "1002": 12, "1003": 0, "1004": 17}
    assert "1001: 17 points; Task 5: to be graded by hand" in listing
    again = subprocess.run(
        [sys.executable, "nbgrader_config.py"], cwd=course, capture_output=True, text=True
    )
    assert "1001: 20 points; Task 5: 3 of 4 points by hand" in again.stdout.splitlines()
    (why,) = [line for line in listing if line.startswith("1002: 12 points; Task 2")]
    assert "cams lacks the bias" in why
    (why,) = [line for line in listing if line.startswith("1002: 12 points; Task 6")]
    assert "has the wrong sign" in why
    assert "1003: 0 points; Task 5: no answer" in listing
    for student in ("1001", "1002", "1003", "1004"):
        assert (course / "feedback" / student / "cam" / f"{EXERCISE.stem}.html").exists()
        assert not list((course / "autograded" / student).rglob("*.npz"))


def test_feedback_of_a_real_check_is_found_at_once(class_round):
    """Right below the title of the check; the list at the top of the page leads there."""
    course, _ = class_round
    page = course / "feedback" / "1002" / "cam" / f"{EXERCISE.stem}.html"
    body = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser").body
    lines = [line.strip() for line in body.get_text().splitlines() if line.strip()]
    title = max(k for k, line in enumerate(lines) if "Check of Task 2" in line)
    message = next(k for k, line in enumerate(lines) if "cams lacks the bias" in line)
    assert 0 < message - title < 3
    targets = [link["href"][1:] for link in body.select('#toc a[href^="#"]')]
    assert "task_2_check" in targets and all(body.find("a", attrs={"name": t}) for t in targets)


@pytest.mark.parametrize("path", [EXERCISE, SOLUTION])
def test_part_a_alone_by_the_command_of_the_readme(path, tmp_path):
    """Nothing in it speaks of Part B, its points fit, and it does not rely on what is gone."""
    (command,) = [line for line in README.splitlines() if "TagRemovePreprocessor" in line]
    words = command.replace(EXERCISE.name, path.name).split()[1:]  # without .venv/bin/jupyter
    shutil.copy(path, tmp_path)
    subprocess.run([sys.executable, "-m", "jupyter", *words], cwd=tmp_path, check=True)
    part_a = nbformat.read(tmp_path / "part_a" / path.name, as_version=4)
    texts = "\n".join(cell.source for cell in part_a.cells if cell.cell_type == "markdown")
    assert not re.search(r"Part [AB]|Task [678]|optional", texts), texts
    graders = [cell.metadata.get("nbgrader", {}) for cell in part_a.cells]
    assert sum(g["points"] for g in graders if g.get("grade")) == 10 + 4
    before = nbformat.read(path, as_version=4)
    ids = [cell.id for cell in before.cells]
    kept = [ids.index(cell.id) for cell in part_a.cells]
    assert kept == sorted(kept)
    part_b = set(ids[ids.index("part-b") :]) - {"references"}
    assert not part_b & {cell.id for cell in part_a.cells}  # so names still flow forward
    code = [cell.id for cell in before.cells if cell.cell_type == "code" and cell.id not in part_b]
    assert code == [cell.id for cell in part_a.cells if cell.cell_type == "code"]


def test_the_readme_is_short_and_names_only_what_exists():
    outside = re.sub(r"<details>.*?</details>", "", README, flags=re.S)
    assert len(outside.split()) <= 1400
    for path in re.findall(r"\btests/[\w/]+\.py", README):
        assert (REPO / path).exists(), path
