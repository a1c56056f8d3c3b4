"""The pair of notebooks as it is stored, its figures, and what the README says of it."""

import base64
import re
import shutil
import subprocess
import sys

import nbformat
import pytest
from conftest import EXERCISE, REPO, SOLUTION, code_cells


def test_solution_is_stored_executed_and_clean():
    cells = code_cells(SOLUTION).values()
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        assert not [
            o for o in cell.outputs if o.output_type == "error" or o.get("name") == "stderr"
        ], cell.id
    checked = [cell for cell in cells if "nbval-check-output" in cell.metadata.get("tags", [])]
    assert len(checked) >= 4 and all(
        cell.outputs for cell in checked
    )  # nbval passes a checked cell without output


def test_both_notebooks_are_valid_and_teach():
    for path in (SOLUTION, EXERCISE):
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)
        for before, cell in zip(notebook.cells, notebook.cells[1:]):
            if cell.cell_type == "code":
                prose = before.cell_type == "markdown" or "check" in cell.id
                assert prose, f"no prose before {cell.id}"
                lines = [line for line in cell.source.splitlines() if line.strip()]
                if not cell.metadata.get("jupyter", {}).get("source_hidden"):
                    assert len(lines) <= 25, cell.id
                    assert path == SOLUTION or max(map(len, lines)) <= 100, (
                        cell.id
                    )  # fits a laptop's screen


def test_exercise_is_what_the_configuration_makes_of_the_solution(tmp_path):
    shutil.copy(SOLUTION, tmp_path)
    command = [
        sys.executable,
        "-m",
        "nbconvert",
        "--config",
        str(REPO / "tests" / "make_exercise.py"),
    ]
    for _ in range(2):
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
        assert (tmp_path / EXERCISE.name).read_bytes() == EXERCISE.read_bytes()


def words_and_lines(notebook):
    """Return words of text, unfolded lines of code, folded lines, before the first blank and in all."""
    total, before = [0, 0, 0], None
    for cell in nbformat.read(notebook, as_version=4).cells:
        if cell.cell_type == "markdown":
            total[0] += len(cell.source.split())
            continue
        if before is None and cell.metadata.get("nbgrader", {}).get("solution"):
            before = list(total)
        folded = cell.metadata.get("jupyter", {}).get("source_hidden", False)
        total[2 if folded else 1] += sum(bool(line.strip()) for line in cell.source.splitlines())
    return before, total


def test_the_first_task_comes_soon_and_the_machinery_is_small():
    before, total = words_and_lines(EXERCISE)
    assert before[0] <= 1150 and before[1] <= 110
    assert total[0] <= 4000
    lines = {
        id: sum(bool(line.strip()) for line in cell.source.splitlines())
        for id, cell in code_cells(EXERCISE).items()
    }
    assert lines["load"] <= 95
    assert sum(n for id, n in lines.items() if id == "helpers" or id.endswith("-check")) <= 260


def test_the_minutes_of_the_sections_are_those_of_the_parts():
    text = "\n".join(
        cell.source
        for cell in nbformat.read(EXERCISE, as_version=4).cells
        if cell.cell_type == "markdown"
    )
    part_a, part_b = (
        sum(map(int, re.findall(r"^### .*\((\d+) minutes\)$", part, re.M)))
        for part in text.split("## Part B")
    )
    said = [int(minutes) for minutes in re.findall(r"About (\d+) minutes", text)]
    assert [part_a, part_b] == said and part_a == 60
    assert (
        len(re.findall("^### [0-9]", text, re.M))
        == len(re.findall(r"^### .*minutes\)$", text, re.M))
        == 10
    )


def test_exercise_has_no_trace_of_a_solution():
    text, exercise = EXERCISE.read_text(), code_cells(EXERCISE)
    assert "SOLUTION" not in text
    assert not any(cell.outputs or cell.execution_count for cell in exercise.values())
    everything = "\n".join(cell.source for cell in exercise.values())
    for id, cell in code_cells(SOLUTION).items():
        if id.endswith("-answer"):
            region = cell.source.split("### BEGIN SOLUTION\n")[1].split("### END SOLUTION")[0]
            for line in region.splitlines():
                assert len(line.strip()) < 12 or line.strip() not in everything, line
    for fragment in (
        'get_layer("',
        "layer.output",
        "@ weights",
        "cams[..., 1] - ",
        "feature_model",
        "Marking",
    ):
        assert fragment not in everything.replace("str(layer.output.shape", ""), (
            fragment
        )  # nor in given code


def test_no_answer_before_its_question():
    """Above Task 5 nothing says what D looks like; above Task 6 nothing unfolded computes neighbours; no "exact" in Part A."""
    cells = nbformat.read(EXERCISE, as_version=4).cells
    place = {cell.id: i for i, cell in enumerate(cells)}
    above_5 = " ".join(
        cell.source for cell in cells[: place["task-5-check"]] if cell.cell_type == "markdown"
    ).lower()
    assert not re.search(
        r"inside (of )?(large )?domains|dense walls|where walls|local energy|energy map", above_5
    )
    for cell in cells[: place["task-6-answer"]]:
        if cell.cell_type == "code" and not cell.metadata.get("jupyter", {}).get("source_hidden"):
            assert "np.roll" not in cell.source, cell.id
    part_a = "\n".join(cell.source for cell in cells[: place["part-b"]])
    assert not re.search(r"kaufman|bayes|exact_", part_a, re.I)


