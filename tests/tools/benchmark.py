"""Measure what the READMEs promise: `python tests/tools/benchmark.py [seeds]`. Nothing here fails.

Both recipes of training run side by side for each seed, with the same data, network and start. The
exact limit, and with it every cross-entropy, differs from one data set to the next. Last comes
what one student's kernel costs from start to end, with simulated and with shared data.
"""

import contextlib
import io
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy.special import log_expit

sys.path.append(str(Path(__file__).parents[1]))
from conftest import SOLUTION, Kernel, code_cells

CELLS = {id: cell.source for id, cell in code_cells(SOLUTION).items()}
BEFORE = "split show quiz guess model"
AFTER = "test score near physics-b bayes puzzle open"
HEADER = """
| seed | recipe | fit s | epochs | cross-entropy | exact limit | accuracy | slope of log-odds |
|---|---|---|---|---|---|---|---|"""
ROW = "| {} | {} | {:.1f} | {} | {:.4f} | {:.4f} | {:.4f} | {:.2f} |"


def run_cells(ids, ns):
    """Run cells of the solution in a namespace, in silence."""
    with contextlib.redirect_stdout(io.StringIO()):
        for id in ids.split():
            exec(CELLS[id], ns)


def train_as_the_book_does(ns):
    """Early stopping with plateau reduction and binary cross-entropy, as published."""
    keras, model = ns["keras"], ns["model"]
    adam = keras.optimizers.Adam(0.001)
    model.compile(loss="binary_crossentropy", optimizer=adam, metrics=["accuracy"])
    stop = keras.callbacks.EarlyStopping(patience=5)
    slow_down = keras.callbacks.ReduceLROnPlateau(factor=0.67, patience=2)
    settings = {"batch_size": 64, "epochs": 50, "validation_split": 0.1, "verbose": 0}
    data = ns["x_train"], ns["y_train"]
    ns["history"] = model.fit(*data, callbacks=[stop, slow_down], **settings)


def measure(ns, recipe):
    """Train with a recipe on the data in ns; return the end of a row of the table."""
    run_cells(BEFORE, ns)
    begin = time.perf_counter()
    if recipe == "notebook":
        run_cells("training", ns)
    else:
        train_as_the_book_does(ns)
    seconds = time.perf_counter() - begin
    run_cells(AFTER, ns)
    signs = np.where(ns["T_test"] > ns["T_C"], 1, -1)
    limit = -np.mean(log_expit(signs * ns["exact_test"]))
    is_open = ns["is_open"]
    slope = np.polyfit(ns["exact_test"][is_open], ns["odds_test"][is_open], 1)[0]
    epochs = len(ns["history"].epoch)
    return recipe, seconds, epochs, ns["test_loss"], limit, ns["correct"].mean(), slope


def cost(folder):
    """Run the whole notebook in a kernel and print what it costs."""
    begin, part_b = time.perf_counter(), None
    kernel = Kernel(folder)
    for id, source in CELLS.items():
        if id == "physics-b":
            part_b = time.perf_counter()
        kernel.do(source)
    end = time.perf_counter()
    processor = kernel.value("__import__('time').process_time()")
    peak, files = kernel.peak_memory()
    kernel.stop()
    print(f"{end - begin:.0f} s, of it Part B {end - part_b:.0f} s; processor {processor:.0f} s;")
    print(f"  peak {peak:.0f} MiB, of it {files:.0f} MiB pages of files, which kernels share")


def main(seeds):
    ns = {}
    run_cells("setup data", ns)
    ns["plt"].switch_backend("agg")
    print(HEADER)
    for seed in seeds:
        ns["SEED"] = seed
        with contextlib.redirect_stdout(io.StringIO()):
            data = ns["simulate_ising"](ns["TEMPERATURES"], 1000, 32, seed)
        ns["spins"], ns["temperatures"] = data
        for recipe in ("notebook", "book"):
            print(ROW.format(seed, *measure(ns, recipe)), flush=True)

    print(f"\nthe whole notebook on {os.cpu_count()} cores")
    os.environ.pop("ISING_DATA", None)
    with tempfile.TemporaryDirectory() as folder:
        print("data simulated: ", end="", flush=True)
        cost(folder)
        os.environ["ISING_DATA"] = str(*Path(folder).glob("*.npz"))
        print("data shared: ", end="", flush=True)
        cost(folder)


if __name__ == "__main__":
    main([int(seed) for seed in sys.argv[1:]] or [0, 1, 2])
