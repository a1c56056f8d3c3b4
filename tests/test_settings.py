"""What a user's own settings do to the notebook: nothing, but for a shorter training."""

import base64
import io
import json

import matplotlib.image
import numpy as np
from conftest import EXERCISE, Kernel, code_cells

# Up to Task 4, without training, on which none of this depends; and what draws the training.
CELLS = "start setup data load-now split show model test near checks-a task-1-answer task-1-check"
CELLS += " task-2-answer task-2-check pictures task-4-answer task-4-check"
TRAINING = ("training", "test", "curves")
FEWER = "x_train, y_train, N_TRAIN = x_train[:500], y_train[:500], 500"

KERAS = {"image_data_format": "channels_first", "floatx": "float64", "backend": "torch"}
KERAS |= {"epsilon": 0.01}
MATPLOTLIBRC = """
image.origin: lower
image.cmap: jet
image.interpolation: nearest
axes.facecolor: black
figure.facecolor: black
text.color: black
figure.dpi: 40
backend: agg
"""
PROFILE = """
c.InlineBackend.figure_formats = {"svg"}
c.InlineBackend.print_figure_kwargs = {"bbox_inches": None, "facecolor": "red"}
c.InlineBackend.rc = {"figure.dpi": 40}
c.InlineBackend.close_figures = False
c.InteractiveShell.ast_node_interactivity = "all"
c.IPKernelApp.exec_lines = ["from numpy import *"]  # as %pylab does
"""
ENVIRONMENT = {
    "HOME": "/dev/null",  # cannot be written, not even by root
    "KERAS_BACKEND": "torch",
    "KERAS_MAX_EPOCHS": "2",
    "MPLBACKEND": "Agg",
    "TF_CPP_MIN_LOG_LEVEL": "0",
    "TF_USE_LEGACY_KERAS": "1",
}


def pixels(figure):
    """Return the colours of a PNG figure, from 0 to 255."""
    return 255 * matplotlib.image.imread(io.BytesIO(base64.b64decode(figure)), "png")


def run_until_task_4(kernel, answers):
    """Run the cells, none of which writes to stderr; return the figures of spins and of maps."""
    cells, figures = code_cells(EXERCISE), []
    for id in CELLS.split():
        source = answers.get(id, cells[id].source)
        source = source.replace("[correct_below, correct_above, wrong_below, wrong_above]", "[3]")
        out = kernel.do(source)
        assert not out["stderr"], f"{id}: {out['stderr']}"
        figures += out["figures"]
    spins, maps = map(pixels, figures)
    return spins, maps


def test_own_settings_change_nothing(answers, data_file, tmp_path):
    """All settings at once: the same spins, nearly the same maps, as they are measured."""
    (tmp_path / "profile_default").mkdir()
    (tmp_path / "profile_default" / "ipython_kernel_config.py").write_text(PROFILE)
    (tmp_path / "keras.json").write_text(json.dumps(KERAS))
    (tmp_path / "matplotlibrc").write_text(MATPLOTLIBRC)
    places = {"IPYTHONDIR": str(tmp_path), "KERAS_HOME": str(tmp_path)}
    places |= {"MATPLOTLIBRC": str(tmp_path / "matplotlibrc"), "ISING_DATA": str(data_file(0))}
    kernel = Kernel(tmp_path, ISING_DATA=places["ISING_DATA"])
    usual_spins, usual_maps = run_until_task_4(kernel, answers)
    kernel.stop()

    kernel, cells = Kernel(tmp_path, **places, **ENVIRONMENT), code_cells(EXERCISE)
    spins, maps = run_until_task_4(kernel, answers)
    assert np.array_equal(spins, usual_spins)
    assert maps.shape == usual_maps.shape and np.abs(maps - usual_maps).mean() < 1
    kernel.do("import tensorflow as tf; tf.keras")
    assert kernel.value("keras.config.epsilon()") == 1e-7
    assert kernel.value("os.environ['TF_FORCE_GPU_ALLOW_GROWTH']") == "true"
    assert kernel.value("get_ipython().ast_node_interactivity") == "last_expr"

    kernel.do(FEWER)
    drawn = [kernel.do(cells[id].source)["figures"] for id in TRAINING]
    assert kernel.value("history.epoch") == [0, 1]  # shorter, as the user wishes
    assert [len(figures) for figures in drawn] == [0, 0, 1]

    kernel.do("keras.config.set_dtype_policy('mixed_float16')")  # as a startup file may
    kernel.do(cells["start"].source)
    assert kernel.value("keras.config.dtype_policy().name") == "float32"
    kernel.stop()
