"""The checks judge answers as the tasks say: in a real kernel, with right and wrong answers."""

import pytest
from answers import RIGHT, STUB, WRONG
from conftest import EXERCISE, code_cells

TASKS = list(RIGHT)
RIGHT_ROWS = [(task, name) for task, ways in RIGHT.items() for name in ways]
WRONG_ROWS = [
    (task, words, name)
    for task, faults in WRONG.items()
    for words, ways in faults.items()
    for name in ways
]


def test_untouched_it_stops_at_the_first_blank(student):
    _, stopped, outputs = student
    assert stopped == "task-1-answer" and outputs[stopped]["error"] == "Stop: your code here"
    assert len(outputs[stopped]["traceback"]) == 1
    assert not any(out["error"] for id, out in outputs.items() if id != stopped)
    assert not any(out["stderr"] for out in outputs.values())


def test_filled_in_it_reaches_the_end(finished):
    _, outputs = finished
    assert not {id: out["error"] for id, out in outputs.items() if out["error"]}
    assert not {id: out["stderr"] for id, out in outputs.items() if out["stderr"]}
    assert all(f"Task {task[-1]}" in outputs[f"{task}-check"]["stdout"] for task in TASKS)


def assert_passes(task, answer, check):
    assert not answer["error"], answer["error"]
    assert (check["error"], check["stderr"]) == ("", "")
    assert f"Task {task[-1]} " in check["stdout"]


@pytest.mark.parametrize("task, name", RIGHT_ROWS)
def test_right_answer_passes(judge, task, name):
    assert_passes(task, *judge(task, RIGHT[task][name]))


@pytest.mark.parametrize("task", TASKS)
def test_an_answer_may_be_changed_after_later_cells_have_run(judge, solved, task):
    """The guard takes no other right answer for a change of what is given."""
    judge(task, list(RIGHT[task].values())[-1])
    for later in TASKS[TASKS.index(task) :]:
        check = solved(0).run(code_cells(EXERCISE)[f"{later}-check"].source)
        assert_passes(later, {"error": ""}, check)


@pytest.mark.parametrize("seed", [1, 2, "other"])
def test_right_answers_pass_with_other_seeds_and_data(judge, seed):
    """What passes for a student passes for the grader, whose network is another one."""
    for task, name in RIGHT_ROWS:
        if task not in ("task-5", "task-8"):  # on which nothing of this has an influence
            assert_passes(task, *judge(task, RIGHT[task][name], seed))


def test_tensors_serve_later_cells_too(judge, solved):
    """Feature maps, weights and biases as TensorFlow hands them out, without NumPy."""
    kernel, cells = solved(0), code_cells(EXERCISE)
    judge(
        "task-1",
        """
feature_model = keras.Model(model.inputs, model.get_layer("last_conv").output)
feature_maps = feature_model(x_near)
weights, bias = model.get_layer("phase").weights
""",
    )
    kernel.do("cams = feature_maps @ weights + bias\nevidence = cams[..., 1] - cams[..., 0]")
    assert kernel.do("print(isinstance(cams, np.ndarray))")["stdout"] == "False\n"
    ids = list(cells)
    for id in ids[ids.index("task-2-check") :]:
        if not id.endswith("-answer"):
            out = kernel.run(cells[id].source)
            assert not out["error"], f"{id}: {out['error']}"


def test_a_value_from_before_an_error_is_called_so(judge):
    _, check = judge("task-2", "cams = cams + 1\nnew = undefined")
    assert_one_line(check, "But first: the cell that ran last stopped with an error.")
    _, check = judge("task-2", "cams = cams + 1")
    assert "But first" not in check["error"]
    _, check = judge("task-2", "undefined")
    assert "Task 2 is right" in check["stdout"] and "But first" in check["stdout"]


def assert_one_line(check, words):
    assert check["error"].startswith("Stop: "), check["error"] or "it passes"
    assert words in check["error"]
    assert len(check["traceback"]) == 1 and "\n" not in check["traceback"][0]
    assert len(check["error"]) < 400 and not check["stderr"]


@pytest.mark.parametrize("task, words, name", WRONG_ROWS)
def test_wrong_answer_is_told_why(judge, task, words, name):
    """In one line, with the words of its fault."""
    _, check = judge(task, WRONG[task][words][name])
    assert_one_line(check, words)


@pytest.mark.parametrize("task", TASKS)
def test_blank_is_one_line(judge, task):
    """The line to be replaced speaks where it stands, or in a function when the check calls it."""
    answer, check = judge(task, STUB, figure=True)
    if task in ("task-6", "task-8"):
        assert not answer["error"]
    else:
        assert answer["error"] == "Stop: your code here" and len(answer["traceback"]) == 1
    if task in ("task-4", "task-6", "task-8"):
        assert_one_line(check, "This task is still empty.")


def test_a_failing_row_leaves_no_empty_axes(judge, solved):
    answer, _ = judge("task-4", "plt.plot(0)\nraise ValueError", figure=True)
    assert answer["error"].startswith("ValueError") and not answer["figures"]
    assert solved(0).value("len(plt.get_fignums())") == 0


def test_a_row_that_shows_is_noticed_in_the_figure_itself(judge):
    answer, _ = judge("task-4", "plt.show()", figure=True)
    assert_one_line({**answer, "stderr": ""}, "draw_row shows or closes the figure")


def test_tf32_passes(judge, solved):
    """Feature maps and maps as from a graphics card that rounds what it multiplies to 10 bits."""
    kernel = solved(0)
    judge("task-1", "pass")
    kernel.do("""
def rounded(a):
    bits = np.ascontiguousarray(a, dtype="float32").view("uint32")
    return ((bits + 0x1000) & 0xFFFFE000).view("float32")

signal = x_near
for layer in model.layers[:6]:
    if layer.get_weights():
        kernel, offset = layer.get_weights()
        signal = keras.ops.conv(rounded(signal), rounded(kernel), padding="same") + offset
        signal = keras.ops.relu(signal)
    else:
        signal = layer(signal)
feature_maps = np.asarray(signal)
cams = rounded(feature_maps) @ rounded(weights) + bias
evidence = cams[..., 1] - cams[..., 0]
""")
    assert kernel.value("np.abs(feature_maps - tests_saved['feature_maps']).max()") > 1e-3
    cells = code_cells(EXERCISE)
    for task in ("task-1", "task-2"):
        assert_passes(task, {"error": ""}, kernel.run(cells[f"{task}-check"].source))


def test_without_an_error_on_a_side_its_least_confident_lattice_serves(judge, solved):
    kernel, cells = solved(0), code_cells(EXERCISE)
    judge("task-3", "pass")
    kernel.do("""
sure = np.sort(p_near)[:, ::-1]
p_near = np.where((T_near < T_C)[:, None], sure, p_near)
correct_near = correct_near | (T_near < T_C)
remember(GIVEN)
wrong_below = np.where(T_near < T_C, p_near[:, 1], -1).argmax()
""")
    check = cells["task-3-check"].source
    assert_passes("task-3", {"error": ""}, kernel.run(check))
    kernel.do("wrong_below = np.where(T_near < T_C, p_near[:, 1], 2).argmin()")
    assert_one_line(kernel.run(check), "No lattice below Tc is wrong here: wrong_below is the one")
    kernel.do("tests_restore(); remember(GIVEN)")


def test_memory_of_the_whole_notebook(finished):
    """What is the kernel's own: 455 to 480 measured. Pages of libraries come on top, 400 to 500."""
    peak, files = finished[0].peak
    assert 100 < peak - files < (500 if files else 950)
