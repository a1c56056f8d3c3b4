"""The pair of notebooks as it is stored: formatted, executed, in step, and good to read."""

import base64
import re
import shutil
import subprocess
import sys

import benchmark
import nbformat
import pytest
from answers import STUB
from conftest import EXERCISE, REPO, SOLUTION, TOOLS, code_cells, is_folded

ROOMS = "start data near checks_a pictures physics_b checks_b".split()  # what a check needs


def texts(path):
    """Return the Markdown cells of a notebook by their ids, in order."""
    cells = nbformat.read(path, as_version=4).cells
    return {cell.id: cell.source for cell in cells if cell.cell_type == "markdown"}


def grader(cell):
    return cell.metadata.get("nbgrader", {})


@pytest.mark.parametrize("command", ["format --check", "check"])
def test_code_is_as_ruff_wants_it(command):
    ruff = [sys.executable, "-m", "ruff", *command.split(), "--no-cache"]
    done = subprocess.run(
        [*ruff, SOLUTION.name, EXERCISE.name, "tests"], cwd=REPO, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_solution_is_stored_executed_and_clean():
    cells = list(code_cells(SOLUTION).values())
    (widget,) = [cell for cell in cells if "skip-execution" in cell.metadata.get("tags", [])]
    cells.remove(widget)  # stored, a widget would be dead
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        for output in cell.outputs:
            assert output.output_type != "error" and output.get("name") != "stderr", cell.id
            assert "WARNING" not in output.get("text", ""), cell.id
    checked = [cell for cell in cells if "nbval-check-output" in cell.metadata.get("tags", [])]
    assert len(checked) >= 4
    assert all(cell.outputs for cell in checked)  # nbval passes a checked cell without output
    assert not widget.outputs and "widgets" not in nbformat.read(SOLUTION, as_version=4).metadata


def test_both_notebooks_are_valid_and_teach():
    """Prose stands before an open cell; before a check stands the answer, before a room nothing."""
    without_prose = {"setup", "load-now", "checks-a", "guess", "test", "mean-map"}
    for path in (SOLUTION, EXERCISE):
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)
        for before, cell in zip(notebook.cells, notebook.cells[1:]):
            if cell.id.endswith("-check"):
                assert before.id == cell.id.replace("check", "answer")
            elif cell.cell_type == "code" and not is_folded(cell):
                lines = [line for line in cell.source.splitlines() if line.strip()]
                assert len(lines) <= (25 if grader(cell).get("solution") else 15), cell.id
                prose = before.cell_type == "markdown" or is_folded(before)
                assert prose or cell.id in without_prose, f"no prose before {cell.id}"


def test_exercise_is_what_the_configuration_makes_of_the_solution(tmp_path):
    shutil.copy(SOLUTION, tmp_path)
    command = [sys.executable, "-m", "nbconvert", "--config", str(TOOLS / "make_exercise.py")]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / EXERCISE.name).read_bytes() == EXERCISE.read_bytes()


def test_the_first_task_comes_soon():
    cells = nbformat.read(EXERCISE, as_version=4).cells
    (first,) = [k for k, cell in enumerate(cells) if cell.id == "task-1-answer"]
    words = sum(len(c.source.split()) for c in cells[:first] if c.cell_type == "markdown")
    assert words <= 1050 and first <= 42


def test_the_minutes_of_the_sections_are_those_of_the_parts():
    text = "\n".join(texts(EXERCISE).values())
    parts = [
        re.findall(r"^### .*\((\d+) minutes\)$", part, re.M) for part in text.split("## Part B")
    ]
    assert [len(part) for part in parts] == [5, 5]
    minutes = [sum(map(int, part)) for part in parts]
    assert minutes == [int(said) for said in re.findall(r"About (\d+) minutes", text)]


def test_exercise_has_no_trace_of_a_solution():
    """Nor has a room of checks, which stands above the blanks where nothing folds."""
    source = EXERCISE.read_text(encoding="utf-8")
    exercise = code_cells(EXERCISE)
    assert "SOLUTION" not in source and "Marking" not in source
    assert not any(cell.outputs or cell.execution_count for cell in exercise.values())
    everything = "\n".join(cell.source for cell in exercise.values())
    for id, cell in code_cells(SOLUTION).items():
        if id.endswith("-answer"):
            region = cell.source.partition("### BEGIN SOLUTION\n")[2]
            for line in region.partition("### END SOLUTION")[0].splitlines():
                assert len(line.strip()) < 12 or line.strip() not in everything, line
    given = everything.replace("layer.output.shape", "")
    for fragment in ('get_layer("', "layer.output", "@ weights", "cams[..., 1] - "):
        assert fragment not in given, fragment
    for id in ("checks-a", "checks-b"):
        assert not re.search(r" @ w\b|np\.roll\(s|ops\.concatenate", exercise[id].source)