def test_notebooks_use_layers_by_name_and_no_hidden_state():
    for cell in code_cells(SOLUTION).values():
        assert not re.search(r"layers\[|globals\(\)", cell.source) or cell.metadata.get(
            "jupyter"
        ), cell.id
        assert not re.search(r"np\.random\.seed|\b(np|plt|keras|gdown|requests)\._", cell.source), (
            cell.id
        )


def test_picture_in_the_readme_is_the_stored_figure():
    figure = next(
        o.data["image/png"]
        for o in code_cells(SOLUTION)["task-4-answer"].outputs
        if "image/png" in o.get("data", {})
    )
    assert "(.github/cams.png)" in (REPO / "README.md").read_text()
    assert (REPO / ".github" / "cams.png").read_bytes() == base64.b64decode(figure)


@pytest.fixture(scope="module")
def kernel(finished, answers):
    """The student's kernel, with the right answers to all tasks."""
    for id in ("task-1-answer", "task-2-answer", "task-3-answer", "task-4-answer"):
        assert not finished[0].run(answers[id])["error"]
    return finished[0]


def test_identity_on_an_untrained_network(kernel, answers):
    """softmax(mean(cams)) is the prediction, biases included, before any training."""
    out = kernel.run(
        "\n".join(
            [
                "trained, model = model, keras.models.clone_model(model)",
                "model.set_weights([np.random.default_rng(1).normal(0, 0.3, w.shape) for w in model.get_weights()])",
                answers["task-1-answer"],
                answers["task-2-answer"],
                "predicted = model.predict(x_near, verbose=0)",
                "difference = np.abs(softmax(np.mean(cams, axis=(1, 2)), axis=1) - predicted).max()",
                "model = trained",
            ]
        )
    )
    assert not out["error"], out["error"]
    assert kernel.value("difference") < 1e-5
    assert kernel.value("np.ptp(predicted)") > 0.01
    for id in ("task-1-answer", "task-2-answer"):
        kernel.run(answers[id])
    assert (
        kernel.value("np.abs(rebuilt - p_near).max()") < 1e-5
    )  # and what the notebook shows for the trained one


def test_images_of_the_figure_are_aligned_and_on_one_scale(kernel):
    kernel.run(
        "chosen = [correct_below, correct_above, wrong_below, wrong_above]; figure = plot_cams(chosen); plt.close(figure)"
    )
    images = "[im for ax in figure.axes for im in ax.images]"
    shapes = kernel.value(f"[im.get_array().shape for im in {images}]")
    assert shapes == [[32, 32], [16, 16], [16, 16], [16, 16]] * 4
    assert set(map(tuple, kernel.value(f"[im.get_extent() for im in {images}]"))) == {
        (0, 32, 32, 0)
    }
    assert set(kernel.value(f"[im.origin for im in {images}]")) == {"upper"}
    assert set(
        kernel.value(
            f"[im.get_interpolation() for im in {images} if im.get_array().shape == (16, 16)]"
        )
    ) == {"bilinear"}
    assert set(
        kernel.value(
            f"[im.get_interpolation() for im in {images} if im.get_array().shape == (32, 32)]"
        )
    ) == {"nearest"}
    limits = {
        tuple(c)
        for c in kernel.value(
            f"[im.get_clim() for im in {images} if im.get_array().shape == (16, 16)]"
        )
    }
    ((low, high),) = limits
    assert low == -high and high == pytest.approx(
        kernel.value("max(np.abs(cams[chosen]).max(), np.abs(evidence[chosen]).max())")
    )
    assert (
        kernel.value("[len(ax.collections) for ax in figure.axes[3:16:4]]") == [2] * 4
    )  # the domain walls
    assert kernel.value("len(figure.axes)") == 20  # and a colour bar beside each row
    assert (
        kernel.value("figure.get_size_inches()[1] * figure.dpi") < 900
    )  # pixels: it fits a screen

    # The walls lie exactly between unlike neighbours: one flipped spin, drawn and compared edge by edge.
    kernel.run(
        "one = np.ones((32, 32)); one[4, 7] = -1; _, scratch = plt.subplots(); show_walls(scratch, one); plt.close()"
    )
    walls = kernel.value(
        "np.concatenate([s for c in scratch.collections for s in c.get_segments()])"
    )
    assert sorted(map(tuple, walls)) == sorted(
        [(7, 4), (7, 5), (8, 4), (8, 5), (7, 4), (8, 4), (7, 5), (8, 5)]
    )


def test_titles_say_temperature_side_probability_and_verdict(kernel):
    titles = kernel.value("[ax.get_ylabel() for ax in figure.axes[:16:4]]")
    for i, (side, verdict) in enumerate(
        (("below", "correct"), ("above", "correct"), ("below", "wrong"), ("above", "wrong"))
    ):
        p, T = kernel.value(f"p_near[chosen[{i}], 1]"), 2.2 if side == "below" else 2.3
        assert titles[i] == f"T = {T} ({side} Tc)\np(para) = {p:.3f}\n{verdict}"


def test_without_an_error_on_a_side_its_least_confident_lattice_serves(kernel, answers):
    kernel.run(
        "kept, low = (p_near, correct_near), T_near < T_C\n"
        "p_near = np.where(low[:, None], np.sort(p_near)[:, ::-1], p_near); correct_near = low | correct_near"
    )
    out = kernel.run(answers["task-3-answer"] + "\n" + code_cells(EXERCISE)["task-3-check"].source)
    kernel.run("p_near, correct_near = kept")
    kernel.run(answers["task-3-answer"])
    assert "Task 3 is right" in out["stdout"] and not out["error"]
