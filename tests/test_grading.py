"""From a student's file to the marks, through nbgrader with the configuration of the README.

Whatever students' editors do to a file: its points are right, or the student is named with a true
reason, and nothing hinders the grading and the feedback of the others.
"""

import copy
import io
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
from grading import NAME, data_file, nbgrader, new_course, tiny_assignment
from nbformat.v4 import new_code_cell, new_markdown_cell
from nbgrader.api import Gradebook

README = (REPO / "README.md").read_text(encoding="utf-8")
GUIDE = (TOOLS / "README.md").read_text(encoding="utf-8")
SECTION = GUIDE.partition("## From release to marks")[2].partition("\n## ")[0]
RECIPE = "".join(SECTION.split("```")[1::2]).strip().replace("source .venv/bin/activate\n", "")
OURS = {"nbgrader", "python", "jupyter"}
STUB = "raise Stop('your code here')  # replace this line"
POINTS = {"1": 2, "2": 3, "3": 2, "4": 3, "5": 0, "6": 2, "7": 2, "8": 3}  # automatic ones


RIGHT = {}  # name of a student -> what happened to the file, which is right


def right(change):
    RIGHT[change.__name__] = change
    return change


def own(source, id="own", kind=new_code_cell):
    """Return a cell of the student's own, as it stands in a file."""
    return json.loads(json.dumps(kind(source, id=id)))


@right
def as_it_is(notebook):
    pass


@right
def colab(notebook):
    """Ids in the metadata, an old minor version, widgets without their state, old outputs."""
    notebook["nbformat_minor"] = 0
    notebook["metadata"] = {"colab": {}, "widgets": {"application/x": {"abc": {"model": "x"}}}}
    output = {"output_type": "stream", "name": "stderr", "text": "a warning"}
    for cell in notebook["cells"]:
        cell["metadata"]["id"] = cell.pop("id")
        cell["outputs"] = [output]
        cell["execution_count"] = 3


@right
def pasted_twice(notebook):
    """A check beside itself and at the end; a room at the end, and broken where it stood."""
    check, room = (place(notebook, name) for name in ("task_1_check", "checks_a"))
    notebook["cells"].insert(check, copy.deepcopy(notebook["cells"][check]))
    for k in (check, room):
        notebook["cells"].append(copy.deepcopy(notebook["cells"][k]))
    notebook["cells"][room]["source"] = "# @title Given: the checks\nbroken"


@right
def answer_split(notebook):
    """As JupyterLab splits a cell: both halves have the metadata."""
    k = place(notebook, "task_1_answer")
    first, second = (copy.deepcopy(notebook["cells"][k]) for _ in range(2))
    lines = text_of(first).split("\n")
    first["source"], second["source"] = "\n".join(lines[:2]), "\n".join(lines[2:])
    second["id"] = "second-half"
    notebook["cells"][k : k + 1] = [first, second]


@right
def checks_deleted(notebook):
    gone = ("checks_a", "task_1_check", "task_5_check")
    notebook["cells"] = [c for c in notebook["cells"] if grade_id(c) not in gone]


@right
def scratch_calls(notebook):
    """Checks called in cells of the student's own: before the answer, after it, at the end."""
    for task, place in ((2, 2), (1, 4), (1, 99)):
        notebook["cells"].insert(place, own(f"check_task_{task}()", f"scratch-{place}"))


@right
def checks_typed_anew(notebook):
    """Graded checks deleted, and one of them typed again where it fails, beside another line."""
    checks_deleted(notebook)
    notebook["cells"].insert(0, own("check_task_1()\nx = 0"))


@right
def metadata_lost(notebook):
    for cell in notebook["cells"]:
        cell["metadata"] = {}


@right
def ids_lost_too(notebook):
    metadata_lost(notebook)
    for number, cell in enumerate(notebook["cells"]):
        cell["id"] = f"new-{number}"
    scratch_calls(notebook)


@right
def without_ids(notebook):
    notebook["nbformat_minor"] = 4
    for cell in notebook["cells"]:
        cell.pop("id")


@right
def old_with_ids(notebook):
    notebook["nbformat_minor"] = 2


@right
def same_ids(notebook):
    for cell in notebook["cells"]:
        cell["id"] = "same"