def test_no_answer_before_its_question():
    """What D looks like, a local energy, exact odds and the flaw come after they are asked for."""
    words, code = texts(EXERCISE), code_cells(EXERCISE)
    order = [cell.id for cell in nbformat.read(EXERCISE, as_version=4).cells]

    def above(id):
        return order[: order.index(id)]

    before_5 = " ".join(words.get(id, "") for id in above("task-5-check")).lower()
    assert not re.search(r"inside (of )?(large )?domains|dense walls|where walls", before_5)
    before_6 = [code[id] for id in above("task-6-answer") if id in code]
    assert not any("np.roll" in cell.source for cell in before_6 if not is_folded(cell))
    before_b = " ".join(words.get(id, "") for id in above("part-b"))
    assert not re.search(r"kaufman|bayes|exact|flaw", before_b, re.I)
    before_flaw = " ".join(words.get(id, "") for id in above("flaw-see"))
    assert not re.search(r"padding|zeros|frame|\brim\b|\bring\b", before_flaw, re.I)
    look, think = words["flaw-see"].split("<details>")[1:]
    assert "frame" in look and "padding" not in look and "padding" in think
    assert words["flaw-see"].startswith("<details>")


def test_notebooks_use_layers_by_name_and_no_hidden_state():
    for cell in code_cells(SOLUTION).values():
        assert not re.search(r"layers\[", cell.source), cell.id
        assert "globals()" not in cell.source or is_folded(cell), cell.id
        private = r"np\.random\.seed|\b(np|plt|keras|gdown|requests)\._"
        assert not re.search(private, cell.source), cell.id


def test_the_benchmark_takes_cells_that_exist():
    taken = [*benchmark.BEFORE.split(), *benchmark.AFTER.split()]
    ids = list(code_cells(SOLUTION))
    assert taken == sorted(taken, key=ids.index)


def test_picture_in_the_readme_is_the_stored_figure():
    outputs = code_cells(SOLUTION)["task-4-answer"].outputs
    (figure,) = [o.data["image/png"] for o in outputs if "image/png" in o.get("data", {})]
    assert "(.github/cams.png)" in (REPO / "README.md").read_text(encoding="utf-8")
    assert (REPO / ".github" / "cams.png").read_bytes() == base64.b64decode(figure)


def test_the_headings_say_the_points_of_the_metadata():
    in_metadata, in_heading = {}, {}
    for cell in nbformat.read(SOLUTION, as_version=4).cells:
        if grader(cell).get("grade"):
            task = grader(cell)["grade_id"][:6]
            in_metadata[task] = in_metadata.get(task, 0) + grader(cell)["points"]
        for number, points in re.findall(r"^#### Task (\d):.*\((\d) points\)$", cell.source, re.M):
            in_heading[f"task_{number}"] = int(points)
    assert in_heading == in_metadata and len(in_heading) == 8
    assert sum(in_heading.values()) == 17 + 4  # automatic ones, and those of Task 5


def test_checks_are_one_open_line_and_what_they_need_is_locked():
    cells = nbformat.read(EXERCISE, as_version=4).cells
    locked = {grader(cell)["grade_id"]: cell for cell in cells if grader(cell).get("locked")}
    assert list(locked)[:4] == ROOMS[:4] and set(ROOMS) < set(locked)
    for name, cell in locked.items():
        assert cell.metadata.editable is False and cell.metadata.deletable is False
        if name.endswith("_check"):
            assert cell.source == f"check_{name.removesuffix('_check')}()"
            assert grader(cell).grade and not is_folded(cell)
        else:
            assert not grader(cell).grade and (is_folded(cell) or name == "near")
    assert len(locked) == len(ROOMS) + 8
    names = re.findall(r"^(?:def|class) (\w+)", "\n".join(locked[n].source for n in ROOMS), re.M)
    assert STUB.startswith("raise Stop(") and "Stop" in names
    of_checks = locked["checks_a"].source + locked["checks_b"].source
    for name in re.findall(r"^(?:def |class )?(\w+)(?: =|\()", of_checks, re.M):
        assert name.startswith(("_", "check_task_")), name


def test_the_readme_is_a_door():
    """Short, what to type comes first, and what it names exists."""
    text = (REPO / "README.md").read_text(encoding="utf-8")
    assert len(text.split()) <= 1150
    assert len(text.partition("pip install -q -r requirements.txt")[0].split()) < 120
    commands = [line for line in text.splitlines() if line.startswith("python3 -m venv")]
    assert len(commands) == 2 and commands[1].endswith("-m pytest")  # as .ci/run takes it
    for path in re.findall(r"\btests/[\w/]+\.\w+|\b\w+\.ipynb|\brequirements\.txt", text):
        assert (REPO / path).exists() or f"part_a/{path}" in text, path
