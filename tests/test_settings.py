"""What a user's own settings do to the notebook: nothing."""

import json

import pytest
from conftest import EXERCISE, LOADER, Kernel, code_cells

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
KERAS = {"image_data_format": "channels_first", "floatx": "float64", "backend": "torch"}
SETTINGS = {
    "MPLBACKEND": "Agg",
    "TF_CPP_MIN_LOG_LEVEL": "0",
    "KERAS_BACKEND": "torch",
    "HOME": "/dev/null",  # cannot be written, not even by root
}
# Up to the figure of Task 4, without training, on which none of this depends.
CELLS = ["quiet", "setup", "simulate", *LOADER]
CELLS += "load-now split show model test near helpers".split()
TASKS = "task-1-answer task-1-check task-2-answer task-2-check draw task-4-answer task-4-check"


def run(folder, answers, **environment):
    """Run the cells in a kernel; return the figures of the spins and of Task 4."""
    kernel, cells = Kernel(folder, **environment), code_cells(EXERCISE)
    figures = []
    for id in [*CELLS, *TASKS.split()]:
        source = answers.get(id, cells[id].source)
        source = source.replace("[correct_below, correct_above, wrong_below, wrong_above]", "[3]")
        out = kernel.do(source)
        assert not out["stderr"], f"{id}: {out['stderr']}"
        figures += out["figures"]
    growth = kernel.do("print(os.environ['TF_FORCE_GPU_ALLOW_GROWTH'])")["stdout"]
    kernel.stop()
    assert growth.strip() == "true"
    return figures


@pytest.fixture(scope="module")
def usual(answers, data_file, tmp_path_factory):
    return run(tmp_path_factory.mktemp("usual"), answers, ISING_DATA=str(data_file(0)))


def test_own_settings_change_nothing(answers, data_file, usual, tmp_path):
    """The same figures to the last byte, and nothing on stderr, under all settings at once."""
    (tmp_path / "keras.json").write_text(json.dumps(KERAS), encoding="utf-8")
    (tmp_path / "matplotlibrc").write_text(MATPLOTLIBRC, encoding="utf-8")
    files = {"KERAS_HOME": str(tmp_path), "MATPLOTLIBRC": str(tmp_path / "matplotlibrc")}
    folder = tmp_path / "work"
    folder.mkdir()
    own = run(folder, answers, ISING_DATA=str(data_file(0)), **SETTINGS, **files)
    assert len(own) == 2 and own == usual