@right
def retyped(notebook):
    """The blank of Task 5 left as it was, and the answer in a new cell."""
    k = place(notebook, "task_5_answer")
    notebook["cells"].insert(k + 1, own(text_of(notebook["cells"][k])))
    notebook["cells"][k]["source"] = STUB


@right
def picture_in_the_answer(notebook):
    """The answer of Task 5 as Markdown, with a picture pasted into it."""
    answer = notebook["cells"][place(notebook, "task_5_answer")]
    answer |= {"cell_type": "markdown", "source": "Words. ![](attachment:a.png)"}
    answer["attachments"] = {"a.png": {"image/png": "aaaa"}}
    del answer["outputs"], answer["execution_count"]


@right
def of_other_exercises(notebook):
    """Cells with metadata of an exercise of nbgrader's past, and of a room that was renamed."""
    metadata = {"grade_id": "other", "locked": False, "solution": True, "grade": False}
    for version, name in ((1, "other"), (3, "checks_old")):
        cell = own("old = 1", id=name)
        cell["metadata"]["nbgrader"] = {**metadata, "schema_version": version, "grade_id": name}
        notebook["cells"].append(cell)


@right
def answer_in_the_cell_of_a_check(notebook):
    """A check merged with the answer that follows it, as JupyterLab merges cells."""
    check, answer = place(notebook, "task_1_check"), place(notebook, "task_2_answer")
    notebook["cells"][check]["source"] = "check_task_1()\n\nz = y\nx = 0"
    del notebook["cells"][answer]


@right
def answer_before(notebook):
    """The name of Task 5's text, for a draft further above; and one check is gone."""
    del notebook["cells"][place(notebook, "task_2_check")]
    notebook["cells"].insert(0, own("answer = 3\nanswer = 'draft'"))


READ = "_compare == [Stop for Stop in ()]\ndict(_compare=1)"


@right
def names_of_checks_read(notebook):
    """A helper and a check are looked at, and their names used, but nothing is defined anew."""
    notebook["cells"].append(own(f"def mine():\n    _compare = 1\n\n\n{READ}"))


def in_markdown(notebook):
    """The blank of Task 5 left as it was, and a text beside it."""
    k = place(notebook, "task_5_answer")
    notebook["cells"][k]["source"] = STUB
    notebook["cells"].insert(k, own("Words.", kind=new_markdown_cell))


def answer_deleted(notebook):
    del notebook["cells"][place(notebook, "task_5_answer")]


def untouched(notebook):
    for cell in notebook["cells"]:
        if grade_id(cell).endswith("answer"):
            cell["source"] = STUB


def check_changed(notebook):
    answered(2, "z = 0")(notebook)
    notebook["cells"][place(notebook, "task_2_check")]["source"] = "pass"


def answered(task, source):
    """Return what replaces an answer to a task."""

    def change(notebook):
        notebook["cells"][place(notebook, f"task_{task}_answer")]["source"] = source

    return change


def own_check(notebook):
    source = "import time\n\ndef check_task_2():\n    pass\n\ntime.sleep(99)"
    notebook["cells"].insert(4, own(source))


