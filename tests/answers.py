"""Right and wrong answers to the tasks, and what their checks say: the tables of test_exercise.py.

RIGHT: task -> name -> code. WRONG: task -> words of the check's line -> name -> code. The code
stands in place of the line to be replaced or, if it begins with def, class or del, in place of
the whole function or class. Every other task is answered as in the solution. answers_of_students.py
has more of them, with how many students write so.
"""

import textwrap

STUB = "raise Stop('your code here')  # replace this line"

LAYER = "keras.Model(model.inputs, model.get_layer({!r}).output)"
LAST = LAYER.format("last_conv")
PHASE = 'weights, bias = model.get_layer("phase").get_weights()'
TASK_1 = f"feature_maps = {LAST}.predict(x_near, verbose=0)\n{PHASE}\n"
CAMS = "feature_maps @ weights + bias"
D = "cams[..., 1] - cams[..., 0]"
GOOD = "good = (p_near[:, 1] > 0.5) == (T_near > T_C)"
TASK_3 = """
correct_below = np.where(below, p_para, np.inf).argmin()
wrong_below = np.where(below, p_para, -np.inf).argmax()
correct_above = np.where(~below, p_para, -np.inf).argmax()
wrong_above = np.where(~below, p_para, np.inf).argmin()
"""
NAMES = "correct_below, correct_above, wrong_below, wrong_above"
WALLS = "show_walls(axes[3], x_near[i])"
MAPS = ("cams[i][..., 0]", "cams[i][..., 1]", "evidence[i]")
FOUR = [(1, 1), (-1, 1), (1, 2), (-1, 2)]  # steps and axes
SUM = "sum(np.roll(spins, step, axis) for step in (1, -1) for axis in (1, 2))"
PADDED = """
p = np.pad(spins, ((0, 0), (1, 1), (1, 1)), mode={!r})
return -spins * (p[:, :-2, 1:-1] + p[:, 2:, 1:-1] + p[:, 1:-1, :-2] + p[:, 1:-1, 2:]) / 2
"""
KERAS_PAD = "return keras.ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode={!r})"
NOISY = r"raise ValueError('\x1b[31mred\x1b[0m\nsecond line\n' + 300 * 'long ')"
TO_STDERR = """
import logging, sys, warnings
print("to stderr", file=sys.stderr)
logging.getLogger().warning("logged")
warnings.warn("warned")
"""


def maps(cams, evidence=D):
    """Return an answer to Task 2."""
    return f"cams = {cams}\nevidence = {evidence}"


def changed(change):
    """Return an answer to Task 2 whose cams are changed afterwards."""
    return f"cams = {CAMS}\ncams = {change}\nevidence = {D}"


def row(spins="show_spins(axes[0], x_near[i])", what=MAPS, then=WALLS, **style):
    """Return a draw_row: spins, three arrays with the arguments of imshow, and the walls."""
    defaults = {"vmin": "-limit", "vmax": "limit", "extent": "EXTENT"}
    defaults |= {"interpolation": "'bilinear'", "cmap": "'PuOr'"}
    arguments = [f"{name}={value}" for name, value in (defaults | style).items() if value]
    keywords = ", ".join(arguments)
    lines = [f"axes[{k}].imshow({array}, {keywords})" for k, array in enumerate(what, start=1)]
    return "\n".join([spins, *lines, then])


def each(change):
    """Return a draw_row whose three arrays are changed alike."""
    return row(what=[change.format(array) for array in MAPS])


def last(array):
    """Return a draw_row with another array on its last axes."""
    return row(what=(*MAPS[:2], array))


def energy(steps, factor="/ 2"):
    """Return a local_energy that adds up rolled copies, given by (step, axis)."""
    neighbours = " + ".join(f"np.roll(spins, {step}, {axis})" for step, axis in steps)
    return f"return -spins * ({neighbours}) {factor}"


def whole_layer(code):
    """Return a Wrap whose call is code from its beginning; the notebook's has its rows already."""
    head = '''class Wrap(keras.layers.Layer):
    """Continue pictures (n, height, width, channels) periodically by one site on each side."""

    def call(self, x):
'''
    return head + textwrap.indent(textwrap.dedent(code).strip("\n"), 8 * " ")


def wrap(
    rows="x[:, -1:], x, x[:, :1]",
    columns="x[:, :, -1:], x, x[:, :, :1]",
    begin="",
    end="return x",
):
    """Return a Wrap that puts rows together, and then columns."""
    lines = [begin]
    if rows:
        lines.append(f"x = keras.ops.concatenate([{rows}], axis=1)")
    if columns:
        lines.append(f"x = keras.ops.concatenate([{columns}], axis=2)")
    return whole_layer("\n".join([*lines, end]))


def speckled(*slices, start="np.ones((32, 32))", value=-1):
    """Return an answer to Task 7: an ordered lattice with spins flipped in slices."""
    lines = [f"specks[{where}] = {value}" for where in slices]
    return "\n".join([f"specks = {start}", *lines])


