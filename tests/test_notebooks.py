"""The pair of notebooks as it is stored, its figures, and what the README says of it."""

import base64
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
        assert not [o for o in cell.outputs if o.output_type == "error" or o.get("name") == "stderr"], cell.id
    checked = [cell for cell in cells if "nbval-check-output" in cell.metadata.get("tags", [])]
    assert len(checked) >= 4 and all(cell.outputs for cell in checked)  # nbval passes a checked cell without output


def test_both_notebooks_are_valid_and_teach():
    for path in (SOLUTION, EXERCISE):
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)
        for before, cell in zip(notebook.cells, notebook.cells[1:]):
            if cell.cell_type == "code":
                assert before.cell_type == "markdown" or "check" in cell.id, f"no prose before {cell.id}"
                lines = [line for line in cell.source.splitlines() if line.strip()]
                assert len(lines) <= 25 or cell.metadata.get("jupyter", {}).get("source_hidden"), cell.id


def test_exercise_is_what_the_configuration_makes_of_the_solution(tmp_path):
    shutil.copy(SOLUTION, tmp_path)
    command = [sys.executable, "-m", "nbconvert", "--config", str(REPO / "tests" / "make_exercise.py")]
    for _ in range(2):
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
        assert (tmp_path / EXERCISE.name).read_bytes() == EXERCISE.read_bytes()


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
    for fragment in ('get_layer("', "layer.output", "@ weights", "cams[..., 1] - ", "feature_model"):
        assert fragment not in everything.replace("str(layer.output.shape", ""), fragment  # nor in given code


def test_picture_in_the_readme_is_the_stored_figure():
    figure = next(o.data["image/png"] for o in code_cells(SOLUTION)["task-4-answer"].outputs if "image/png" in o.get("data", {}))
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
    code = """
trained, model, p_trained = model, keras.models.clone_model(model), p_near
model.set_weights([np.random.default_rng(1).normal(0, 0.3, w.shape) for w in model.get_weights()])
{}
{}
predicted = model.predict(x_near, verbose=0)
odds = np.exp(np.mean(cams, axis=(1, 2)) - np.mean(cams, axis=(1, 2)).max(axis=1, keepdims=True))
difference = np.abs(odds / odds.sum(axis=1, keepdims=True) - predicted).max()
model = trained
""".format(answers["task-1-answer"], answers["task-2-answer"])
    out = kernel.run(code)
    assert not out["error"], out["error"]
    assert kernel.value("difference") < 1e-5
    assert kernel.value("np.ptp(predicted)") > 0.01
    for id in ("task-1-answer", "task-2-answer"):
        kernel.run(answers[id])
    assert kernel.value("np.abs(rebuilt - p_near).max()") < 1e-5  # and what the notebook shows for the trained one


def test_images_of_the_figure_are_aligned_and_on_one_scale(kernel):
    kernel.run("chosen = [correct_below, correct_above, wrong_below, wrong_above]; figure = plot_cams(chosen); plt.close(figure)")
    images = "[im for ax in figure.axes for im in ax.images]"
    shapes = kernel.value(f"[im.get_array().shape for im in {images}]")
    assert shapes == [[32, 32], [16, 16], [16, 16], [16, 16]] * 4
    assert set(map(tuple, kernel.value(f"[im.get_extent() for im in {images}]"))) == {(0, 32, 32, 0)}
    assert set(kernel.value(f"[im.origin for im in {images}]")) == {"upper"}
    assert set(kernel.value(f"[im.get_interpolation() for im in {images} if im.get_array().shape == (16, 16)]")) == {"bilinear"}
    assert set(kernel.value(f"[im.get_interpolation() for im in {images} if im.get_array().shape == (32, 32)]")) == {"nearest"}
    limits = {tuple(c) for c in kernel.value(f"[im.get_clim() for im in {images} if im.get_array().shape == (16, 16)]")}
    (low, high), = limits
    assert low == -high and high == pytest.approx(kernel.value("max(np.abs(cams[chosen]).max(), np.abs(evidence[chosen]).max())"))
    assert kernel.value("[len(ax.collections) for ax in figure.axes[3:16:4]]") == [2] * 4  # the domain walls

    # The walls lie exactly between unlike neighbours: 2 x 2 blocks of one lattice, drawn and compared edge by edge.
    kernel.run("lattice = np.ones((32, 32)); lattice[4, 7] = -1; _, ax = plt.subplots(); show_walls(ax, lattice); plt.close()")
    walls = kernel.value("np.concatenate([s for c in ax.collections for s in c.get_segments()])")
    assert sorted(map(tuple, walls)) == sorted([(7, 4), (7, 5), (8, 4), (8, 5), (7, 4), (8, 4), (7, 5), (8, 5)])


def test_titles_say_temperature_side_probabilities_and_verdict(kernel):
    titles = kernel.value("[row.get_suptitle() for row in figure.subfigs[:-1]]")
    for i, (side, verdict) in enumerate((("below", "correct"), ("above", "correct"), ("below", "wrong"), ("above", "wrong"))):
        p, exact = kernel.value(f"[p_near[chosen[{i}], 1], expit(exact_near[chosen[{i}]])]")
        T = 2.2 if side == "below" else 2.3
        assert titles[i] == f"T = {T} ({side} Tc) · p(para) = {p:.3f} (exact {exact:.3f}) · {verdict}"


def test_without_an_error_on_a_side_the_title_says_so(kernel, answers):
    """The rule takes the least confident lattice, and check and title know."""
    out = kernel.run("""
p_kept, p_near = p_near, np.where((T_near < T_C)[:, None], np.sort(p_near)[:, ::-1], p_near)
""" + answers["task-3-answer"] + "\n" + code_cells(EXERCISE)["task-3-check"].source + "\nprint(describe(wrong_below))")
    kernel.run("p_near = p_kept")
    assert not out["error"], out["error"]
    assert "correct, the least confident (no error on this side)" in out["stdout"]
    kernel.run(answers["task-3-answer"])


def test_the_three_open_questions_can_be_done(kernel):
    """With the code at hand, by changing a few lines."""
    out = kernel.run("""
def wrap(x):
    x = keras.ops.concatenate([x[:, -1:], x, x[:, :1]], axis=1)
    return keras.ops.concatenate([x[:, :, -1:], x, x[:, :, :1]], axis=2)

h = start = keras.Input((32, 32))
for layer in model.layers:
    if isinstance(layer, keras.layers.Conv2D):
        h = keras.layers.Lambda(wrap)(h)
        layer = keras.layers.Conv2D(layer.filters, 3, padding="valid", activation="relu")
    h = layer.__class__.from_config(layer.get_config())(h)
periodic = keras.Model(start, h)
assert periodic.count_params() == model.count_params()
rolled = [periodic.predict(np.roll(x_near[:9], s, axis=1), verbose=0) for s in (0, 2)]
assert np.allclose(*rolled, atol=1e-4)

larger = keras.Sequential([keras.Input((64, 64)), keras.layers.Reshape((64, 64, 1))] + [
    layer.__class__.from_config(layer.get_config()) for layer in model.layers[1:]])
larger.set_weights(model.get_weights())
x_64, T_64 = simulate_ising(np.array([1.5, 3.0]), 5, 64, SEED)
assert ((larger.predict(x_64, verbose=0)[:, 1] > 0.5) == (T_64 > T_C)).all() and log_Z(2.0, size=64) > log_Z(2.0)

checkerboard = (-1) ** np.add.outer(np.arange(32), np.arange(32))
assert np.allclose(energy(x_near * checkerboard), -energy(x_near))
""")
    assert not out["error"], out["error"]