FILES = {  # name of a student -> names of the files, all right
    "copy of": ["Copy of exercise_12_3_cam.ipynb"],
    "number 1": ["exercise_12_3_cam (1).ipynb"],
    "beside another": [NAME, "notes.ipynb"],
}
CATCHES = (
    "import time\nwhile True:\n    try:\n        time.sleep(9)\n    except BaseException: pass"
)
CHANGES = {  # name of a student -> what happened to the file
    "wrong": answered(2, "z = 0"),
    "check changed": check_changed,
    "stops": answered(2, "raise ValueError('\\r\\x1b[2Kwrong')"),
    "slow": answered(2, "import time\ntime.sleep(99)"),
    "endless": answered(2, "import time\nwhile True:\n    print('a' * 10**6)\n    time.sleep(0.1)"),
    "dies": answered(2, "import os\nos._exit(1)"),
    "stubborn": answered(2, CATCHES),
    "own check": own_check,
    "half empty": answered(2, f"# {STUB}\nz = 7"),
    "own helper": answered(
        1, "%%time\nx, y = 42, 43\n_compare, z = print, 1\ncheck_task_2: int = print"
    ),
    "in Markdown": in_markdown,
    "answer deleted": answer_deleted,
    "untouched": untouched,
}
REASONS = [  # name of a student, and how a line of the list begins
    ("wrong", "3 points; Task 2: z is 0, not 43."),
    ("half empty", "3 points; Task 2: z is 7, not 43."),
    ("check changed", "3 points; Task 2: z is 0, not 43."),
    ("stops", "3 points; Task 2: its cell stops with ValueError: [2Kwrong"),
    ("slow", "3 points; Task 2: its cell runs beyond the time limit"),
    ("endless", "3 points; Task 2: its cell prints without an end"),
    ("dies", "0 points; not graded: its kernel died (memory? an exit?) in the cell 'import os'"),
    (
        "stubborn",
        "0 points; not graded: its kernel could not be interrupted in the cell 'import time'",
    ),
    ("own check", "5 points; check_task_2 is defined anew: look at all points"),
    ("own check", "5 points; the cell 'import time' runs beyond the time limit"),
    ("own helper", "5 points; _compare is defined anew: look at all points"),
    ("own helper", "5 points; check_task_2 is defined anew: look at all points"),
    ("in Markdown", "5 points; Task 5: no answer in its cell: look at what stands around it"),
    ("answer deleted", "5 points; Task 5: no answer in its cell: look at"),
    ("untouched", "0 points; Task 1: still empty"),
    ("untouched", "0 points; Task 5: no answer in its cell: look at"),
    ("changed later", "5 points; its file is newer than what was graded: has it changed? Grade it"),
    ("not in the gradebook", "0 points; cannot be listed (MissingEntry): look at it"),
    ("cut off", "0 points; not graded: the file is cut off or damaged, ask for it again"),
    ("two files", "0 points; no exercise_12_3_cam.ipynb, but a.ipynb, b.ipynb"),
    ("nothing", "0 points; no exercise_12_3_cam.ipynb, but no notebook"),
]
ALONE = ("dies", "cut off", "stubborn")  # graded as the recipe does it, each with a log of its own


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
    sources = {grade_id(cell): cell.source for cell in tiny_assignment().cells}

    def submit(student, change=as_it_is, files=(NAME,), encoding="utf-8", length=None):
        notebook = json.loads(released)
        for cell in notebook["cells"]:
            cell["source"] = sources.get(grade_id(cell), cell["source"])
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
    for student, change in CHANGES.items():
        submit(student, change)
    submit("changed later")
    submit("cut off", length=2000)
    submit("two files", files=["a.ipynb", "b.ipynb"])
    submit("nothing", files=())
    (folder / "submitted" / ".ipynb_checkpoints").mkdir()
    grade = ("autograde", "cam", "--ExecutePreprocessor.timeout=6")
    except_for = "--CourseDirectory.student_id_exclude=dies,stubborn"
    data = data_file(folder)
    nbgrader(folder, *grade, except_for, succeeds=False, ISING_DATA=data)  # one after another
    for student in ALONE:
        how = (f"--student={student}", "--ExecutePreprocessor.iopub_timeout=6")
        said = nbgrader(folder, *grade, *how, succeeds=False, ISING_DATA=data)
        (folder / f"{student}.log").write_text(said, encoding="utf-8")
    nbgrader(folder, "generate_feedback", "cam")
    for place in ("submitted", "autograded"):
        shutil.copytree(folder / place / "as_it_is", folder / place / "not in the gradebook")
    later = (folder / "submitted" / "changed later" / "cam" / NAME).stat().st_mtime + 1000
    os.utime(folder / "submitted" / "changed later" / "cam" / NAME, (later, later))
    listing = [sys.executable, "nbgrader_config.py"]
    done = subprocess.run(listing, cwd=folder, capture_output=True, text=True, check=True)
    return folder, done.stdout.splitlines()


def points(folder, student):
    """Return a submission's automatic points by cell, and which cells wait for a grader."""
    with Gradebook(f"sqlite:///{folder / 'gradebook.db'}") as gradebook:
        grades = gradebook.find_submission_notebook(EXERCISE.stem, "cam", student).grades
        automatic = {g.name: g.auto_score for g in grades if g.name.endswith("_check")}
        return automatic, [g.name for g in grades if g.needs_manual_grade]