RIGHT = {
    "task-1": {
        "a new input, layer calls": """
            h = start = keras.Input((32, 32))
            for name in ("image", "conv_1", "conv_2", "pool", "conv_3", "last_conv"):
                h = model.get_layer(name)(h)
            feature_maps = keras.Model(start, h).predict(x_near, verbose=0)
            weights, bias = model.get_weights()[-2:]""",
        "keras.Model, tensors and variables": f"""
            feature_maps = {LAST}(x_near)
            weights, bias = model.get_layer("phase").kernel, model.get_layer("phase").bias""",
        "layer by layer": f"""
            h = x_near
            for layer in model.layers:
                h = layer(h)
                if layer.name == "last_conv":
                    feature_maps = h.numpy()
            {PHASE}""",
        "a model with several outputs, in batches": f"""
            parts = keras.Model(model.inputs, [layer.output for layer in model.layers])
            starts = range(0, len(x_near), 100)
            feature_maps = np.concatenate([parts(x_near[i : i + 100])[5] for i in starts])
            {PHASE}""",
        "Keras by its name within TensorFlow": f"""
            from tensorflow import keras
            feature_maps = {LAST}(x_near)
            {PHASE}""",
        "with the network's output, as for Grad-CAM": f"""
            both = keras.Model(model.inputs, [model.get_layer("last_conv").output, *model.outputs])
            feature_maps, _ = both.predict(x_near, verbose=0)
            {PHASE}""",
        "float64": "feature_maps, weights, bias = (a + 0.0 for a in (feature_maps, weights, bias))",
        "float16": """
            feature_maps = feature_maps.astype("float16")
            weights, bias = weights.astype("float16"), bias.astype("float16")""",
        "lists": "feature_maps, weights, bias = list(feature_maps), weights.tolist(), list(bias)",
        "check as a variable": TASK_1 + "check = feature_maps.shape == (len(x_near), 16, 16, 32)",
        "log_odds as a variable": TASK_1 + "log_odds = np.log(p_near[:, 1] / p_near[:, 0])",
        "leftovers of the loops and figures": TASK_1
        + "i = T = wrong = means = there = fig = axes = levels_ = epochs = side = shape = None",
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
        "a list, lattice by lattice": """
            cams = [(f.reshape(256, 32) @ weights + bias).reshape(16, 16, 2) for f in feature_maps]
            evidence = [m[:, :, 1] - m[:, :, 0] for m in cams]
            cams = np.array(cams)""",
        "the evidence from the difference of the weights": f"""
            cams = {CAMS}
            evidence = feature_maps @ (weights[:, 1] - weights[:, 0]) + bias[1] - bias[0]""",
        "the mean over k, times 32": maps(
            "32 * (feature_maps[..., None] * weights).mean(axis=3) + bias"
        ),
        "stack": maps("np.stack([feature_maps @ weights[:, c] + bias[c] for c in (0, 1)], -1)"),
        "tensors": maps("keras.ops.matmul(feature_maps, weights) + bias"),
        "float16": maps("np.float16(feature_maps) @ np.float16(weights) + np.float16(bias)"),
        "check = the identity": maps(CAMS)
        + "\ncheck = np.allclose(evidence.mean(axis=(1, 2)), log_odds, atol=0.01)",
    },
    "task-3": {
        "the first of each kind": f"""
            {GOOD}
            correct_below = np.where(good & (T_near < T_C))[0][0]
            correct_above = int(np.flatnonzero(good & (T_near > T_C))[0])
            below_and_wrong = (T_near < T_C) & (p_near[:, 1] > 0.5)
            wrong_below = [i for i in range(len(x_near)) if below_and_wrong[i]][0]
            wrong_above = np.array(np.where(~good & (T_near > T_C))[0][0])""",
        "negative, of other types": """
            correct_below, correct_above = correct_below - len(x_near), np.int16(correct_above)""",
        "tensors": "wrong_below = keras.ops.convert_to_tensor(wrong_below)",
        "the least confident": f"""
            unsure = np.argsort(np.abs(p_near[:, 1] - 0.5))
            {GOOD}
            kinds = [(low, ok) for ok in (True, False) for low in (True, False)]
            {NAMES} = (
                next(i for i in unsure if (T_near[i] < T_C) == low and good[i] == ok)
                for low, ok in kinds)""",
        "p_para and below changed in place": """
            correct_below = np.where(below, p_para, 2).argmin()
            wrong_below = np.where(below, p_para, -1).argmax()
            p_para[below] = 2
            wrong_above = p_para.argmin()
            below[:] = ~below
            correct_above = np.where(below, p_para, -1).argmax()""",
    },
    "task-4": {
        "another colour map, bicubic": row(cmap="'RdBu_r'", interpolation="'bicubic'"),
        "yellow in the middle": row(cmap="'RdYlBu'"),
        "dark in the middle": row(cmap="'berlin' if 'berlin' in plt.colormaps() else 'PuOr'"),
        "alpha, gaussian": row(interpolation="'gaussian'", alpha="0.7"),
        "a norm": row(
            vmin="", vmax="", norm="plt.matplotlib.colors.TwoSlopeNorm(0, -limit, limit)"
        ),
        "another norm": row(vmin="", vmax="", norm="plt.Normalize(-limit, limit)"),
        "walls first": row(f"{WALLS}\nshow_spins(axes[0], x_near[i])", then="pass"),
        "walls everywhere": row(then="for ax in axes: show_walls(ax, x_near[i])"),
        "own spins, other sign": row("axes[0].imshow(-x_near[i], cmap='gray', extent=EXTENT)"),
        "own spins, no extent": row("axes[0].imshow(x_near[i] > 0)"),
        "current axes": row("plt.sca(axes[0])\nplt.imshow(x_near[i], extent=EXTENT)"),
        "clipped to the scale": each("np.clip({}, -limit, limit)"),
        "float64, a list": each("np.asarray({}, dtype=float).tolist()"),
        "titles, ticks, aspect, a colour bar": row(
            then="""
for ax in axes:
    ax.set(title=f"{i}", xticks=[0, 32], aspect="equal")
plt.colorbar(axes[1].images[0], ax=axes[1])
"""
            + WALLS
        ),
        "returns something": row(then=f"{WALLS}\nreturn axes"),
        "array and origin both turned": row(
            what=["cams[i][::-1, :, 0]", "cams[i][::-1, :, 1]", "evidence[i][::-1]"],
            origin="'lower'",
        ),
        "writes to stderr": TO_STDERR + row(),
    },
    "task-5": {
        "own words": 'answer = "Large domains argue for ferromagnetic, walls against it. " * 6',
        "Chinese": """
            answer = (
                '第一行的晶格温度低于临界温度,网络判断正确:大块磁畴内部的区域支持铁磁相,'
                '畴壁密集的区域支持顺磁相。网络的预测是整张图的平均值,即有序面积与无序面积的权衡。'
                '被错判的晶格并非网络误读,而是由于热涨落,它们看起来更像另一相:'
                '低于临界温度的晶格畴壁过多,高于临界温度的晶格却有大块磁畴。')""",
        "quotes the stub's words": """
            answer = 'Where it said "your code here" I write: domains are ferromagnetic. ' * 6""",
    },
    "task-6": {
        "padding": PADDED.format("wrap"),
        "convolution": """
            from scipy.ndimage import convolve
            cross = np.array([[[0, 1, 0], [1, 0, 1], [0, 1, 0]]])
            return -spins * convolve(spins, cross, mode="wrap") / 2""",
        "bonds": """
            e = np.zeros(spins.shape)
            for axis in (1, 2):
                bond = -spins * np.roll(spins, -1, axis)
                e += (bond + np.roll(bond, 1, axis)) / 2
            return e""",
        "indices": """
            on, back = (np.arange(32) + 1) % 32, np.arange(32) - 1
            around = spins[:, on] + spins[:, back] + spins[:, :, on] + spins[:, :, back]
            return -0.5 * spins * around""",
        "small integers": "spins = spins.astype(np.int8)\n" + energy(FOUR, "// 2"),
        "a tensor": f"return keras.ops.convert_to_tensor(-spins * {SUM} / 2)",
        "a list, lattice by lattice": """
            steps = [(k, a) for k in (1, -1) for a in (0, 1)]
            return [-s * sum(np.roll(s, k, a) for k, a in steps) / 2 for s in spins]
            """,
        "writes to stderr": TO_STDERR + energy(FOUR),
    },
    "task-7": {
        "every other row, every eighth column": speckled("::2, ::8"),
        "staggered": speckled("::4, ::8", "2::4, 4::8"),
        "the other ground state": speckled("1::4, 2::4", start="-np.ones((32, 32))", value="+1"),
        "a list of integers": """
            specks = [[-1 if y % 4 == x % 4 == 0 else 1 for x in range(32)] for y in range(32)]""",
        "a tensor": "specks = keras.ops.convert_to_tensor(specks)",
        "at random": """
            rng, specks = np.random.default_rng(3), np.ones((32, 32))
            while (specks < 0).sum() < 64:
                y, x = rng.integers(32, size=2)
                around = [specks[y, x], specks[y - 1, x], specks[y, x - 1]]
                around += [specks[(y + 1) % 32, x], specks[y, (x + 1) % 32]]
                if min(around) > 0:
                    specks[y, x] = -1""",
    },
    "task-8": {
        "take": whole_layer("""
            for axis in (1, 2):
                size = x.shape[axis]
                x = keras.ops.take(x, np.arange(-1, size + 1) % size, axis=axis)
            return x"""),
        "columns first": whole_layer("""
            x = keras.ops.concatenate([x[:, :, -1:], x, x[:, :, :1]], axis=2)
            return keras.ops.concatenate([x[:, -1:], x, x[:, :1]], axis=1)"""),
        "roll": whole_layer("""
            x = keras.ops.concatenate([keras.ops.roll(x, 1, axis=1), x[:, -1:], x[:, :1]], axis=1)
            y = keras.ops.roll(x, 1, axis=2)
            return keras.ops.concatenate([y, x[:, :, -1:], x[:, :, :1]], axis=2)"""),
        "tile": whole_layer("""
            (_, h, w, _), tiles = x.shape, keras.ops.tile(x, (1, 3, 3, 1))
            return tiles[:, h - 1 : 2 * h + 1, w - 1 : 2 * w + 1]"""),
        "writes to stderr": wrap(begin=TO_STDERR),
        "tf.concat, a constructor, build": """
            class Wrap(keras.layers.Layer):
                def __init__(self, **kwargs):
                    super().__init__(**kwargs)
                def build(self, shape):
                    self.pad = 1
                def call(self, x):
                    import tensorflow as tf
                    x = tf.concat([x[:, -self.pad :], x, x[:, : self.pad]], 1)
                    return tf.concat([x[:, :, -self.pad :], x, x[:, :, : self.pad]], 2)""",
        "the columns": "return keras.ops.concatenate([x[:, :, -1:], x, x[:, :, :1]], axis=2)",
    },
}

