"""The pair of notebooks as it is stored: formatted, executed, in step, and good to read."""

import base64
import re
import shutil
import subprocess
import sys

import nbformat
import pytest
from conftest import EXERCISE, REPO, SOLUTION, TOOLS, code_cells, is_folded, solution_region


def texts(path):
    """Return the Markdown cells of a notebook by their ids, in order."""
    cells = nbformat.read(path, as_version=4).cells
    return {cell.id: cell.source for cell in cells if cell.cell_type == "markdown"}


@pytest.mark.parametrize("command", ["format --check", "check"])
def test_code_is_as_ruff_wants_it(command):
    ruff = [sys.executable, "-m", "ruff", *command.split(), "--no-cache"]
    done = subprocess.run(
        [*ruff, SOLUTION.name, EXERCISE.name, "tests"], cwd=REPO, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_solution_is_stored_executed_and_clean():
    cells = code_cells(SOLUTION).values()
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        for output in cell.outputs:
            assert output.output_type != "error" and output.get("name") != "stderr", cell.id
    checked = [cell for cell in cells if "nbval-check-output" in cell.metadata.get("tags", [])]
    assert len(checked) >= 4
    assert all(cell.outputs for cell in checked)  # nbval passes a checked cell without output


def test_both_notebooks_are_valid_and_teach():
    """Prose stands before each cell that is not a check."""
    for path in (SOLUTION, EXERCISE):
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)
        for before, cell in zip(notebook.cells, notebook.cells[1:]):
            if cell.cell_type == "code":
                is_check = cell.id.endswith("-check")
                assert before.cell_type == "markdown" or is_check, f"no prose before {cell.id}"
                lines = [line for line in cell.source.splitlines() if line.strip()]
                assert is_folded(cell) or len(lines) <= 25, cell.id


def test_exercise_is_what_the_configuration_makes_of_the_solution(tmp_path):
    shutil.copy(SOLUTION, tmp_path)
    command = [sys.executable, "-m", "nbconvert", "--config", str(TOOLS / "make_exercise.py")]
    for _ in range(2):
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
        assert (tmp_path / EXERCISE.name).read_bytes() == EXERCISE.read_bytes()


def test_the_first_task_comes_soon():
    words = lines = 0
    for cell in nbformat.read(EXERCISE, as_version=4).cells:
        if cell.cell_type == "markdown":
            words += len(cell.source.split())
        elif cell.metadata.get("nbgrader", {}).get("solution"):
            break
        elif not is_folded(cell):
            lines += sum(bool(line.strip()) for line in cell.source.splitlines())
    assert words <= 1150 and lines <= 110


def test_the_minutes_of_the_sections_are_those_of_the_parts():
    text = "\n".join(texts(EXERCISE).values())
    parts = [
        re.findall(r"^### .*\((\d+) minutes\)$", part, re.M) for part in text.split("## Part B")
    ]
    assert [len(part) for part in parts] == [5, 5]
    minutes = [sum(map(int, part)) for part in parts]
    assert minutes == [int(said) for said in re.findall(r"About (\d+) minutes", text)]
    assert minutes[1] <= 50


def test_exercise_has_no_trace_of_a_solution():
    source = EXERCISE.read_text(encoding="utf-8")
    exercise = code_cells(EXERCISE)
    assert "SOLUTION" not in source and "Marking" not in source
    assert not any(cell.outputs or cell.execution_count for cell in exercise.values())
    everything = "\n".join(cell.source for cell in exercise.values())
    for id, cell in code_cells(SOLUTION).items():
        if id.endswith("-answer"):
            for line in solution_region(cell.source).splitlines():
                assert len(line.strip()) < 12 or line.strip() not in everything, line
    given = everything.replace("layer.output.shape", "")
    for fragment in ('get_layer("', "layer.output", "@ weights", "cams[..., 1] - "):
        assert fragment not in given, fragment


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
    assert not re.search(r"kaufman|bayes|exact", before_b, re.I)
    before_flaw = " ".join(words.get(id, "") for id in above("flaw-see"))
    assert not re.search(r"padding|zeros", before_flaw, re.I)
    folded = words["flaw-see"].partition("<details>")[2].partition("</details>")[0]
    assert "padding" in folded and "zeros" in folded


def test_notebooks_use_layers_by_name_and_no_hidden_state():
    for cell in code_cells(SOLUTION).values():
        assert not re.search(r"layers\[", cell.source), cell.id
        assert "globals()" not in cell.source or is_folded(cell), cell.id
        private = r"np\.random\.seed|\b(np|plt|keras|gdown|requests)\._"
        assert not re.search(private, cell.source), cell.id


def test_picture_in_the_readme_is_the_stored_figure():
    outputs = code_cells(SOLUTION)["task-4-answer"].outputs
    (figure,) = [o.data["image/png"] for o in outputs if "image/png" in o.get("data", {})]
    assert "(.github/cams.png)" in (REPO / "README.md").read_text(encoding="utf-8")
    assert (REPO / ".github" / "cams.png").read_bytes() == base64.b64decode(figure)


