"""The exercise as a student meets it: in a real kernel, with right and wrong answers."""

import pytest
from conftest import EXERCISE, code_cells

STUB = "raise NotImplementedError('your code here')"
TASKS = ["task-1", "task-2", "task-3", "task-4", "task-5", "task-6"]

RIGHT = {
    "task-1": {
        "keras.Model, tensors and variables": """
            feature_maps = keras.Model(model.inputs, model.get_layer("last_conv").output)(x_near)
            weights, bias = model.get_layer("phase").kernel, model.get_layer("phase").bias""",
        "a new input, layer calls": """
            h = start = keras.Input((32, 32))
            for name in ("image", "conv_1", "conv_2", "pool", "conv_3", "last_conv"):
                h = model.get_layer(name)(h)
            feature_maps = keras.Model(start, h).predict(x_near, verbose=0)
            weights, bias = model.get_weights()[-2:]""",
        "layer by layer": """
            h = x_near
            for layer in model.layers:
                h = layer(h)
                if layer.name == "last_conv":
                    feature_maps = h.numpy()
            weights, bias = model.get_layer("phase").get_weights()""",
    },
    "task-2": {
        "einsum": """
            cams = np.einsum("nxyk,kc->nxyc", feature_maps, weights) + bias
            evidence = np.einsum("nxyc,c->nxy", cams, [-1, 1])""",
        "tensordot": """
            cams = np.tensordot(feature_maps, weights, axes=1) + bias[None, None, None, :]
            evidence = np.diff(cams, axis=-1)[..., 0]""",
        "loops": """
            cams = np.zeros((len(x_near), 16, 16, 2))
            for c in range(2):
                for k in range(32):
                    cams[..., c] += weights[k, c] * feature_maps[..., k]
                cams[..., c] += bias[c]
            evidence = cams[:, :, :, 1] - cams[:, :, :, 0]""",
        "tensors": """
            cams = keras.ops.matmul(feature_maps, weights) + bias
            evidence = cams[..., 1] - cams[..., 0]""",
    },
    "task-3": {
        "the first of each kind": """
            good = p_near.argmax(1) == y_near.argmax(1)
            correct_below = np.where(good & (T_near < T_C))[0][0]
            correct_above = int(np.flatnonzero(good & (T_near > T_C))[0])
            wrong_below = [i for i in range(len(x_near)) if T_near[i] < T_C and p_near[i, 1] > 0.5][0]
            wrong_above = np.array(np.where(~good & (T_near > T_C))[0][0])""",
        "the least confident": """
            unsure = np.argsort(np.abs(p_near[:, 1] - 0.5))
            good = p_near.argmax(1) == y_near.argmax(1)
            correct_below, correct_above, wrong_below, wrong_above = (
                next(i for i in unsure if (T_near[i] < T_C) == low and good[i] == ok)
                for ok in (True, False) for low in (True, False))""",
    },
    "task-4": {
        "overlays in a row, own colours": """
            def plot_cams(indices):
                figure, axes = plt.subplots(1, len(indices), figsize=(14, 4))
                for ax, i in zip(axes, indices):
                    ax.imshow(x_near[i], cmap="gray", extent=(0, 32, 0, 32))
                    ax.imshow(evidence[i], cmap="RdBu_r", alpha=0.6, extent=(0, 32, 0, 32), interpolation="bicubic")
                return figure""",
        "side by side, each filling its axes": """
            def plot_cams(indices):
                figure, axes = plt.subplots(len(indices), 2)
                for row, i in zip(axes, indices):
                    row[0].imshow(-x_near[i])
                    figure.colorbar(row[1].imshow(evidence[i], interpolation="gaussian", cmap="coolwarm"), ax=row[1])
                    row[1].set_title("D")
                plt.show()
                return figure""",
        "upsampled arrays, origin below": """
            from scipy.ndimage import zoom
            def plot_cams(indices):
                figure, axes = plt.subplots(2, 4)
                for column, i in zip(axes.T, indices):
                    column[0].imshow(x_near[i], origin="lower")
                    column[1].imshow(zoom(cams[i, ..., 1], 2, order=1, grid_mode=True, mode="nearest"), origin="lower")
                return figure""",
        "pcolormesh": """
            def plot_cams(indices):
                figure = plt.figure()
                for n, i in enumerate(indices):
                    ax = figure.add_subplot(2, 4, n + 1)
                    ax.pcolormesh(x_near[i] > 0)
                    ax = figure.add_subplot(2, 4, n + 5)
                    ax.pcolormesh(np.kron(evidence[i], np.ones((2, 2))), cmap="PuOr", vmin=-20, vmax=20)
                return figure""",
        "outlines and a warning": """
            def plot_cams(indices):
                figure, axes = plt.subplots(len(indices), 1, layout="none", figsize=(1, 1))
                for ax, i in zip(axes, indices):
                    ax.imshow(np.flipud(x_near[i]), extent=(0, 1, 0, 1), origin="lower")
                    ax.imshow(evidence[i], extent=(0, 1, 0, 1), interpolation="bilinear", alpha=0.5)
                    ax.contour(np.flipud(x_near[i]), levels=[0], extent=(0, 1, 0, 1), colors="k")
                figure.tight_layout(pad=9)
                return figure""",
    },
    "task-5": {"own words": 'answer = "Large domains argue for the ferromagnetic phase, dense walls against it. " * 6\ndisplay(Markdown(answer))'},
    "task-6": {
        "padding": """
            def local_energy(spins):
                p = np.pad(spins, ((0, 0), (1, 1), (1, 1)), mode="wrap")
                around = p[:, :-2, 1:-1] + p[:, 2:, 1:-1] + p[:, 1:-1, :-2] + p[:, 1:-1, 2:]
                return -0.5 * spins * around""",
        "convolution": """
            from scipy.ndimage import convolve
            def local_energy(spins):
                cross = np.array([[[0, 1, 0], [1, 0, 1], [0, 1, 0]]])
                return -spins * convolve(spins, cross, mode="wrap") / 2""",
        "bonds": """
            def local_energy(spins):
                e = np.zeros(spins.shape)
                for axis in (1, 2):
                    bond = -spins * np.roll(spins, -1, axis)
                    e += (bond + np.roll(bond, 1, axis)) / 2
                return e""",
    },
}