WRONG = {
    "task-1": {
        "feature_maps is a symbolic tensor": {
            "symbolic": 'feature_maps = model.get_layer("last_conv").output',
        },
        "feature_maps is no array of numbers, but of the type Functional": {
            "a model, not fed": f"feature_maps = {LAST}",
        },
        "feature_maps is None": {"None": "feature_maps = print()"},
        "feature_maps is that of one lattice only: leave out an index": {
            "only the first": "feature_maps = feature_maps[0]",
        },
        "feature_maps has the shape": {
            "first convolution": f"feature_maps = {LAYER.format('conv_1')}(x_near)",
            "less lattices": "feature_maps = feature_maps[:100]",
        },
        "feature_maps is what 'conv_3' puts out": {
            "another convolution": f"feature_maps = {LAYER.format('conv_3')}(x_near)",
        },
        "feature_maps is a mean over the positions": {
            "average pooling": f"feature_maps = {LAYER.format('gap')}(x_near)",
            "mean": "feature_maps = feature_maps.mean(axis=(1, 2))",
        },
        "feature_maps is a mean over the lattices": {
            "mean": "feature_maps = feature_maps.mean(axis=0)",
        },
        "feature_maps is divided by its maximum": {
            "rescaled": "feature_maps = feature_maps / feature_maps.max()",
        },
        "feature_maps has its rows and columns exchanged": {
            "exchanged": "feature_maps = feature_maps.swapaxes(1, 2)",
        },
        "feature_maps is not what 'last_conv' of model puts out for x_near": {
            "other lattices": f"feature_maps = {LAST}(x_test[: len(x_near)])",
            "before the ReLU": f"""
                kernel, offset = model.get_layer("last_conv").get_weights()
                before = {LAYER.format("conv_3")}(x_near)
                feature_maps = np.array(keras.ops.conv(before, kernel, padding="same") + offset)""",
            "an untrained network": f"""
                fresh = keras.models.clone_model(model)
                feature_maps = {LAST.replace("model.", "fresh.")}(x_near)
                weights, bias = fresh.get_layer("phase").get_weights()""",
            "wrong reshape": """
                feature_maps = feature_maps.transpose(0, 3, 1, 2).reshape(feature_maps.shape)""",
        },
        " values are off, the first at [3, 4, 5, 6]": {
            "one number changed": "feature_maps[3, 4, 5, 6] += 1",
        },
        "feature_maps is not what 'last_conv' of model puts out for x_near: 1 of its ": {
            "one number changed": "feature_maps[3, 4, 5, 6] += 1",
        },
        "feature_maps has 1 values that are NaN or infinite": {
            "one NaN": "feature_maps[3, 4, 5, 6] = np.nan",
        },
        "feature_maps is missing": {"left empty": "del feature_maps"},
        "weights is no array of numbers, but of the type list with 2 parts: unpack or join": {
            "not unpacked": 'weights = model.get_layer("phase").get_weights()',
        },
        "weights is the bias": {"exchanged": "bias, weights = weights, bias"},
        "weights has the shape (3, 3, 32, 32), not (32, 2): it is to be that of": {
            "of another layer": "weights, bias = model.get_layer('last_conv').get_weights()",
        },
        "weights is 1 times what it should be, plus 1": {
            "a constant added": "weights = weights + 1"
        },
        "weights is not that of the layer 'phase'": {
            "random": "weights = np.random.default_rng(0).normal(size=(32, 2))",
        },
        "weights is transposed": {"transposed": "weights = weights.T"},
        "weights has its classes swapped": {"swapped": "weights = weights[:, ::-1]"},
        "bias is not that of the layer 'phase'": {"doubled": "bias = 2 * bias"},
        "bias has its classes swapped": {"swapped": "bias = bias[::-1]"},
        "bias is missing": {"left out": "del bias"},
        "model is no longer the network that gave p_near": {
            "trained anew": "model.set_weights([w + 0.1 for w in model.get_weights()])",
            "model.pop": f"""
                {PHASE}
                for _ in range(3):
                    model.pop()
                feature_maps = model.predict(x_near, verbose=0)""",
            "softmax set to linear": "model.get_layer('phase').activation = None\n" + TASK_1,
        },
        "model is no longer what the notebook gave": {"replaced": f"model = {LAST}"},
        "x_near is no longer what the notebook gave": {
            "reversed": "x_near = x_near[::-1]",
            "a channel axis": "x_near = x_near[..., None]\n" + TASK_1,
            "a tensor": "x_near = keras.ops.convert_to_tensor(x_near)\n" + TASK_1,
        },
        "np is no longer what the notebook gave": {"np": TASK_1 + "np = feature_maps"},
    },
    "task-2": {
        "cams lacks the bias of each class": {
            "without": maps("feature_maps @ weights"),
            "sum of the biases": maps("feature_maps @ weights + bias.sum()"),
        },
        "cams has a wrong factor or bias": {
            "subtracted": maps("feature_maps @ weights - bias"),
            "twice": maps(f"{CAMS} + bias"),
            "mean over k": maps("(feature_maps[..., None] * weights).mean(axis=3) + bias"),
            "z-score": changed("(cams - cams.mean(axis=(0, 1, 2))) / cams.std(axis=(0, 1, 2))"),
        },
        "cams has the bias 32 times": {
            "for every feature": maps("(feature_maps[..., None] * weights + bias).sum(axis=3)"),
        },
        "cams has its two classes swapped": {"swapped": maps(f"({CAMS})[..., ::-1]")},
        "cams has the weights of its two classes swapped": {
            "weights swapped": maps("feature_maps @ weights[:, ::-1] + bias"),
        },
        "cams is shifted or rescaled, each map by itself": {
            "mean removed": changed("cams - cams.mean(axis=(1, 2), keepdims=True)"),
            "normalised": changed(
                "(cams - cams.min((1, 2), keepdims=True)) / np.ptp(cams, (1, 2), keepdims=True)"
            ),
            "by its maximum": changed("cams / np.abs(cams).max(axis=(1, 2, 3), keepdims=True)"),
        },
        "cams is scaled to 0..1": {"normalised": changed("(cams - cams.min()) / np.ptp(cams)")},
        "cams is divided by its maximum": {"maximum": changed("cams / cams.max()")},
        "cams is cut off at 0: ": {"ReLU": maps(f"np.maximum({CAMS}, 0)")},
        "cams is cut off at 0, and lacks the bias": {
            "ReLU without bias": maps("np.maximum(feature_maps @ weights, 0)"),
        },
        "it has no negative values, but there are both signs": {
            "sigmoid": maps(f"1 / (1 + np.exp(-({CAMS})))")
        },
        "cams has lost its sign": {"absolute value": maps(f"np.abs({CAMS})")},
        "cams is a softmax": {"softmax": maps(f"np.array(keras.ops.softmax({CAMS}))")},
        "cams has its rows and columns exchanged": {
            "exchanged": maps(f"({CAMS}).swapaxes(1, 2)"),
        },
        "cams has its class before row and column": {
            "class second": maps(f"np.moveaxis({CAMS}, -1, 1)", "cams[:, 1] - cams[:, 0]"),
        },
        "cams has its class first": {
            "two arrays": maps(f"np.moveaxis({CAMS}, -1, 0)", "cams[1] - cams[0]"),
        },
        "cams is a mean over the positions": {"logits": maps(f"({CAMS}).mean(axis=(1, 2))")},
        "cams is M_para only": {
            "one class": maps("feature_maps @ weights[:, 1] + bias[1]", "cams"),
        },
        "cams has the shape": {"not summed": maps("feature_maps * weights[:, 1]", "cams[..., 1]")},
        "values that are NaN or infinite": {"divided by 0": maps(f"({CAMS}) / 0")},
        "cams is not the sum over k": {
            "w_0": maps("(feature_maps @ weights[:, 0])[..., None] + bias"),
            "only positive weights": maps("feature_maps @ np.maximum(weights, 0) + bias"),
            "one lattice changed": maps(CAMS) + "\ncams[7] *= 1.5",
        },
        "evidence has the wrong sign": {"sign": maps(CAMS, "cams[..., 0] - cams[..., 1]")},
        "evidence has lost its sign": {"no sign": maps(CAMS, f"np.abs({D})")},
        "evidence is the sum of the two maps": {"sum": maps(CAMS, "cams.sum(axis=-1)")},
        "evidence is only M_ferro": {"class 0": maps(CAMS, "cams[..., 0]")},
        "evidence is only M_para": {"class 1": maps(CAMS, "cams[..., 1]")},
        "evidence is half of what it should be": {"half": maps(CAMS, f"({D}) / 2")},
        "evidence has the bias of one class only": {
            "forgotten in one": maps(
                CAMS, "feature_maps @ weights[:, 1] + bias[1] - feature_maps @ weights[:, 0]"
            ),
            "the other one": maps(CAMS, "feature_maps @ weights[:, 1] - cams[..., 0]"),
        },
        "evidence lacks the bias": {
            "no bias": maps(CAMS, "feature_maps @ (weights[:, 1] - weights[:, 0])"),
        },
        "evidence has the bias twice": {"twice": maps(CAMS, f"{D} + bias[1] - bias[0]")},
        "evidence is a mean over the positions": {"mean": maps(CAMS, f"({D}).mean(axis=(1, 2))")},
        "evidence has an axis too many": {"diff": maps(CAMS, "np.diff(cams)")},
        "evidence is not M_para - M_ferro": {
            "of probabilities": maps(CAMS, f"np.tanh(({D}) / 2)"),
            "the ratio": maps(CAMS, "cams[..., 1] / cams[..., 0]"),
            "of the predicted class": maps(
                CAMS, "np.where(p_near[:, 1, None, None] > 0.5, cams[..., 1], cams[..., 0])"
            ),
        },
        "evidence is missing": {"left out": "del evidence"},
        "cams is missing": {"left empty": "del cams"},
        "feature_maps is what 'conv_3' puts out": {
            "only feature_maps wrong": f"feature_maps = {LAYER.format('conv_3')}(x_near)\n"
            + maps(CAMS),
        },
    },
    "task-3": {
        "is to be below Tc and wrong, but is: T = 2.3 (above Tc)": {
            "wrong side": "wrong_below = wrong_above",
        },
        "is to be above Tc and wrong, but is: T = 2.3 (above Tc)": {
            "not wrong": "wrong_above = correct_above",
        },
        "is to be below Tc and correct, but is: T = 2.2 (below Tc)": {
            "not correct": "correct_below = wrong_below",
        },
        "is to be below Tc and correct, but is: T = 2.3 (above Tc)": {
            "below and above exchanged": f"""
                {NAMES} = correct_above, correct_below, wrong_above, wrong_below""",
        },
        "is a position in a selection, np.flatnonzero(selection)[": {
            "a position in a selection": """
                kind = ~below & correct_near
                correct_above = next(k for k in range(kind.sum()) if not kind[k])""",
        },
        "what you put in for the others may have won": {
            "zeros win": "correct_below = np.where(below & correct_near, p_near[:, 1], 0).argmin()",
        },
        "is no index of x_near": {
            "index of the test set": """
                correct_above = np.where((np.abs(T_test - T_C) < NEAR) & correct)[0][-1]""",
            "negative, out of range": "correct_above = -len(x_near) - 1",
        },
        "is of the type float32: an index is an integer": {
            "a probability": "correct_below = p_near[:, 1].min()",
        },
        "is of the type float: an index is an integer": {
            "a float": "correct_below = float(correct_below)",
        },
        "wrong_below is an array or list of ": {
            "all of them": "wrong_below = np.where(T_near < T_C)[0]",
            "a mask": "wrong_below = (T_near < T_C) & ~correct_near",
            "an array of one": "wrong_below = np.array([wrong_below])",
            "np.where of one": "wrong_below = np.where(np.arange(len(x_near)) == wrong_below)",
        },
        "wrong_below is None": {"None": "wrong_below = print()"},
        "wrong_above is missing": {"left empty": "del wrong_above"},
        "correct_near is no longer what the notebook gave": {
            "as indices": "correct_near = np.flatnonzero(correct_near)\n" + TASK_3,
        },
        "x_near is no longer what the notebook gave": {
            "cut": TASK_3 + "x_near, T_near = x_near[below], T_near[below]",
        },
        "levels is no longer what the notebook gave": {
            "of the lattices near Tc": TASK_3 + "levels = np.unique(T_near)",
        },
        "sum hides Python's own sum: run `del sum`": {"sum": TASK_3 + "sum = p_para.sum()"},
    },
    "task-4": {
        "axes[1] (M_ferro) is drawn in blocks, not upsampled smoothly": {
            "without upsampling": row(interpolation=""),
            "blocks on purpose": row(interpolation="'nearest'"),
        },
        "axes[1] (M_ferro) has a picture of shape (32, 32): give imshow the map itself": {
            "upsampled by SciPy": "from scipy.ndimage import zoom\n" + each("zoom({}, 2, order=1)"),
            "spins for a map": row(what=("x_near[i]", *MAPS[1:])),
        },
        "axes[1] (M_ferro) has a picture of shape (16, 2)": {
            "lattice before class": row(what=("cams[i][0]", "cams[i][1]", "evidence[i]")),
        },
        "axes[1] (M_ferro) hides a part of its picture behind a mask": {
            "masked": each("np.ma.masked_less({}, 0)"),
        },
        "(M_ferro) has its rows and columns exchanged": {"T": each("np.transpose({})")},
        "(M_ferro) is upside down": {
            "upside down": each("{}[::-1]"),
            "origin below": row(origin="'lower'"),
        },
        "(M_ferro) has its row 0 at y = 32, not at y = 0: give imshow extent=EXTENT": {
            "y upwards": row(extent="(0, 32, 0, 32)"),
        },
        "(M_ferro) has the wrong sign": {"sign": each("-{}")},
        "(M_ferro) is cut off at 0": {"cut": each("np.maximum({}, 0)")},
        "(M_ferro) is divided by its maximum": {"normalised": each("{0} / np.abs({0}).max()")},
        "(M_ferro) is scaled to 0..1": {
            "normalised": each("({0} - {0}.min()) / np.ptp({0})"),
        },
        "(M_ferro) is M_para: the order is": {
            "columns exchanged": row(what=(MAPS[1], MAPS[0], MAPS[2])),
        },
        "(M_ferro) is D: the order is": {"thrice": row(what=3 * ("evidence[i]",))},
        "(D) is M_para: the order is": {"the class for D": last(MAPS[1])},
        "(D) has lost its sign": {"without its sign": last("np.abs(evidence[i])")},
        "(D) has the wrong sign": {"sign of D": last("-evidence[i]")},
        "(M_ferro) is that of lattice 7, not": {
            "another lattice": row(what=("cams[7][..., 0]", "cams[7][..., 1]", "evidence[7]")),
        },
        "times what it should be, plus": {"divided by limit": each("{0} / limit")},
        "(D) is not D of lattice i": {"noise": last("np.random.normal(size=(16, 16))")},
        "axes[1] (M_ferro) lies at (-0.5, 15.5": {"no extent": row(extent="")},
        "axes[1] (M_ferro) lies at (0.0, 16.0": {"its own extent": row(extent="(0, 16, 16, 0)")},
        "axes[3] does not show 0 to 32 sites": {
            "turned": row(then=f"{WALLS}\naxes[3].invert_yaxis()"),
        },
        "axes[2] does not show 0 to 32 sites": {
            "a part": row(then=f"{WALLS}\naxes[2].set_xlim(0, 16)"),
        },
        "axes[1] (M_ferro) is not on one linear scale from -limit to limit": {
            "forgotten": row(vmin="", vmax=""),
            "one for each": row(
                vmin="-np.abs(evidence[i]).max()", vmax="np.abs(evidence[i]).max()"
            ),
            "fixed numbers": row(vmin="-20", vmax="20"),
        },
        "axes[3] (D) is not on one linear scale": {
            "SymLogNorm on D": row().replace(
                "evidence[i], vmin=-limit, vmax=limit,",
                "evidence[i], norm=plt.matplotlib.colors.SymLogNorm(1, vmin=-limit, vmax=limit),",
            ),
        },
        "has the colour map jet, which is not a diverging one": {"jet": row(cmap="'jet'")},
        "has the colour map turbo, which is not a diverging one": {"turbo": row(cmap="'turbo'")},
        "the colour map twilight, which is not a diverging one": {
            "same ends": row(cmap="'twilight'")
        },
        "axes[0] (spins) does not show x_near[i]": {
            "a map": row("axes[0].imshow(evidence[i])"),
            "always the same": "i = 0\n" + row(),
            "transposed": row("show_spins(axes[0], x_near[i].T)"),
        },
        "axes[3] (D) has other walls than those": {
            "of another lattice": row(then="show_walls(axes[3], x_near[7])"),
        },
        "axes[3] (D) has no walls": {"elsewhere": row(then="show_walls(axes[0], x_near[i])")},
        "axes[3] (D) holds 2 images: draw only the one that belongs there": {
            "spins over D": row(then=f"{WALLS}\nshow_spins(axes[3], x_near[i])"),
        },
        "axes[0] (spins) holds no image: draw it with axes[0].imshow, not with plt": {
            "plt.imshow": f"for array in (x_near[i], {', '.join(MAPS)}):\n    plt.imshow(array)",
            "nothing": "pass",
            "closed again": "figure, axes = plt.subplots(1, 4)\n" + row(then="plt.close(figure)"),
        },
        "draw_row shows or closes the figure, or makes one of its own": {
            "plt.close": row(then=f"{WALLS}\nplt.close()"),
            "a figure of its own": "figure, axes = plt.subplots(1, 4)\n" + row(),
        },
        "read-only; what is given stays as it is: work on a copy": {
            "spins changed": "x_near[i] *= -1\n" + row(),
            "maps changed": "evidence[i] /= limit\n" + row(),
        },
        "draw_row stops: ValueError": {"scale turned over": row(vmin="limit", vmax="-limit")},
        "draw_row stops in line 4, `axes[1].imshow(cams[i], ": {
            "both classes at once": row(what=("cams[i]", "cams[i]", "evidence[i]")),
        },
        "NameError: name 'evidenze' is not defined": {"a slip": last("evidenze[i]")},
        "draw_row stops: TypeError: draw_row() takes 2 positional arguments": {
            "two arguments": "def draw_row(axes, i):\n    pass",
        },
        "`sys.exit('stop')`: SystemExit: stop": {"sys.exit": "import sys\nsys.exit('stop')"},
        "ValueError: red second line long long": {"lines and colours": row(then=NOISY)},
        "draw_row is missing": {"left empty": "del draw_row"},
        "cams is missing": {"no maps yet": "del cams\n" + "\n"},
    },
    "task-5": {
        "answer still holds the line that it should replace": {
            "the stub as text": f'answer = """{STUB} {60 * "word "}"""',
        },
        "answer is missing": {"empty": "del answer"},
        "letters, too few": {"no text": "answer = ''", "no letters": "answer = 300 * '42 '"},
        "answer is of the type list": {"a list": "answer = 60 * ['word ']"},
        "type hides Python's own type: run `del type`": {"type": "type = 3\nundefined"},
        "str hides Python's own str: run `del str`": {
            "str as a variable": "str = 'Large domains are ferromagnetic. ' * 6\nanswer = str",
        },
    },
    "task-6": {
        "returns counts each bond twice": {"every bond twice": energy(FOUR, "")},
        "returns is half of what it should be": {"a quarter": energy(FOUR, "/ 4")},
        "returns has the wrong sign": {"sign": energy(FOUR, "/ -2")},
        "returns has two whole bonds": {"two neighbours": energy([(1, 1), (1, 2)], "")},
        "factors 0.5 (up), 0.5 (down), 1 (left): it is 1/2 for up, down, left and right": {
            "left twice": energy([(1, 1), (-1, 1), (1, 2), (1, 2)]),
        },
        "factors 1 (up), 1 (right)": {
            "two others": energy([(1, 1), (-1, 2)], ""),
        },
        "0.5 (down), 0.5 (left), 0.5 (lattice before)": {
            "three axes": energy([(-1, 1), (1, 2), (1, 0)]),
        },
        "returns leaves out left and right": {"rows only": energy(FOUR[:2])},
        "returns is 0.5 times what it should be, plus -1": {
            "like ones": f"return -sum(spins == np.roll(spins, s, a) for s, a in {FOUR}) / 2",
        },
        "returns lacks s_i": {"s_i forgotten": f"return -{SUM} / 2"},
        "returns lacks -s_i": {"neighbours alone": f"return {SUM} / 2"},
        "returns takes neighbours along axis 0": {
            "lattices rolled": energy([(1, 0), (-1, 0), (1, 1), (-1, 1)]),
        },
        "returns is the energy of whole lattices": {"whole": "return energy(spins)"},
        "returns has the shape (), not (3, 32, 32)": {"one number": "return spins.sum()"},
        "returns is not half of the bond energies with the four neighbours": {
            "zeros beyond": PADDED.format("constant"),
            "reflected at the edges": PADDED.format("reflect"),
            "rolled without an axis": energy([(1, None), (-1, None), (1, 1), (-1, 1)]),
        },
        "returns is no array of numbers, but of the type tuple with 2 parts": {
            "with the energy": f"e = -spins * {SUM} / 2\nreturn e, e.sum(axis=(1, 2))",
        },
        "local_energy returns nothing": {"no return": f"e = -spins * {SUM} / 2"},
        "read-only; what is given stays as it is: work on a copy": {
            "in place": f"spins *= -{SUM} / 2\nreturn spins",
        },
        "local_energy stops in line 4, `return -spin`: NameError: name 'spin'": {
            "a slip": "return -spin",
        },
        "local_energy stops: TypeError: local_energy() takes 0 positional": {
            "no argument": "def local_energy():\n    return 1",
        },
        "local_energy is missing": {"left empty": "del local_energy"},
        "energy is no longer what the notebook gave": {
            "energy as an array": f"""
                def local_energy(spins):
                    return -spins * {SUM} / 2
                energy = local_energy(x_near).sum(axis=(1, 2))""",
        },
    },
    "task-7": {
        "specks has 16 flipped spins and the energy -1920, not -1536": {
            "too few": speckled("::8, ::8"),
        },
        "specks has 256 flipped spins and the energy 0, not -1536": {
            "too many": speckled("::2, ::2"),
        },
        "specks has 0 flipped spins and the energy -2048": {"ordered": speckled()},
        "pair(s) of flipped spins that are neighbours": {
            "across the boundary": speckled("0, ::4", "31, ::4", "4:28:4, ::4"),
        },
        "specks is stripes at 100% of its sites": {"stripes": "specks = stripes.copy()"},
        "specks is stripes at 94% of its sites": {
            "flips on stripes": "specks = stripes.copy()\nspecks[::4, ::4] *= -1",
        },
        "specks is stripes itself": {"another name": "specks = stripes"},
        "values that are neither -1 nor +1": {
            "0 and 1": speckled("::4, ::4", value=0),
            "flipped by -=": speckled("::4, ::4", value="-2"),
        },
        "specks has the shape (1, 32, 32), not (32, 32)": {"n": "specks = specks[None]"},
        "specks is missing": {"left empty": "del specks"},
        "specks is None": {"None": "specks = print()"},
        "stripes is no longer what the notebook gave: run its cell again": {
            "stripes made anew": "specks, stripes = specks, np.ones((32, 32))",
        },
    },
    "task-8": {
        "returns has zeros around it": {"zeros": whole_layer(KERAS_PAD.format("constant"))},
        "returns has column 0 of x at its left and column 8 at its right": {
            "columns exchanged": wrap(columns="x[:, :, :1], x, x[:, :, -1:]"),
        },
        "returns has column 7 of x at its left and column 1 at its right": {
            "columns off by one": wrap(columns="x[:, :, -2:-1], x, x[:, :, 1:2]"),
        },
        "returns has columns of zeros": {
            "zeros in the columns": wrap(
                columns="", end="return keras.ops.pad(x, ((0, 0), (0, 0), (1, 1), (0, 0)))"
            ),
        },
        "returns is not x, of any size, with what the periodic lattice has": {
            "reflected": whole_layer(KERAS_PAD.format("reflect")),
            "rows exchanged": wrap("x[:, :1], x, x[:, -1:]"),
            "both at the right": wrap(columns="x, x[:, :, :1], x[:, :, -1:]"),
        },
        "returns has the shape (2, 7, 9, 3), not (2, 7, 11, 3)": {
            "rows only": wrap(columns=""),
            "no columns": "return x",
        },
        "returns has the shape (2, 9, 9, 3), not (2, 7, 11, 3)": {
            "rows again": "return keras.ops.concatenate([x[:, -1:], x, x[:, :1]], axis=1)",
        },
        "an index without a colon takes an axis away, x[:, :, :1] keeps it": {
            "no slices": "return keras.ops.concatenate([x[:, :, -1], x, x[:, :, 0]], axis=2)",
        },
        "along all axes but that of axis= the pieces have to agree": {
            "axis 1": "return keras.ops.concatenate([x[:, :, -1:], x, x[:, :, :1]], axis=1)",
        },
        "returns is x: nothing is added": {"nothing": whole_layer("return x")},
        "returns has the shape (2, 9, 13, 3), not (2, 7, 11, 3)": {
            "by two": wrap("x[:, -2:], x, x[:, :2]", "x[:, :, -2:], x, x[:, :, :2]"),
        },
        "Within a network (symbolic tensors, no NumPy) Wrap stops in line 5, `return np.pad(": {
            "NumPy": whole_layer("return np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode='wrap')"),
        },
        "; within a network there are no numbers yet: stay with keras.ops": {
            "x.numpy()": wrap("x.numpy()[:, -1:], x, x[:, :1]"),
        },
        "; how many pictures there are is not known yet: let reshape take -1": {
            "its length": wrap(
                columns="keras.ops.reshape(x[:, :, -1:], (*x.shape[:2], 1, -1)), x, x[:, :, :1]"
            ),
        },
        "Within a network (symbolic tensors, no NumPy) Wrap claims the shape (5, 9, 3)": {
            "a compute_output_shape that lies": wrap().replace(
                "    def call",
                "    def compute_output_shape(self, shape):\n        return shape\n\n    def call",
            ),
        },
        "returns has the shape (1, 7, 11, 2), not (1, 8, 6, 2)": {
            "one size only": whole_layer("""
                return keras.ops.take(
                    keras.ops.take(x, np.arange(-1, 6) % x.shape[1], axis=1),
                    np.arange(-1, 10) % x.shape[2], axis=2)"""),
        },
        "Wrap returns nothing": {"no return": wrap(end="")},
        "returns is no array of numbers, but of the type tuple": {"two": wrap(end="return x, 1")},
        "Wrap is no kind of layer": {
            "a function": "def Wrap(x):\n    return x",
            "a layer, not a class": "del Wrap\nWrap = keras.layers.Identity()",
        },
        "Wrap stops: TypeError": {
            "self forgotten": "class Wrap(keras.layers.Layer):\n    def call(x):\n        return x",
        },
        "Wrap has no method call": {
            "no call": "class Wrap(keras.layers.Layer):\n    def cal(self, x):\n        return x",
        },
        "Wrap is missing": {"left empty": "del Wrap"},
    },
}
