"""Answers as real students would write them, and what their check should say.

CASES: task -> name -> (code, verdict, words, students). The verdict is True, False, or None where
either would do; words: a regular expression that a good line matches; students: how many of 200
write so, an estimate. The code stands in place of the line to be replaced or, behind a first line
"#whole", in place of the whole function or class.
"""

CASES = {
    "task-1": {
        "right: layer by layer, variables": (
            """
h = x_near
for layer in model.layers:
    h = layer(h)
    print(layer.name, h.shape)
    if layer.name == "last_conv":
        break
feature_maps = h
weights = model.layers[-1].kernel
bias = model.layers[-1].bias
""",
            True,
            "",
            8,
        ),
        "right: Sequential of the first layers, .numpy()": (
            """
first = keras.Sequential(model.layers[:-3])
feature_maps = first(x_near).numpy()
phase = model.get_layer(name="phase")
weights = phase.weights[0].numpy()
bias = phase.weights[1].numpy()
""",
            True,
            "",
            8,
        ),
        "x_test instead of x_near": (
            """
extractor = keras.Model(model.inputs, model.get_layer("last_conv").output)
feature_maps = extractor.predict(x_test, verbose=0)
weights, bias = model.get_layer("phase").get_weights()
""",
            False,
            "x_near|lattices|near",
            25,
        ),
        "symbolic: the layer's output": (
            """
feature_maps = model.get_layer("last_conv").output
weights, bias = model.get_layer("phase").get_weights()
""",
            False,
            "symbolic|feed|predict",
            30,
        ),
        "one lattice, as in the tutorials": (
            """
img = x_near[0:1]
extractor = keras.Model(model.inputs, model.get_layer("last_conv").output)
feature_maps = extractor.predict(img, verbose=0)
weights, bias = model.get_layer("phase").get_weights()
""",
            False,
            r"one lattice|all lattices|x_near|\(1, 16, 16, 32\)",
            12,
        ),
        "gap instead of last_conv": (
            """
extractor = keras.Model(model.inputs, model.layers[-3].output)
feature_maps = extractor.predict(x_near, verbose=0)
weights, bias = model.layers[-1].get_weights()
""",
            False,
            "gap|last_conv|mean|pool",
            10,
        ),
        "the layers typed anew, untrained": (
            """
extractor = keras.Sequential([
    keras.Input((32, 32)),
    keras.layers.Reshape((32, 32, 1)),
    keras.layers.Conv2D(16, 3, padding="same", activation="relu"),
    keras.layers.Conv2D(16, 3, padding="same", activation="relu"),
    keras.layers.MaxPooling2D(2),
    keras.layers.Conv2D(32, 3, padding="same", activation="relu"),
    keras.layers.Conv2D(32, 3, padding="same", activation="relu"),
])
feature_maps = extractor.predict(x_near, verbose=0)
weights, bias = model.get_layer("phase").get_weights()
""",
            False,
            "trained|weights of the model|another network|model",
            5,
        ),
        "transposed weights, as in PyTorch": (
            """
extractor = keras.Model(model.inputs, model.get_layer("last_conv").output)
feature_maps = extractor.predict(x_near, verbose=0)
weights, bias = model.get_layer("phase").get_weights()
weights = weights.T
""",
            False,
            r"transpos|\(2, 32\)",
            4,
        ),
        "model.input of old tutorials": (
            """
extractor = keras.Model(model.input, model.get_layer("last_conv").output)
feature_maps = extractor.predict(x_near, verbose=0)
weights, bias = model.get_layer("phase").get_weights()
""",
            None,
            "",
            25,
        ),
        "input of the layer": (
            """
extractor = keras.Model(model.inputs, model.get_layer("last_conv").input)
feature_maps = extractor.predict(x_near, verbose=0)
weights, bias = model.get_layer("phase").get_weights()
""",
            False,
            "conv_3|input|last_conv",
            3,
        ),
        "the last layer applied, pred instead of maps": (
            """
cam_model = keras.Model(model.inputs, [model.get_layer("last_conv").output, model.outputs[0]])
feature_maps = cam_model.predict(x_near, verbose=0)
weights, bias = model.get_layer("phase").get_weights()
""",
            False,
            "parts|unpack|list",
            10,
        ),
        "weights of gap": (
            """
extractor = keras.Model(model.inputs, model.get_layer("last_conv").output)
feature_maps = extractor.predict(x_near, verbose=0)
weights = np.array(model.get_layer("gap").get_weights())
bias = model.get_layer("phase").get_weights()[1]
""",
            False,
            "phase|dense",
            6,
        ),
        "bias forgotten": (
            """
extractor = keras.Model(model.inputs, model.get_layer("last_conv").output)
feature_maps = extractor.predict(x_near, verbose=0)
weights = model.get_layer("phase").get_weights()[0]
""",
            False,
            "bias is missing",
            20,
        ),
        "squeezed to one lattice": (
            """
extractor = keras.Model(model.inputs, [model.get_layer("last_conv").output, model.outputs[0]])
maps, preds = extractor.predict(x_near, verbose=0)
feature_maps = maps[0]
weights, bias = model.get_layer("phase").get_weights()
""",
            False,
            r"one lattice|\(16, 16, 32\)",
            8,
        ),
        "K.function": (
            """
from tensorflow.keras import backend as K
get_maps = K.function([model.layers[0].input], [model.get_layer("last_conv").output])
feature_maps = get_maps([x_near])[0]
weights, bias = model.layers[-1].get_weights()
""",
            None,
            "",
            8,
        ),
        "x_test[near]": (
            """
extractor = keras.Model(model.inputs, model.get_layer("last_conv").output)
feature_maps = extractor.predict(x_test[near])
dense = model.get_layer("phase")
weights, bias = np.array(dense.kernel), np.array(dense.bias)
""",
            True,
            "",
            6,
        ),
        "softmax removed in place": (
            """
model.layers[-1].activation = keras.activations.linear
extractor = keras.Model(model.inputs, model.get_layer("last_conv").output)
feature_maps = extractor.predict(x_near)
weights, bias = model.get_layer("phase").get_weights()
""",
            False,
            "model is no longer",
            5,
        ),
    },
    "task-2": {
        "right: tensorflow": (
            """
import tensorflow as tf
cams = tf.tensordot(feature_maps, weights, axes=1) + bias
evidence = tf.squeeze(tf.experimental.numpy.diff(cams, axis=-1), -1)
""",
            True,
            "",
            4,
        ),
        "class axis first": (
            """
cams = np.array([feature_maps @ weights[:, c] + bias[c] for c in range(2)])
evidence = cams[1] - cams[0]
""",
            False,
            r"class first|class comes last|axis|axes|\(2, \d+, 16, 16\)",
            20,
        ),
        "normalised to 0..1": (
            """
cams = feature_maps @ weights + bias
cams = (cams - cams.min()) / (cams.max() - cams.min())
evidence = cams[..., 1] - cams[..., 0]
""",
            False,
            "rescal|normal|scale|units",
            10,
        ),
        "evidence keeps an axis": (
            """
cams = feature_maps @ weights + bias
evidence = np.diff(cams, axis=-1)
""",
            False,
            "evidence.*(axis|shape)",
            8,
        ),
        "softmax per pixel": (
            """
z = feature_maps @ weights + bias
cams = np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True)
evidence = cams[..., 1] - cams[..., 0]
""",
            False,
            "softmax",
            6,
        ),
        "GradientTape on probabilities": (
            """
import tensorflow as tf
grad_model = keras.Model(model.inputs, [model.get_layer("last_conv").output, model.outputs[0]])
maps = []
for c in range(2):
    with tf.GradientTape() as tape:
        conv, pred = grad_model(x_near)
        score = pred[:, c]
    grads = tape.gradient(score, conv)
    pooled = tf.reduce_mean(grads, axis=(1, 2))
    maps.append(tf.reduce_sum(conv * pooled[:, None, None, :], axis=-1).numpy())
cams = np.stack(maps, axis=-1)
evidence = cams[..., 1] - cams[..., 0]
""",
            False,
            "gradient|Grad|logit|softmax|weights",
            6,
        ),
        "GradientTape on logits": (
            """
import tensorflow as tf
dense = model.get_layer("phase")
maps = []
for c in range(2):
    with tf.GradientTape() as tape:
        conv = tf.convert_to_tensor(feature_maps)
        tape.watch(conv)
        score = (tf.reduce_mean(conv, axis=(1, 2)) @ dense.kernel + dense.bias)[:, c]
    grads = tape.gradient(score, conv)
    pooled = tf.reduce_mean(grads, axis=(1, 2))
    maps.append(tf.reduce_sum(conv * pooled[:, None, None, :], axis=-1).numpy())
cams = np.stack(maps, axis=-1)
evidence = cams[..., 1] - cams[..., 0]
""",
            False,
            "factor|256|bias|gradient|weights",
            4,
        ),
        "each map by its own maximum": (
            """
cams = feature_maps @ weights + bias
cams = cams / np.abs(cams).max(axis=(1, 2), keepdims=True)
evidence = cams[..., 1] - cams[..., 0]
""",
            False,
            "rescal|normal|scale|units",
            6,
        ),
        "one lattice only": (
            """
cams = feature_maps[0] @ weights + bias
evidence = cams[..., 1] - cams[..., 0]
""",
            False,
            r"all|lattice|\(16, 16, 2\)",
            5,
        ),
        "rows and columns exchanged": (
            """
cams = (feature_maps @ weights + bias).transpose(0, 2, 1, 3)
evidence = cams[..., 1] - cams[..., 0]
""",
            False,
            "row|column|transpos|exchang",
            3,
        ),
        "bias the wrong way in the evidence": (
            """
cams = feature_maps @ weights + bias
evidence = feature_maps @ (weights[:, 1] - weights[:, 0]) + bias[0] - bias[1]
""",
            False,
            "bias",
            3,
        ),
        "evidence is M_para": (
            """
cams = feature_maps @ weights + bias
evidence = cams[..., 1]
""",
            False,
            "M_para|minus|difference|ferro",
            5,
        ),
        "D for the answer's name": (
            """
cams = feature_maps @ weights + bias
D = cams[..., 1] - cams[..., 0]
""",
            False,
            "evidence is missing",
            8,
        ),
        "the whole tutorial chain": (
            """
cams = np.zeros((len(x_near), 16, 16, 2))
for i in range(len(x_near)):
    for c in range(2):
        cam = np.dot(feature_maps[i], weights[:, c])
        cam = np.maximum(cam, 0)
        cam = cam / cam.max()
        cams[i, :, :, c] = cam
evidence = cams[..., 1] - cams[..., 0]
""",
            False,
            "cut|normal|rescal|bias|sign|units",
            10,
        ),
        "no bias and mean over k, as in Chollet": (
            """
cams = np.stack([np.mean(feature_maps * weights[:, c], axis=-1) for c in (0, 1)], axis=-1)
evidence = cams[..., 1] - cams[..., 0]
""",
            False,
            "mean|sum|bias",
            6,
        ),
        "copied line, bias[0] twice": (
            """
M_ferro = feature_maps @ weights[:, 0] + bias[0]
M_para = feature_maps @ weights[:, 1] + bias[0]
cams = np.stack((M_ferro, M_para), axis=3)
evidence = M_para - M_ferro
""",
            False,
            "bias",
            4,
        ),
        "upsampled to the lattice": (
            """
cams = (feature_maps @ weights + bias).repeat(2, axis=1).repeat(2, axis=2)
evidence = cams[..., 1] - cams[..., 0]
""",
            False,
            r"\(\d+, 32, 32, 2\)|upsampl|16",
            6,
        ),
        "absolute evidence for the winner": (
            """
cams = feature_maps @ weights + bias
evidence = np.abs(cams[..., 1] - cams[..., 0])
""",
            False,
            "sign",
            2,
        ),
        "predicted class only": (
            """
pred = p_near.argmax(axis=1)
all_maps = np.dot(feature_maps, weights) + bias
cams = np.array([all_maps[i, :, :, pred[i]] for i in range(len(pred))])
evidence = all_maps[..., 1] - all_maps[..., 0]
""",
            False,
            r"\(\d+, 16, 16\)|class",
            4,
        ),
        "the dense layer at each pixel": (
            """
dense = model.get_layer("phase")
cams = np.array(dense(feature_maps))
evidence = cams[..., 1] - cams[..., 0]
""",
            False,
            "softmax",
            5,
        ),
        "ReLU without bias": (
            """
cams = np.maximum(np.dot(feature_maps, weights), 0)
evidence = cams[..., 1] - cams[..., 0]
""",
            False,
            "cut|bias",
            8,
        ),
        "only positive weights": (
            """
cams = feature_maps @ np.maximum(weights, 0) + bias
evidence = cams[..., 1] - cams[..., 0]
""",
            False,
            "weights|negative|cut",
            2,
        ),
    },
    "task-3": {
        "right: surest, np.where with inf": (
            """
# those where the network is surest
correct_below = np.where(correct_near & below, p_para, np.inf).argmin()
correct_above = np.where(correct_near & ~below, p_para, -np.inf).argmax()
wrong_below = np.where(~correct_near & below, p_para, -np.inf).argmax()
wrong_above = np.where(~correct_near & ~below, p_para, np.inf).argmin()
""",
            True,
            "",
            45,
        ),
        "right: selection looked up again": (
            """
idx = np.arange(len(x_near))
# largest probability for the class it chose
conf = np.abs(p_para - 0.5)
def pick(mask):
    return int(idx[mask][np.argmax(conf[mask])])
correct_below = pick(below & correct_near)
correct_above = pick(~below & correct_near)
wrong_below = pick(below & ~correct_near)
wrong_above = pick(~below & ~correct_near)
""",
            True,
            "",
            30,
        ),
        "right: for loop with break": (
            """
# first in the list that fits, searching from the end
for i in range(len(x_near)):
    if T_near[i] < T_C and correct_near[i]:
        correct_below = i
    if T_near[i] > T_C and correct_near[i]:
        correct_above = i
    if T_near[i] < T_C and not correct_near[i]:
        wrong_below = i
    if T_near[i] > T_C and not correct_near[i]:
        wrong_above = i
""",
            True,
            "",
            15,
        ),
        "argwhere gives an array with one number": (
            """
correct_below = np.argwhere(below & correct_near)[0]
correct_above = np.argwhere(~below & correct_near)[0]
wrong_below = np.argwhere(below & ~correct_near)[0]
wrong_above = np.argwhere(~below & ~correct_near)[0]
""",
            None,
            "array|integer|one",
            12,
        ),
        "indices into x_test": (
            """
below_all = T_test < T_C
correct_below = np.flatnonzero(near & below_all & correct)[0]
correct_above = np.flatnonzero(near & ~below_all & correct)[0]
wrong_below = np.flatnonzero(near & below_all & ~correct)[0]
wrong_above = np.flatnonzero(near & ~below_all & ~correct)[0]
""",
            False,
            "x_near|index into|x_test",
            12,
        ),
        "correct (all test lattices) with below": (
            """
correct_below = np.flatnonzero(below & correct)[0]
correct_above = np.flatnonzero(~below & correct)[0]
wrong_below = np.flatnonzero(below & ~correct)[0]
wrong_above = np.flatnonzero(~below & ~correct)[0]
""",
            False,
            "missing|stopped",
            10,
        ),
        "below changed to the predicted side": (
            """
below = p_para < 0.5
correct_below = np.flatnonzero(below & correct_near)[0]
correct_above = np.flatnonzero(~below & correct_near)[0]
wrong_below = np.flatnonzero(below & ~correct_near)[0]
wrong_above = np.flatnonzero(~below & ~correct_near)[0]
""",
            False,
            "below|above|side|T =",
            5,
        ),
        "python and": (
            """
correct_below = np.argmax(below and correct_near)
correct_above = np.argmax(not below and correct_near)
wrong_below = np.argmax(below and not correct_near)
wrong_above = np.argmax(not below and not correct_near)
""",
            False,
            "missing|stopped",
            15,
        ),
        "near as a name of its own": (
            """
near = np.abs(p_para - 0.5)
correct_below = np.where(below & correct_near, near, -1).argmax()
correct_above = np.where(~below & correct_near, near, -1).argmax()
wrong_below = np.where(below & ~correct_near, near, -1).argmax()
wrong_above = np.where(~below & ~correct_near, near, -1).argmax()
""",
            False,
            "near is no longer",
            4,
        ),
        "sorted, the middle one": (
            """
# the median of p in each group
def middle(mask):
    order = [i for i in np.argsort(p_para) if mask[i]]
    return order[len(order) // 2]
correct_below, correct_above = middle(below & correct_near), middle(~below & correct_near)
wrong_below, wrong_above = middle(below & ~correct_near), middle(~below & ~correct_near)
""",
            True,
            "",
            6,
        ),
        "values of p instead of indices": (
            """
correct_below = p_para[below & correct_near].min()
correct_above = p_para[~below & correct_near].max()
wrong_below = p_para[below & ~correct_near].max()
wrong_above = p_para[~below & ~correct_near].min()
""",
            False,
            "integer|index",
            6,
        ),
    },
    "task-4": {
        "right: clim afterwards, origin, lanczos": (
            """
ax0, ax1, ax2, ax3 = axes
show_spins(ax0, x_near[i])
im1 = ax1.imshow(cams[i][:, :, 0], "PuOr", interpolation="lanczos", origin="upper", extent=[0, 32, 32, 0])
im2 = ax2.imshow(cams[i][:, :, 1], "PuOr", interpolation="lanczos", origin="upper", extent=[0, 32, 32, 0])
im3 = ax3.imshow(evidence[i], "PuOr", interpolation="lanczos", origin="upper", extent=[0, 32, 32, 0])
for im in (im1, im2, im3):
    im.set_clim(-limit, limit)
show_walls(ax3, x_near[i])
""",
            True,
            "",
            8,
        ),
        "right: CenteredNorm, walls first": (
            """
from matplotlib import colors
show_spins(axes[0], x_near[i])
maps = np.concatenate([cams[i], evidence[i][..., None]], axis=-1)
for k in range(3):
    axes[k + 1].imshow(maps[:, :, k], cmap="bwr", norm=colors.CenteredNorm(0, limit), extent=EXTENT, interpolation="hanning")
show_walls(axes[-1], x_near[i])
axes[-1].axis("off")
""",
            True,
            "",
            4,
        ),
        "plt.subplot and plt.imshow": (
            """
plt.subplot(1, 4, 1)
plt.imshow(x_near[i], cmap="Greys")
plt.subplot(1, 4, 2)
plt.imshow(cams[i, :, :, 0], cmap="RdBu", interpolation="bilinear", extent=EXTENT, vmin=-limit, vmax=limit)
plt.subplot(1, 4, 3)
plt.imshow(cams[i, :, :, 1], cmap="RdBu", interpolation="bilinear", extent=EXTENT, vmin=-limit, vmax=limit)
plt.subplot(1, 4, 4)
plt.imshow(evidence[i], cmap="RdBu", interpolation="bilinear", extent=EXTENT, vmin=-limit, vmax=limit)
show_walls(plt.gca(), x_near[i])
""",
            False,
            r"axes\[|plt",
            8,
        ),
        "no walls": (
            """
show_spins(axes[0], x_near[i])
for ax, m in zip(axes[1:], (cams[i, :, :, 0], cams[i, :, :, 1], evidence[i])):
    ax.imshow(m, cmap="RdBu", interpolation="bilinear", extent=EXTENT, vmin=-limit, vmax=limit)
""",
            False,
            "wall",
            15,
        ),
        "extent typed by hand, upside down": (
            """
show_spins(axes[0], x_near[i])
for ax, m in zip(axes[1:], (cams[i, :, :, 0], cams[i, :, :, 1], evidence[i])):
    ax.imshow(m, cmap="RdBu", interpolation="bilinear", extent=(0, 32, 0, 32), vmin=-limit, vmax=limit)
show_walls(axes[3], x_near[i])
""",
            False,
            "extent|EXTENT|upside|flip",
            8,
        ),
        "overlay on the spins": (
            """
show_spins(axes[0], x_near[i])
for ax, m in zip(axes[1:], (cams[i, :, :, 0], cams[i, :, :, 1], evidence[i])):
    ax.imshow(x_near[i], cmap="gray", extent=EXTENT)
    ax.imshow(m, cmap="RdBu", alpha=0.5, interpolation="bilinear", extent=EXTENT, vmin=-limit, vmax=limit)
show_walls(axes[3], x_near[i])
""",
            False,
            "image|one|overlay|alpha|spins|map",
            8,
        ),
        "ferro and para exchanged": (
            """
show_spins(axes[0], x_near[i])
for ax, m in zip(axes[1:], (cams[i, :, :, 1], cams[i, :, :, 0], evidence[i])):
    ax.imshow(m, cmap="RdBu", interpolation="bilinear", extent=EXTENT, vmin=-limit, vmax=limit)
show_walls(axes[3], x_near[i])
""",
            False,
            "ferro|para|exchang|swap",
            6,
        ),
        "own colour bar": (
            """
show_spins(axes[0], x_near[i])
for ax, m in zip(axes[1:], (cams[i, :, :, 0], cams[i, :, :, 1], evidence[i])):
    im = ax.imshow(m, cmap="RdBu", interpolation="bilinear", extent=EXTENT, vmin=-limit, vmax=limit)
    plt.colorbar(im, ax=ax)
show_walls(axes[3], x_near[i])
""",
            None,
            "colou?r ?bar",
            8,
        ),
        "plt.show at the end": (
            """
show_spins(axes[0], x_near[i])
for ax, m in zip(axes[1:], (cams[i, :, :, 0], cams[i, :, :, 1], evidence[i])):
    ax.imshow(m, cmap="RdBu", interpolation="bilinear", extent=EXTENT, vmin=-limit, vmax=limit)
show_walls(axes[3], x_near[i])
plt.show()
""",
            False,
            "plt.show",
            12,
        ),
        "viridis by default": (
            """
show_spins(axes[0], x_near[i])
for ax, m in zip(axes[1:], (cams[i, :, :, 0], cams[i, :, :, 1], evidence[i])):
    ax.imshow(m, interpolation="bilinear", extent=EXTENT, vmin=-limit, vmax=limit)
show_walls(axes[3], x_near[i])
""",
            False,
            "diverging|colour map|cmap|viridis",
            12,
        ),
        "walls before the map": (
            """
show_spins(axes[0], x_near[i])
show_walls(axes[3], x_near[i])
for ax, m in zip(axes[1:], (cams[i, :, :, 0], cams[i, :, :, 1], evidence[i])):
    ax.imshow(m, cmap="RdBu", interpolation="bilinear", extent=EXTENT, vmin=-limit, vmax=limit)
""",
            None,
            "",
            6,
        ),
        "no walls, no spins helper, everything default": (
            """
axes[0].imshow(x_near[i])
axes[1].imshow(cams[i, :, :, 0])
axes[2].imshow(cams[i, :, :, 1])
axes[3].imshow(evidence[i])
""",
            False,
            "extent|interpolation|scale|cmap|colour|wall",
            12,
        ),
        "cams without the index": (
            """
show_spins(axes[0], x_near[i])
for ax, m in zip(axes[1:], (cams[:, :, :, 0], cams[:, :, :, 1], evidence)):
    ax.imshow(m, cmap="RdBu", interpolation="bilinear", extent=EXTENT, vmin=-limit, vmax=limit)
show_walls(axes[3], x_near[i])
""",
            False,
            "shape|line",
            5,
        ),
        "hot": (
            """
show_spins(axes[0], x_near[i])
for ax, m in zip(axes[1:], (cams[i, :, :, 0], cams[i, :, :, 1], evidence[i])):
    ax.imshow(m, cmap="hot", interpolation="bilinear", extent=EXTENT, vmin=-limit, vmax=limit)
show_walls(axes[3], x_near[i])
""",
            False,
            "diverging|colour map|middle",
            12,
        ),
        "axes as a grid": (
            """
show_spins(axes[0, 0], x_near[i])
axes[0, 1].imshow(cams[i, :, :, 0], cmap="RdBu", interpolation="bilinear", extent=EXTENT, vmin=-limit, vmax=limit)
axes[0, 2].imshow(cams[i, :, :, 1], cmap="RdBu", interpolation="bilinear", extent=EXTENT, vmin=-limit, vmax=limit)
axes[0, 3].imshow(evidence[i], cmap="RdBu", interpolation="bilinear", extent=EXTENT, vmin=-limit, vmax=limit)
show_walls(axes[0, 3], x_near[i])
""",
            False,
            "line|indices",
            6,
        ),
        "walls of the evidence": (
            """
show_spins(axes[0], x_near[i])
for ax, m in zip(axes[1:], (cams[i, :, :, 0], cams[i, :, :, 1], evidence[i])):
    ax.imshow(m, cmap="RdBu", interpolation="bilinear", extent=EXTENT, vmin=-limit, vmax=limit)
show_walls(axes[3], evidence[i])
""",
            False,
            "wall",
            5,
        ),
        "only vmax": (
            """
show_spins(axes[0], x_near[i])
for ax, m in zip(axes[1:], (cams[i, :, :, 0], cams[i, :, :, 1], evidence[i])):
    ax.imshow(m, cmap="RdBu", interpolation="bilinear", extent=EXTENT, vmax=limit)
show_walls(axes[3], x_near[i])
""",
            False,
            "scale|limit|vmin",
            4,
        ),
        "repeated pixels by np.kron": (
            """
show_spins(axes[0], x_near[i])
for ax, m in zip(axes[1:], (cams[i, :, :, 0], cams[i, :, :, 1], evidence[i])):
    big = np.kron(m, np.ones((2, 2)))
    ax.imshow(big, cmap="RdBu", vmin=-limit, vmax=limit)
show_walls(axes[3], x_near[i])
""",
            False,
            r"16|as it is|imshow|\(32, 32\)",
            4,
        ),
        "walls on all maps": (
            """
show_spins(axes[0], x_near[i])
for ax, m in zip(axes[1:], (cams[i, :, :, 0], cams[i, :, :, 1], evidence[i])):
    ax.imshow(m, cmap="RdBu", interpolation="bilinear", extent=EXTENT, vmin=-limit, vmax=limit)
    show_walls(ax, x_near[i])
""",
            None,
            "wall",
            6,
        ),
        "normalised in place": (
            """
show_spins(axes[0], x_near[i])
for ax, m in zip(axes[1:], (cams[i, :, :, 0], cams[i, :, :, 1], evidence[i])):
    m -= m.min()
    m /= m.max()
    ax.imshow(m, cmap="RdBu", interpolation="bilinear", extent=EXTENT, vmin=0, vmax=1)
show_walls(axes[3], x_near[i])
""",
            False,
            "changes|copy|normal|scale",
            5,
        ),
        "index forgotten, first lattice": (
            """
show_spins(axes[0], x_near[i])
for ax, m in zip(axes[1:], (cams[0, :, :, 0], cams[0, :, :, 1], evidence[0])):
    ax.imshow(m, cmap="RdBu", interpolation="bilinear", extent=EXTENT, vmin=-limit, vmax=limit)
show_walls(axes[3], x_near[i])
""",
            False,
            "lattice|i = ",
            4,
        ),
        "PiYG, Spectral": (
            """
show_spins(axes[0], x_near[i])
for ax, m in zip(axes[1:], (cams[i, :, :, 0], cams[i, :, :, 1], evidence[i])):
    ax.imshow(m, cmap="Spectral", interpolation="bicubic", extent=EXTENT, vmin=-limit, vmax=limit)
show_walls(axes[3], x_near[i])
""",
            True,
            "",
            5,
        ),
    },
    "task-5": {
        "right: Markdown list with formula, raw": (
            r'''
answer = r"""
- **Row 1**: $D<0$ where spins agree, domain walls are few.
- **Row 2**: $D>0$ at walls $\sum_{ij}$, small domains, much thermal fluctuation.
- **Row 3, 4**: wrong ones look like the other phase, so their energy is untypical and I would have said the same as the network from the spins alone.
"""
''',
            True,
            "",
            50,
        ),
        "right: in Chinese": (
            """
answer = "第一行的晶格几乎全部自旋一致，畴壁很少，D 为负，网络认为是铁磁相。第二行有很多小畴和热涨落，D 为正，网络认为是顺磁相。判断错误的晶格看起来像另一相：低于临界温度却有许多畴壁，高于临界温度却有一个大畴。如果只看自旋，我也会判断错误，因为在临界温度附近两边都会出现这样的构型，局域有序的程度相近。"
""",
            None,
            "",
            3,
        ),
        "print instead of a string": (
            '''
answer = print("""In the first row the lattice has one large domain and few walls. There D is negative nearly everywhere, so the network sees local order and says ferromagnetic. In the second row there are many small domains and thermal fluctuations, D is positive. The wrong ones look like the other phase: below Tc a lattice with many domain walls, above Tc one with a large domain. I would have been wrong, too, because near Tc both kinds occur on both sides.""")
''',
            False,
            "string|None|NoneType|str",
            3,
        ),
        "one sentence": (
            """
answer = "The wrong ones look like the other phase."
""",
            False,
            "letters|120|short|long",
            20,
        ),
    },
    "task-6": {
        "right: loops with modulo": (
            """
n, h, w = spins.shape
e = np.zeros((n, h, w))
for i in range(h):
    for j in range(w):
        s = spins[:, i, j]
        e[:, i, j] = -0.5 * s * (spins[:, (i + 1) % h, j] + spins[:, i - 1, j]
                                 + spins[:, i, (j + 1) % w] + spins[:, i, j - 1])
return e
""",
            True,
            "",
            12,
        ),
        "minus forgotten": (
            """
down = np.roll(spins, -1, axis=1)
left = np.roll(spins, 1, axis=2)
right = np.roll(spins, -1, axis=2)
return 0.5 * spins * (up + down + left + right)
""",
            False,
            "sign|minus",
            15,
        ),
        "not multiplied by the spin": (
            """
down = np.roll(spins, -1, axis=1)
left = np.roll(spins, 1, axis=2)
right = np.roll(spins, -1, axis=2)
return -0.5 * (up + down + left + right)
""",
            False,
            "s_i|spin|multipl|product|itself",
            10,
        ),
        "summed to the total energy": (
            """
down = np.roll(spins, -1, axis=1)
left = np.roll(spins, 1, axis=2)
right = np.roll(spins, -1, axis=2)
return np.sum(-0.5 * spins * (up + down + left + right), axis=(1, 2))
""",
            False,
            "shape|sum|site",
            8,
        ),
        "divided by four": (
            """
down = np.roll(spins, -1, axis=1)
left = np.roll(spins, 1, axis=2)
right = np.roll(spins, -1, axis=2)
return -spins * (up + down + left + right) / 4
""",
            False,
            "half|2|factor|four|mean",
            8,
        ),
        "no return": (
            """
down = np.roll(spins, -1, axis=1)
left = np.roll(spins, 1, axis=2)
right = np.roll(spins, -1, axis=2)
e = -0.5 * spins * (up + down + left + right)
""",
            False,
            "None|return",
            8,
        ),
        "only up and down": (
            """
down = np.roll(spins, -1, axis=1)
return -0.5 * spins * (up + down)
""",
            False,
            "two|four|left|right|neighbour",
            10,
        ),
        "only up": (
            """
return -0.5 * spins * up
""",
            False,
            "four|neighbour|up",
            4,
        ),
        "2d kernel": (
            """
from scipy.ndimage import convolve
kernel = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]])
return -0.5 * spins * convolve(spins, kernel, mode="wrap")
""",
            False,
            "line|convolve|weights",
            4,
        ),
        "diagonal neighbours": (
            """
a = np.roll(spins, (1, 1), axis=(1, 2))
b = np.roll(spins, (1, -1), axis=(1, 2))
c = np.roll(spins, (-1, 1), axis=(1, 2))
d = np.roll(spins, (-1, -1), axis=(1, 2))
return -0.5 * spins * (a + b + c + d)
""",
            False,
            "diagonal|neighbour",
            3,
        ),
        "the given line twice, 8 neighbours": (
            """
e = up * spins
for ax in (1, 2):
    for shift in (1, -1):
        e += spins * np.roll(spins, shift, axis=ax)
return -e / 2
""",
            False,
            "twice|up|neighbour",
            5,
        ),
        "up twice, not down": (
            """
down = np.roll(spins, 1, axis=1)
left = np.roll(spins, 1, axis=2)
right = np.roll(spins, -1, axis=2)
return -0.5 * spins * (up + down + left + right)
""",
            False,
            "twice|below|down|above",
            6,
        ),
        "half of two bonds, up and left": (
            """
left = np.roll(spins, 1, axis=2)
return -spins * (up + left) / 2
""",
            False,
            "two|four",
            6,
        ),
        "all on axis 1": (
            """
down = np.roll(spins, -1, axis=1)
left = np.roll(spins, 2, axis=1)
right = np.roll(spins, -2, axis=1)
return -0.5 * spins * (up + down + left + right)
""",
            False,
            "axis|left|right|neighbour",
            2,
        ),
        "loops, sum over the lattices, too": (
            """
e = np.zeros((32, 32))
for i in range(32):
    for j in range(32):
        s = spins[i, j]
        e[i, j] = -0.5 * s * (spins[(i + 1) % 32, j] + spins[i - 1, j] + spins[i, (j + 1) % 32] + spins[i, j - 1])
return e
""",
            False,
            "line|n, 32|shape|lattice",
            8,
        ),
        "x_near instead of the argument": (
            """
down = np.roll(x_near, -1, axis=1)
left = np.roll(x_near, 1, axis=2)
right = np.roll(x_near, -1, axis=2)
return -0.5 * x_near * (up + down + left + right)
""",
            False,
            "line|x_near|broadcast",
            6,
        ),
        "in place": (
            """
nb = up + np.roll(spins, -1, axis=1) + np.roll(spins, 1, axis=2) + np.roll(spins, -1, axis=2)
spins *= -0.5 * nb
return spins
""",
            False,
            "changes the spins",
            3,
        ),
        "returns H of the lattice by energy per bond, axis 0 and 2": (
            """
up, down = np.roll(spins, 1, axis=0), np.roll(spins, -1, axis=0)
left, right = np.roll(spins, 1, axis=1), np.roll(spins, -1, axis=1)
return -spins * (up + down + left + right) / 2
""",
            False,
            "axis",
            8,
        ),
    },
    "task-7": {
        "right: shifted, -1 background": (
            """
specks = -np.ones_like(stripes)
specks[2::4, 1::4] *= -1
""",
            True,
            "",
            15,
        ),
        "right: every second row, every eighth column": (
            """
specks = np.full((32, 32), 1)
specks[::2, ::8] = -1
""",
            True,
            "",
            10,
        ),
        "right: random until it fits": (
            """
rng = np.random.default_rng(1)
specks = np.ones((32, 32))
while energy(specks[None])[0] < energy(stripes[None])[0]:
    i, j = rng.integers(0, 32, 2)
    nb = specks[i - 1, j] + specks[(i + 1) % 32, j] + specks[i, j - 1] + specks[i, (j + 1) % 32]
    if specks[i, j] == 1 and nb == 4:
        specks[i, j] = -1
""",
            True,
            "",
            8,
        ),
        "alias of stripes": (
            """
specks = stripes
specks[:] = 1
specks[::4, ::4] = -1
""",
            False,
            "stripes.*(copy|new|no longer|changed|same)",
            12,
        ),
        "random places, some neighbours": (
            """
rng = np.random.default_rng(SEED)
specks = np.ones(32 * 32)
specks[rng.choice(32 * 32, 64, replace=False)] = -1
specks = specks.reshape(32, 32)
""",
            False,
            "neighbour|energy|edges",
            12,
        ),
        "whole rows": (
            """
specks = np.ones((32, 32))
specks[::8] = -1
""",
            False,
            "single|neighbour|rows|speck",
            8,
        ),
        "0 and 1": (
            """
specks = np.ones((32, 32))
specks[::4, ::4] = 0
""",
            False,
            r"\+1|-1|0",
            6,
        ),
        "chessboard": (
            """
specks = np.indices((32, 32)).sum(axis=0) % 2 * 2 - 1
""",
            False,
            "energy|edges|ordered|neighbour",
            5,
        ),
        "diagonal, one in 16": (
            """
specks = np.ones((32, 32))
for k in range(32):
    specks[k, k] = -1
    specks[k, (k + 16) % 32] = -1
""",
            True,
            "",
            4,
        ),
        "compared, not assigned": (
            """
specks = np.ones((32, 32))
specks[::4, ::4] == -1
""",
            False,
            "energy|edges|64|0 ",
            3,
        ),
        "alias with only the flips": (
            """
specks = stripes
specks[::4, ::4] = -1
""",
            False,
            "stripes.*(copy|new|no longer|changed|same)",
            8,
        ),
        "shuffled copy of the stripes": (
            """
specks = np.random.default_rng(0).permutation(stripes.ravel()).reshape(32, 32)
""",
            False,
            "neighbour|ordered|energy",
            4,
        ),
        "flips with *= at doubled places": (
            """
specks = np.ones((32, 32))
for k in range(64):
    i, j = np.random.default_rng(k).integers(0, 32, 2)
    specks[i, j] *= -1
""",
            False,
            "neighbour|energy",
            4,
        ),
    },
    "task-8": {
        "right: as with the rows": (
            """
x = keras.ops.concatenate([x[:, :, -1:], x, x[:, :, :1]], axis=2)
return x
""",
            True,
            "",
            130,
        ),
        "right: names for the columns": (
            """
left_col = x[:, :, :1]
right_col = x[:, :, -1:]
out = keras.ops.concatenate((right_col, x, left_col), 2)
return out
""",
            True,
            "",
            15,
        ),
        "right: turned, rows, turned back": (
            """
x = keras.ops.transpose(x, (0, 2, 1, 3))
x = keras.ops.concatenate([x[:, -1:], x, x[:, :1]], axis=1)
return keras.ops.transpose(x, (0, 2, 1, 3))
""",
            True,
            "",
            4,
        ),
        "axis not changed": (
            """
x = keras.ops.concatenate([x[:, :, -1:], x, x[:, :, :1]], axis=1)
return x
""",
            False,
            "axis",
            20,
        ),
        "colon forgotten": (
            """
x = keras.ops.concatenate([x[:, :, -1], x, x[:, :, 0]], axis=2)
return x
""",
            False,
            "axis|colon|rank|dimension|ndim",
            20,
        ),
        "size 32 built in": (
            """
x = keras.ops.concatenate([x[:, :, 31:32], x, x[:, :, 0:1]], axis=2)
return x
""",
            False,
            "size|16|width",
            5,
        ),
        "only one side": (
            """
x = keras.ops.concatenate([x, x[:, :, :1]], axis=2)
return x
""",
            False,
            "left|one column|shape|width",
            5,
        ),
        "zeros": (
            """
x = keras.ops.pad(x, ((0, 0), (0, 0), (1, 1), (0, 0)))
return x
""",
            False,
            "zero",
            6,
        ),
        "ops.pad with wrap": (
            """
x = keras.ops.pad(x, [[0, 0], [0, 0], [1, 1], [0, 0]], mode="wrap")
return x
""",
            None,
            "mode|wrap",
            12,
        ),
        "ops.pad on all, rows too": (
            '''
#whole
class Wrap(keras.layers.Layer):
    """Continue pictures periodically by one site on each side."""

    def call(self, x):
        h, w = x.shape[1], x.shape[2]
        big = keras.ops.tile(x, (1, 3, 3, 1))
        return big[:, h - 1:2 * h + 1, w - 1:2 * w + 1, :]
''',
            True,
            "",
            4,
        ),
        "last column on both sides": (
            """
x = keras.ops.concatenate([x[:, :, -1:], x, x[:, :, -1:]], axis=2)
return x
""",
            False,
            "right|first|column",
            5,
        ),
        "concatenate without list": (
            """
x = keras.ops.concatenate(x[:, :, -1:], x, x[:, :, :1], axis=2)
return x
""",
            False,
            "argument|line|concatenate",
            6,
        ),
        "second and last but one (reflect)": (
            """
x = keras.ops.concatenate([x[:, :, 1:2], x, x[:, :, -2:-1]], axis=2)
return x
""",
            False,
            "column|left|right|period|mirror",
            3,
        ),
        "ops.roll and slices": (
            """
rolled = keras.ops.roll(x, 1, axis=2)
return keras.ops.concatenate([rolled, x[:, :, -2:]], axis=2)
""",
            False,
            "column|left|right|order|period",
            2,
        ),
        "ops.pad with reflect": (
            """
x = keras.ops.pad(x, ((0, 0), (0, 0), (1, 1), (0, 0)), mode="reflect")
return x
""",
            False,
            "column|left|right|period|reflect",
            5,
        ),
        "forum code with its own rows, no corners": (
            """
#whole
class Wrap(keras.layers.Layer):
    def call(self, x):
        top = x[:, -1:]
        bottom = x[:, :1]
        left = keras.ops.pad(x[:, :, -1:], ((0, 0), (1, 1), (0, 0), (0, 0)))
        right = keras.ops.pad(x[:, :, :1], ((0, 0), (1, 1), (0, 0), (0, 0)))
        x = keras.ops.concatenate([top, x, bottom], axis=1)
        return keras.ops.concatenate([left, x, right], axis=2)
""",
            False,
            "corner|beyond|period|edge",
            4,
        ),
        "__init__ without super": (
            """
#whole
class Wrap(keras.layers.Layer):
    def __init__(self, pad=1):
        self.pad = pad

    def call(self, x):
        p = self.pad
        x = keras.ops.concatenate([x[:, -p:], x, x[:, :p]], axis=1)
        return keras.ops.concatenate([x[:, :, -p:], x, x[:, :, :p]], axis=2)
""",
            False,
            "super",
            3,
        ),
        "as NumPy array back to tensor": (
            """
a = keras.ops.convert_to_numpy(x)
a = np.concatenate([a[:, :, -1:], a, a[:, :, :1]], axis=2)
return keras.ops.convert_to_tensor(a)
""",
            False,
            "NumPy|symbolic",
            4,
        ),
    },
}