def test_the_headings_say_the_points_of_the_metadata():
    in_metadata, in_heading = {}, {}
    for cell in nbformat.read(SOLUTION, as_version=4).cells:
        grader = cell.metadata.get("nbgrader", {})
        if grader.get("grade"):
            task = grader["grade_id"][:6]
            in_metadata[task] = in_metadata.get(task, 0) + grader["points"]
        for number, points in re.findall(r"^#### Task (\d):.*\((\d) points\)$", cell.source, re.M):
            in_heading[f"task_{number}"] = int(points)
    assert in_heading == in_metadata and len(in_heading) == 8
    assert sum(in_heading.values()) == 17 + 4  # automatic ones, and those of Task 5


def test_checks_are_locked_and_folded():
    cells = nbformat.read(EXERCISE, as_version=4).cells
    checks = [cell for cell in cells if cell.id.endswith("-check")]
    assert len(checks) == 8
    for cell in checks:
        assert cell.metadata.nbgrader.locked and is_folded(cell)
        assert cell.metadata.editable is False and cell.metadata.deletable is False


def test_identity_on_an_untrained_network(judge, solved, answers):
    """softmax(mean(cams)) is the prediction, biases included, before any training."""
    kernel = solved(0)
    judge("task-1", "pass")
    change = """
rng = np.random.default_rng(1)
model.set_weights([rng.normal(0, 0.3, w.shape) for w in model.get_weights()])
predicted = model.predict(x_near, verbose=0)
"""
    compare = "off = np.abs(softmax(np.mean(cams, axis=(1, 2)), axis=1) - predicted).max()"
    kernel.do("\n".join([change, answers["task-1-answer"], answers["task-2-answer"], compare]))
    assert kernel.value("off") < 1e-5 and kernel.value("np.ptp(predicted)") > 0.01
    kernel.do("tests_restore()")
    assert kernel.value("p_off") < 1e-5  # and what the notebook shows for the trained one
    assert kernel.value("odds_off") < 1e-4


def test_images_of_the_figure_are_aligned_and_on_one_scale(judge, solved):
    kernel = solved(0)
    judge("task-4", "pass")
    kernel.do("""
tests_restore()
chosen = [correct_below, correct_above, wrong_below, wrong_above]
figure = plot_cams(chosen)
images = [image for ax in figure.axes for image in ax.images]
are_maps = [image.get_array().shape == (16, 16) for image in images]
maps = [image for image, is_map in zip(images, are_maps) if is_map]
spins = [image for image, is_map in zip(images, are_maps) if not is_map]
plt.close(figure)
""")
    assert kernel.value("are_maps") == [False, True, True, True] * 4
    for images in ("maps", "spins"):
        extents = kernel.value(f"[image.get_extent() for image in {images}]")
        assert {tuple(extent) for extent in extents} == {(0, 32, 32, 0)}
        assert set(kernel.value(f"[image.origin for image in {images}]")) == {"upper"}
    assert set(kernel.value("[image.get_interpolation() for image in maps]")) == {"bilinear"}
    assert set(kernel.value("[image.get_interpolation() for image in spins]")) == {"nearest"}
    ((low, high),) = {tuple(ends) for ends in kernel.value("[i.get_clim() for i in maps]")}
    largest = kernel.value("max(np.abs(cams[chosen]).max(), np.abs(evidence[chosen]).max())")
    assert low == -high and high == pytest.approx(largest)
    assert kernel.value("[len(ax.collections) for ax in figure.axes[3:16:4]]") == [2] * 4  # walls
    assert kernel.value("len(figure.axes)") == 20  # and a colour bar beside each row
    assert kernel.value("figure.get_size_inches()[1] * figure.dpi") < 900  # it fits a screen
    for i, side in enumerate(("below", "above", "below", "above")):
        p, T = kernel.value(f"p_near[chosen[{i}], 1]"), 2.2 if side == "below" else 2.3
        verdict = "correct" if i < 2 else "wrong"
        title = kernel.do(f"print(repr(figure.axes[{4 * i}].get_ylabel()))")["stdout"]
        assert eval(title) == f"T = {T} ({side} Tc)\np(para) = {p:.3f}\n{verdict}"


def test_walls_lie_exactly_between_unlike_neighbours(judge, solved):
    kernel = solved(0)
    judge("task-4", "pass")
    kernel.do("""
one = np.ones((32, 32))
one[4, 7] = -1
_, scratch = plt.subplots()
show_walls(scratch, one)
plt.close()
""")
    walls = kernel.value(
        "np.concatenate([s for c in scratch.collections for s in c.get_segments()])"
    )
    corners = [(7, 4), (8, 4), (8, 5), (7, 5)]
    around = zip(corners, corners[1:] + corners[:1])
    ends = [walls[k : k + 2] for k in range(0, len(walls), 2)]
    drawn = sorted(sorted(map(tuple, pair)) for pair in ends)
    assert drawn == sorted(sorted(pair) for pair in around)