PLOT = """
    def plot_cams(indices):
        figure, axes = plt.subplots(len(indices), 2)
        for row, i in zip(axes, indices):
            row[0].imshow({spins})
            row[1].imshow({maps}, {style})
        return figure"""
NET = """
    feature_maps = keras.Model(model.inputs, model.get_layer({layer!r}).output).predict({lattices}, verbose=0)
    weights, bias = model.get_layer("phase").get_weights()"""


def net(layer="last_conv", lattices="x_near", then=""):
    return NET.format(layer=layer, lattices=lattices) + "\n    " + then


def plot(spins="x_near[i]", maps="evidence[i]", style="interpolation='bilinear'"):
    return PLOT.format(spins=spins, maps=maps, style=style)


def maps(cams, evidence="cams[..., 1] - cams[..., 0]"):
    return f"cams = {cams}\nevidence = {evidence}"


def choose(name, expression):
    return f"{name} = {expression}"


CAMS = "feature_maps @ weights + bias"
WRONG = [  # task, what is wrong, the word that names the fault, the answer
    ("task-1", "first convolution", "another layer", net("conv_1")),
    ("task-1", "convolution with the same shape", "another layer", net("conv_3")),
    ("task-1", "max pooling", "another layer", net("pool")),
    ("task-1", "average pooling", "pooling", net("gap")),
    ("task-1", "before the ReLU", "before the ReLU", net(then="""
    before = keras.Model(model.inputs, model.get_layer("conv_3").output).predict(x_near, verbose=0)
    kernel, offset = model.get_layer("last_conv").get_weights()
    feature_maps = np.array(keras.ops.conv(before, kernel, padding="same") + offset)""")),
    ("task-1", "all test lattices", "feed the lattices x_near", net(lattices="x_test[:1000]")),
    ("task-1", "other lattices", "other", net(lattices="x_test[:len(x_near)]")),
    ("task-1", "weights of another layer", "another layer", net(then="weights, bias = model.get_layer('last_conv').get_weights()")),
    ("task-1", "weights of an untrained network", "not that of the layer", net(then="weights = untrained.get_layer('phase').get_weights()[0]")),
    ("task-1", "weights transposed", "transposed", net(then="weights = weights.T")),
    ("task-1", "classes swapped", "swapped", net(then="weights, bias = weights[:, ::-1], bias[::-1]")),
    ("task-1", "bias doubled", "bias is not", net(then="bias = 2 * bias")),
    ("task-1", "bias zero", "bias is not", net(then="bias = 0 * bias")),
    ("task-1", "features first", "transposed", net(then="feature_maps = np.moveaxis(feature_maps, -1, 1)")),
    ("task-1", "x and y exchanged", "transposed", net(then="feature_maps = feature_maps.swapaxes(1, 2)")),
    ("task-1", "upside down", "upside down", net(then="feature_maps = feature_maps[:, ::-1]")),
    ("task-1", "rescaled", "rescaled", net(then="feature_maps = feature_maps / feature_maps.max(axis=(1, 2), keepdims=True).clip(1e-9)")),
    ("task-1", "left as the stub", "still empty", "del feature_maps"),
    ("task-2", "bias forgotten", "bias is forgotten", maps("feature_maps @ weights")),
    ("task-2", "bias added twice", "twice", maps("feature_maps @ weights + bias + bias")),
    ("task-2", "classes swapped", "swapped", maps("(feature_maps @ weights + bias)[..., ::-1]")),
    ("task-2", "weights swapped only", "swapped", maps("feature_maps @ weights[:, ::-1] + bias")),
    ("task-2", "weights in another order", "own weight", maps("feature_maps @ weights[::-1] + bias")),
    ("task-2", "softmax of the map", "softmax", maps(f"np.array(keras.ops.softmax({CAMS}))")),
    ("task-2", "sum in place of mean", "sum", maps("feature_maps @ weights / 256 + bias / 256")),
    ("task-2", "sum in place of mean, the other way", "sum", maps("256 * (feature_maps @ weights + bias)")),
    ("task-2", "positions summed away", "lost its positions", maps("feature_maps.sum(axis=(1, 2)) @ weights + bias", "cams[:, 1]")),
    ("task-2", "normalised to 0..1", "normalised", f"cams = {CAMS}\ncams = (cams - cams.min()) / np.ptp(cams)\nevidence = cams[..., 1] - cams[..., 0]"),
    ("task-2", "negative values cut off", "cut", maps(f"np.maximum({CAMS}, 0)")),
    ("task-2", "x and y exchanged", "transposed", maps(f"({CAMS}).swapaxes(1, 2)")),
    ("task-2", "class first", "transposed", maps(f"np.moveaxis({CAMS}, -1, 1)", "cams[:, 1] - cams[:, 0]")),
    ("task-2", "a constant in both classes", "alone", maps(f"{CAMS} + 1")),
    ("task-2", "evidence the wrong way round", "wrong sign", maps(CAMS, "cams[..., 0] - cams[..., 1]")),
    ("task-2", "evidence of one class", "not the difference", maps(CAMS, "cams[..., 1]")),
    ("task-2", "evidence averaged", "shape", maps(CAMS, "(cams[..., 1] - cams[..., 0]).mean(axis=(1, 2))")),
    ("task-2", "left as the stub", "still empty", "del cams"),
    ("task-3", "not near Tc", "not near Tc", choose("wrong_above", "np.where((T_test > 3) & right)[0][-1]")),
    ("task-3", "wrong side", "wrong side", choose("wrong_below", "wrong_above")),
    ("task-3", "not wrongly classified", "classified correctly", choose("wrong_above", "correct_above")),
    ("task-3", "not correctly classified", "classified wrongly", choose("correct_below", "wrong_below")),
    ("task-3", "index of another array", "index of another array", choose("correct_above", "next(i for i, _ in enumerate(x_near[T_near > T_C]) if T_near[i] < T_C)")),
    ("task-3", "negative index", "another array", choose("correct_above", "-1")),
    ("task-3", "a probability, not an index", "not one integer", choose("correct_below", "p_near[:, 1].min()")),
    ("task-3", "all of them", "not one integer", choose("wrong_below", "np.where(T_near < T_C)[0]")),
    ("task-3", "an array of one", "not one integer", choose("wrong_below", "np.array([wrong_below])")),
    ("task-3", "left as the stub", "missing", "del wrong_above"),
    ("task-4", "without upsampling", "upsampling", plot(style="")),
    ("task-4", "blocks on purpose", "upsampling", plot(style="interpolation='nearest'")),
    ("task-4", "transposed", "transposed", plot(maps="evidence[i].T")),
    ("task-4", "two origins", "do not line up", plot(style="interpolation='bilinear', origin='lower'")),
    ("task-4", "overlay without extent", "do not line up", """
    def plot_cams(indices):
        figure, axes = plt.subplots(1, len(indices))
        for ax, i in zip(axes, indices):
            ax.imshow(x_near[i])
            ax.imshow(evidence[i], interpolation="bilinear", alpha=0.5)
        return figure"""),
    ("task-4", "map of another lattice", "do not line up", """
    def plot_cams(indices):
        figure, axes = plt.subplots(1, len(indices))
        for ax, i, j in zip(axes, indices, np.roll(indices, 1)):
            ax.imshow(x_near[i], extent=EXTENT)
            ax.imshow(evidence[j], extent=EXTENT, interpolation="bilinear", alpha=0.5)
        return figure"""),
    ("task-4", "normalised to 0..1", "normalised", plot(maps="(evidence[i] - evidence[i].min()) / np.ptp(evidence[i])")),
    ("task-4", "no spins", "spins", plot(spins="evidence[i]")),
    ("task-4", "no maps", "no map", plot(maps="x_near[i]")),
    ("task-4", "something else", "neither", plot(maps="x_near[i].reshape(16, 2, 16, 2).mean(axis=(1, 3))")),
    ("task-4", "always the same lattice", "not in the figure", plot(spins="x_near[correct_below]", maps="evidence[correct_below]")),
    ("task-4", "nothing returned", "return", plot().replace("return figure", "plt.close(figure)")),
    ("task-4", "left as the stub", "still empty", "del plot_cams"),
    ("task-5", "left as the stub", "stub", f"answer = \"\"\"{STUB}\"\"\""),
    ("task-5", "empty", "still empty", "del answer"),
    ("task-5", "too short", "too short", "answer = 'The maps look nice.'"),
    ("task-6", "every bond twice", "twice", "local_energy_ = local_energy\ndef local_energy(spins): return 2 * local_energy_(spins)"),
    ("task-6", "sign", "sign is wrong", "local_energy_ = local_energy\ndef local_energy(spins): return -local_energy_(spins)"),
    ("task-6", "no periodic boundaries", "periodic", """
    def local_energy(spins):
        p = np.pad(spins, ((0, 0), (1, 1), (1, 1)))
        return -spins * (p[:, :-2, 1:-1] + p[:, 2:, 1:-1] + p[:, 1:-1, :-2] + p[:, 1:-1, 2:]) / 2"""),
    ("task-6", "two neighbours", "share each bond", "def local_energy(spins): return -spins * (np.roll(spins, 1, 1) + np.roll(spins, 1, 2))"),
    ("task-6", "lattices rolled", "other lattices", "def local_energy(spins): return -spins * sum(np.roll(spins, s, a) for s in (1, -1) for a in (0, 1)) / 2"),
    ("task-6", "whole lattice", "shape", "def local_energy(spins): return energy(spins)"),
    ("task-6", "energy without the bonds", "four bonds", "def local_energy(spins): return -1.0 * spins * np.roll(spins, 1, 1) / 2"),
    ("task-6", "left as the stub", "still empty", "del local_energy"),
]