@pytest.mark.parametrize("student", [*RIGHT, *FILES, "byte-order mark"])
def test_a_right_answer_has_its_points_whatever_its_file_went_through(course, student):
    folder, lines = course
    got, by_hand = points(folder, student)
    assert got == {"task_1_check": 3, "task_2_check": 2, "task_5_check": 0}
    assert by_hand == ["task_5_answer"]
    said = [line for line in lines if line.startswith(f"{student}: ")]
    assert said == [f"{student}: 5 points; Task 5: to be graded by hand"]
    graded = folder / "autograded" / student / "cam"
    cells = nbformat.read(graded / NAME, as_version=4).cells
    (text,) = [c.source for c in cells if grade_id(c) == "task_5_answer"]
    assert "Words" in text
    assert (folder / "feedback" / student / "cam" / f"{EXERCISE.stem}.html").exists()


@pytest.mark.parametrize(("student", "reason"), REASONS)
def test_whoever_lacks_points_is_named_with_the_reason(course, student, reason):
    _, lines = course
    said = [line for line in lines if line.startswith(f"{student}: ")]
    assert any(line.startswith(f"{student}: {reason}") for line in said), said


def test_the_list_names_students_only(course):
    named = {line.partition(":")[0] for line in course[1]}
    others = {student for student, _ in REASONS}
    assert named == {*RIGHT, *FILES, "byte-order mark", *others}


def test_nothing_of_a_submission_is_changed(course):
    folder, _ = course
    submitted = folder / "submitted"
    assert (submitted / "copy of" / "cam" / "Copy of exercise_12_3_cam.ipynb").exists()
    assert json.loads((submitted / "colab" / "cam" / NAME).read_text())["nbformat_minor"] == 0
    assert sorted(os.listdir(submitted / "two files" / "cam")) == ["a.ipynb", "b.ipynb"]


def test_restored_rooms_are_folded_and_checks_are_open(course):
    folder, _ = course
    cells = nbformat.read(folder / "autograded" / "checks_deleted" / "cam" / NAME, 4).cells
    folded = {grade_id(c): c.metadata.get("jupyter", {}).get("source_hidden", False) for c in cells}
    assert folded["checks_a"] and not folded["task_1_check"] and not folded["task_5_check"]