def dedent(code):
    lines = code.strip("\n").split("\n")
    indent = len(lines[0]) - len(lines[0].lstrip())
    return "\n".join(line[indent:] if not line[:indent].strip() else line for line in lines)


def test_untouched_it_stops_at_the_first_blank(student):
    _, stopped, outputs = student
    assert stopped == "task-1-answer" and outputs[stopped]["error"] == "NotImplementedError: your code here"
    assert not any(out["error"] for id, out in outputs.items() if id != stopped)
    assert not any(out["stderr"] for out in outputs.values())


def test_filled_in_it_reaches_the_end(finished):
    _, outputs = finished
    assert not {id: out["error"] for id, out in outputs.items() if out["error"]}
    assert not {id: out["stderr"] for id, out in outputs.items() if out["stderr"]}
    assert all(f"Task {task[-1]}" in outputs[f"{task}-check"]["stdout"] for task in TASKS)


def test_each_blank_fails_with_words(finished):
    """A stub raises what the check of a student's notebook would show, also within a function."""
    kernel, _ = finished
    for id, cell in code_cells(EXERCISE).items():
        if id.endswith("-answer"):
            assert STUB in cell.source
            assert kernel.run(cell.source)["error"] == "NotImplementedError: your code here", id


@pytest.fixture(scope="session")
def check(finished, answers):
    """A function that runs an answer to a task and then its check, after everything else was answered rightly."""
    kernel, _ = finished
    cells = code_cells(EXERCISE)

    def run(task, code):
        for each in TASKS[: TASKS.index(task) + 1]:
            out = kernel.run(answers[f"{each}-answer"])
            assert not out["error"], out["error"]
        out = kernel.run(dedent(code))
        assert not out["error"], f"the answer itself fails: {out['error']}"
        return kernel.run(cells[f"{task}-check"].source)

    return run