@pytest.fixture(scope="module")
def class_round(data_file, tmp_path_factory):
    """The recipe, line by line, with three students: folder of the course, and the list.

    In place of JupyterLab the test writes the points of Task 5 into the gradebook. The shell is the
    plainest, and all programs are such as macOS has, too.
    """
    programs = set(re.findall(r"(?:^|&& |\| |\$\(|c ')(\w+)", RECIPE, re.M))
    assert programs <= OURS | set("mkdir cp export cd ls head xargs sh getconf".split()), programs
    assert "#" not in RECIPE  # zsh takes comments for words
    lines = [line for line in RECIPE.replace("NAME", "1003").splitlines() if line]
    repository = tmp_path_factory.mktemp("class") / "repository"
    (repository / "tests").mkdir(parents=True)
    shutil.copytree(TOOLS, repository / "tests" / "tools")
    nbformat.write(shortened(SOLUTION), repository / SOLUTION.name)
    with np.load(data_file(0)) as file:
        np.savez(repository / "ising_simulated.npz", C=file["C"][:2600], T=file["T"][:2600])
    environment = {name: value for name, value in os.environ.items() if name != "ISING_DATA"}

    def run(first, last, *before):
        """Run the lines from one that contains a word to another one; return what is printed."""
        places = [k for word in (first, last) for k, line in enumerate(lines) if word in line]
        start, stop = places[0], places[-1]
        script = "\n".join(["set -e", *before, *lines[start : stop + 1]])
        command = ["sh", "-c", script]
        done = subprocess.run(
            command, cwd=repository, env=environment, capture_output=True, text=True, timeout=900
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    again = [line for line in lines if line.startswith(("export", "cd"))][:2]  # for a new shell
    run("mkdir", "generate_assignment")
    course = repository.parent / "course"
    hand_in(course)
    listing = run("zip_collect", "python nbgrader_config.py", *again)
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        grade = gradebook.find_grade("task_5_answer", EXERCISE.stem, "cam", "1001")
        grade.manual_score, grade.needs_manual_grade = 3, False
        gradebook.db.commit()
    (course / "1003.log").unlink()
    run("generate_feedback", "--force", *again)
    return course, listing.splitlines()


def shortened(path):
    """Return a notebook whose training is shortened: no point depends on it."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        cell.source = cell.source.replace("N_TRAIN = 20_000", "N_TRAIN = 2_000")
        cell.source = cell.source.replace("EPOCHS, BATCH = 3", "EPOCHS, BATCH = 2")
    return notebook


def hand_in(course):
    """Put a learning platform's zip with three students' files where the README says."""
    released = (course / "release" / "cam" / NAME).read_text(encoding="utf-8")
    right = {cell.id: cell.source for cell in shortened(SOLUTION).cells}
    slips = {
        "task-2-answer": ("@ weights + bias", "@ weights"),
        "task-6-answer": ("-spins", "spins"),
    }
    students = {  # a number of the platform: how the answers are changed, None for a blank file
        "Ada Lovelace_1001": {},
        "Ben Müller_1002": slips,
        "Cy Xu_1003": None,
    }
    archive = course / "downloaded" / "cam" / "archive" / "PHY-Exercise_12_3_CAM-47.zip"
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
    for student, wrong in (("1001", ()), ("1002", ("2", "6"))):
        got, by_hand = points(course, student)
        lost = {f"task_{task}_check": 0 for task in wrong}
        assert got == possible | lost, student
        assert by_hand == ([] if student == "1001" else ["task_5_answer"])
    assert sum(points(course, "1003")[0].values()) == 0
    marks = (course / "grades.csv").read_text(encoding="utf-8").splitlines()
    scores = {row.split(",")[3]: float(row.split(",")[9]) for row in marks[1:]}
    assert scores == {"1001": 17 + 3, "1002": 12, "1003": 0}
    assert "1001: 17 points; Task 5: to be graded by hand" in listing
    again = subprocess.run(
        [sys.executable, "nbgrader_config.py"], cwd=course, capture_output=True, text=True
    )
    assert "1001: 20 points; Task 5: 3 of 4 points by hand" in again.stdout.splitlines()
    (why,) = [line for line in listing if line.startswith("1002: 12 points; Task 2")]
    assert "cams lacks the bias" in why
    (why,) = [line for line in listing if line.startswith("1002: 12 points; Task 6")]
    assert "has the wrong sign" in why
    assert "1003: 0 points; Task 5: no answer in its cell: look at what stands around it" in listing
    for student in ("1001", "1002", "1003"):
        assert (course / "feedback" / student / "cam" / f"{EXERCISE.stem}.html").exists()
        assert not list((course / "autograded" / student).rglob("*.npz"))
        assert (course / f"{student}.log").exists()  # of 1003, who was graded anew, a new one


def test_the_name_of_a_folder_is_no_command(tmp_path):
    """The line that grades, with a program that repeats its words in place of nbgrader."""
    (line,) = [line for line in RECIPE.splitlines() if "xargs" in line]
    name = "$(touch broken) `touch broken` ; touch broken"
    (tmp_path / "submitted" / name).mkdir(parents=True)
    program = tmp_path / "bin" / "nbgrader"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\nprintf "%s|" "$@"')
    program.chmod(0o755)
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(["sh", "-c", line], cwd=tmp_path, env={"PATH": path}, check=True)
    assert (tmp_path / f"{name}.log").read_text() == f"autograde|cam|--student={name}|"
    assert not (tmp_path / "broken").exists()


def test_the_exercise_is_released_as_it_is_in_the_repository(class_round):
    """nbgrader makes of the solution what make_exercise.py makes: the stub stands once."""
    released = nbformat.read(class_round[0] / "release" / "cam" / NAME, as_version=4)
    sources = [cell.source for cell in shortened(EXERCISE).cells]
    assert [cell.source for cell in released.cells] == sources


def test_feedback_of_a_check_is_found_at_once(class_round):
    """Right below the line of the check; the list at the top of the page leads there."""
    page = class_round[0] / "feedback" / "1002" / "cam" / f"{EXERCISE.stem}.html"
    body = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser").body
    lines = [line.strip() for line in body.get_text().splitlines() if line.strip()]
    call = max(k for k, line in enumerate(lines) if "Grade cell: task_2_check" in line)
    message = next(k for k, line in enumerate(lines) if "cams lacks the bias" in line)
    assert 0 < message - call < 6, lines[call:message]
    assert not any("def check_task_2" in line for line in lines)  # rooms: their first line only
    assert any(line.startswith("correct_near =") for line in lines)  # what is open stays whole
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


def test_the_readmes_name_only_what_exists():
    for path in re.findall(r"\b(?:tests|\.ci)/[\w/.]*\w", README + GUIDE):
        assert (REPO / path).exists(), path
    for tool in TOOLS.iterdir():
        assert f"`{tool.name}`" in GUIDE or tool.is_dir() or tool.name == "README.md", tool


COLLECTED = {  # place in an archive of a platform -> whose it is, None if it is not taken
    "PHY-Exercise_12_3_CAM-47/.DS_Store": None,
    "PHY-Exercise_12_3_CAM-47/Ada L_1001_assignsubmission_file_{name}.ipynb": "1001",
    "PHY-Exercise_12_3_CAM-47/Ada L_1001_assignsubmission_file_{name} (1).ipynb": None,
    "PHY-Exercise_12_3_CAM-47/Ben Müller_1002_assignsubmission_file_{name} (9).ipynb": None,
    "PHY-Exercise_12_3_CAM-47/Ben Müller_1002_assignsubmission_file_{name} (10).ipynb": "1002",
    "PHY-Exercise_12_3_CAM-47/Чен_1003_assignsubmission_file/.ipynb_checkpoints/{name}.ipynb": None,
    "PHY-Exercise_12_3_CAM-47/Чен_1003_assignsubmission_file/task_3_x/{name}.ipynb": "1003",
    "PHY-Exercise_12_3_CAM-47/Dee_1004_assignsubmission_file_{name}.ipynb.txt": "1004",
    "PHY-Exercise_12_3_CAM-47/Eve_1005_assignsubmission_file_work.ZIP": "1005",
    "PHY-Exercise_12_3_CAM-47/Fay_1006_assignsubmission_file_work.zip": None,
    "PHY-Exercise_12_3_CAM-47/Gus_1007_assignsubmission_file_answers.pdf": None,
    "PHY-Exercise_12_3_CAM-47/Hal_1008_assignsubmission_file_my solution.ipynb": "1008",
    "PHY-Exercise_12_3_CAM-47/{name}.ipynb": None,
    "PHY-Exercise_12_3_CAM-47/.Una_1022_assignsubmission_file_{name}.ipynb": "1022",
    "PHY-Exercise_12_3_CAM-47/Ida_1012_assignsubmission_file_empty.zip": None,
    f"PHY-Exercise_12_3_CAM-47/{300 * 'x'}_1017_assignsubmission_file_{{name}}.ipynb": None,
    "PHY-Exercise_12_3_CAM-47/Group_2-Zoe Z_1018_assignsubmission_file_{name}.ipynb": "1018",
    "Joe_1014_assignsubmission_file/{name}.ipynb": "1014",
    "PHY-Exercise_12_3_CAM-47/Ed_1027_assignsubmission_onlinetext/onlinetext.html": None,
    "Comp_Phys_WS25_2026/Comp_Phys_WS25_2026/Al_1023_assignsubmission_file_{name}.ipynb": "1023",
    "Physics, Comp-47 (1)/Physics, Comp-47/Bo_1024_assignsubmission_file_{name}.ipynb": "1024",
    "2026-01 - Comp/Cem_1025_assignsubmission_file_{name}.ipynb": "1025",
    "PHY_12_2026_class/Di_1026_assignsubmission_file_{name}.ipynb": "1026",
    "submissions (1)/imanoori_LATE_1009_67890_{name}-1.ipynb": "1009",
    "submissions (1)/mal_1015_67890_b_1001_assignsubmission_file_{name}.ipynb": "1015",
    "submissions (1)/mel_1019_67890_b_1001_attempt_1_{name}.ipynb": "1019",
    "gradebook/cam_jo10_attempt_2026-01-30-15-00-00_{name}.ipynb": None,
    "gradebook/cam_jo10_attempt_2026-01-31-09-00-00_{name}.ipynb": "jo10",
    "gradebook/{name}_lu20_attempt_2026-01-30-15-00-00_{name}.ipynb": "lu20",
    "gradebook/cam_$(touch broken)_attempt_2026-01-31-09-00-00_{name}.ipynb": None,
    "gradebook/cam_.._attempt_2026-01-31-09-00-00_{name}.ipynb": None,
    "CAM Download/1011-2345 - Kim Lee - Jan 30, 2026 315 PM/{name}.ipynb": "1011",
    "bulk_3/cam/Lovelace, Lea(lea12)/Submission attachment(s)/{name}.ipynb": "lea12",
    "bulk_3/cam/Dot, Al(..)/Submission attachment(s)/{name}.ipynb": None,
    "ilias_4/De_La_Cruz_Ana_ana01_1028/{name}.ipynb": "1028",
    "ilias_4/Lovelace_Mia_mia13_1013/b_1001_assignsubmission_file_{name}.ipynb": "1013",
    "Exercise_CAM_class_2026/\x1b]0;me\x07{name}.ipynb": None,
}
SAID = """1001: took {m}/Ada L_1001_assignsubmission_file_{n}.ipynb, skipped {m}/Ada L_1001
1002: took {m}/Ben Müller_1002_assignsubmission_file_{n} (10).ipynb, skipped {m}/Ben Müller_1002
Fay_1006_assignsubmission_file_work.zip: cannot be unpacked (
1006: no notebook, but {m}/Fay_1006_assignsubmission_file_work.zip
1027: no notebook, but {m}/Ed_1027_assignsubmission_onlinetext/onlinetext.html
1012: no notebook, but {m}/Ida_1012_assignsubmission_file_empty/(unpacked)
xxx
Exercise_CAM_class_2026/]0;me{n}.ipynb: whose is it? Copy
1007: no notebook, but {m}/Gus_1007_assignsubmission_file_answers.pdf
{m}/{n}.ipynb: whose is it? Copy it to submitted/NUMBER/cam
gradebook/cam_$(touch broken)_attempt_2026-01-31-09-00-00_{n}.ipynb: whose is it? Copy
gradebook/cam_.._attempt_2026-01-31-09-00-00_{n}.ipynb: whose is it? Copy
bulk_3/cam/Dot, Al(..)/Submission attachment(s)/{n}.ipynb: whose is it? Copy
jo10: took gradebook/cam_jo10_attempt_2026-01-31-09-00-00_{n}.ipynb, skipped gradebook/cam_jo10"""


def collected(course):
    """Return what has been collected -> whose it is."""
    paths = (course / "submitted").rglob("*.*")
    return {path.read_text(encoding="utf-8"): path.parts[-3] for path in paths}


def archive_of(members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def test_everybody_is_collected_whatever_platforms_and_students_do_to_names(tmp_path):
    new_course(tmp_path, tiny_assignment())
    archives = tmp_path / "downloaded" / "cam" / "archive"
    archives.mkdir(parents=True)
    members = {}
    for place in COLLECTED:
        content = place
        if place.endswith(".ZIP"):
            content = archive_of({f"__MACOSX/._{NAME}": "", f"work_2_x/{NAME}": place})
        if "empty" in place:
            content = archive_of({})
        archive, member = place.format(name=EXERCISE.stem).split("/", 1)
        members.setdefault(archive, {})[member] = content
    for archive, contents in members.items():
        (archives / f"{archive}.zip").write_bytes(archive_of(contents))
    said = nbgrader(tmp_path, "zip_collect", "cam")
    wanted = {place: student for place, student in COLLECTED.items() if student}
    assert collected(tmp_path) == wanted
    assert {path.name for path in (tmp_path / "submitted").rglob("*.*")} == {NAME}
    printed = [line for line in said.splitlines() if not line.startswith("[")]
    starts = SAID.format(m="PHY-Exercise_12_3_CAM-47", n=EXERCISE.stem).splitlines()
    for line, start in zip(sorted(printed), sorted(starts), strict=True):
        assert line.startswith(start), said

    late = {f"Vi_1021_assignsubmission_file_{NAME}": "late"}
    (archives / "late.zip").write_bytes(archive_of(late))
    mended = "PHY-Exercise_12_3_CAM-47/Ada L_1001_assignsubmission_file_{name}.ipynb"
    (tmp_path / "submitted" / "1001" / "cam" / NAME).write_text("mended")
    said = nbgrader(tmp_path, "zip_collect", "cam", "--force")
    del wanted[mended]
    assert collected(tmp_path) == wanted | {"mended": "1001", "late": "1021"}
    place = mended.format(name=EXERCISE.stem)
    line = "1001: keeps what is in submitted/1001/cam, which differs from downloaded/cam/extracted/"
    assert [line for line in said.splitlines() if "keeps" in line] == [f"{line}{place}"]