@pytest.mark.parametrize("task, way", [(task, way) for task in RIGHT for way in RIGHT[task]])
def test_right_answer_passes(check, task, way):
    out = check(task, RIGHT[task][way])
    assert out == {"stdout": out["stdout"], "stderr": "", "error": ""}


@pytest.mark.parametrize("task, fault, word, code", WRONG, ids=[f"{task}: {fault}" for task, fault, _, _ in WRONG])
def test_wrong_answer_is_told_why(check, task, fault, word, code):
    out = check(task, code)
    assert out["error"].startswith("AssertionError: ") and word in out["error"], out["error"] or "it passes"


def test_other_right_ways_reach_the_end(student, finished):
    """With tensors in place of arrays, and other right answers, everything behind the tasks works as well."""
    kernel, _ = finished
    begun, other = False, {f"{task}-answer": dedent(list(ways.values())[-1]) for task, ways in RIGHT.items()}
    other["task-1-answer"] = dedent(RIGHT["task-1"]["keras.Model, tensors and variables"])
    other["task-4-answer"] += "\nfig = plot_cams([correct_below, correct_above, wrong_below, wrong_above])"
    for id, cell in code_cells(EXERCISE).items():
        begun |= id == student[1]
        if begun:
            out = kernel.run(other.get(id, cell.source))
            assert not out["error"], f"{id}: {out['error']}"


def test_memory_of_the_whole_notebook(finished):
    kernel, _ = finished
    assert 300 < kernel.peak < 1000
