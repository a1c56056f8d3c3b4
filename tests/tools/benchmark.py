"""Measure what the README promises: `python tests/tools/benchmark.py [seeds]`. Nothing here fails.

Both recipes of training run side by side, with the same data, network and start: for each seed on
data simulated with it, and with the notebook's recipe once more on the data of the first seed. The
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

SEEDS = [int(seed) for seed in sys.argv[1:]] or [0, 1, 2]
CELLS = {id: cell.source for id, cell in code_cells(SOLUTION).items()}
HEADER = """
| data seed | network seed | recipe | fit s | epochs | cross-entropy | exact limit | accuracy \
| slope of log-odds | fit time / book's |
|---|---|---|---|---|---|---|---|---|---|"""
ROW = "| {} | {} | {} | {:.1f} | {} | {:.4f} | {:.4f} | {:.4f} | {:.2f} | {:.2f} |"


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


def measure(ns, seed, recipe):
    """Train with a recipe on the data in ns; return the end of a row of the table."""
    ns["SEED"] = seed
    exec(CELLS["split"], ns)
    exec(CELLS["model"], ns)
    begin = time.perf_counter()
    if recipe == "notebook":
        exec(CELLS["training"].replace("verbose=2", "verbose=0"), ns)
    else:
        train_as_the_book_does(ns)
    seconds = time.perf_counter() - begin
    for id in "test show quiz guess score near physics-b bayes puzzle open".split():
        exec(CELLS[id], ns)
    signs = np.where(ns["T_test"] > ns["T_C"], 1, -1)
    limit = -np.mean(log_expit(signs * ns["exact_test"]))
    is_open = ns["is_open"]
    slope = np.polyfit(ns["exact_test"][is_open], ns["odds_test"][is_open], 1)[0]
    epochs = len(ns["history"].epoch)
    return seed, recipe, seconds, epochs, ns["test_loss"], limit, ns["correct"].mean(), slope


def compare_recipes(ns):
    """Print the table of recipes and the seconds that the simulation takes."""
    rows, generation, first = [], [], None
    for seed in SEEDS:
        print(f"seed {seed} ...", file=sys.stderr)
        with contextlib.redirect_stdout(io.StringIO()):
            begin = time.perf_counter()
            data = ns["simulate_ising"](ns["TEMPERATURES"], 1000, 32, seed)
            generation.append(time.perf_counter() - begin)
            first = first or data
            ns["spins"], ns["temperatures"] = data
            rows += [(seed, *measure(ns, seed, recipe)) for recipe in ("notebook", "book")]
            if seed != SEEDS[0]:
                ns["spins"], ns["temperatures"] = first
                rows.append((SEEDS[0], *measure(ns, seed, "notebook")))
    print(HEADER)
    for row in rows:
        book = next(other[3] for other in rows if other[1:3] == (row[1], "book"))
        print(ROW.format(*row, row[3] / book))
    print(f"\ndata generation: {', '.join(f'{seconds:.1f}' for seconds in generation)} s")


def compare_sizes(ns):
    """Print what a simulated lattice costs, by its size."""
    print("\n| size | ms per lattice | ns per site |\n|---|---|---|")
    for size in (16, 32, 64, 128):
        with contextlib.redirect_stdout(io.StringIO()):
            begin = time.perf_counter()
            spins, _ = ns["simulate_ising"](np.array([1.5, 2.3, 3.0]), 200, size, 0)
            each = (time.perf_counter() - begin) / len(spins)
        print(f"| {size} | {each * 1e3:.2f} | {each / size**2 * 1e9:.0f} |")


def cost(folder):
    """Run the whole notebook in a kernel and print what it costs."""
    begin, used, part_b = time.perf_counter(), {}, 0
    kernel, in_part_b = Kernel(folder), False
    for id, source in CELLS.items():
        in_part_b |= id == "physics-b"
        start, before = time.perf_counter(), sum(used.values())
        kernel.do(source)
        used[id] = float(kernel.do("print(__import__('time').process_time())")["stdout"]) - before
        if in_part_b:
            part_b += time.perf_counter() - start
    wall, (peak, files) = time.perf_counter() - begin, kernel.peak_memory()
    kernel.stop()
    dearest = sorted(used, key=used.get, reverse=True)[:8]
    print(f"wall {wall:.0f} s, of it Part B {part_b:.0f} s; processor {sum(used.values()):.0f} s;")
    print(f"  peak {peak:.0f} MiB, of it {files:.0f} MiB pages of files, which kernels share")
    print("  processor seconds:", ", ".join(f"{id} {used[id]:.1f}" for id in dearest))


def main():
    ns = {}
    with contextlib.redirect_stdout(io.StringIO()):
        for id in ("setup", "data"):
            exec(CELLS[id], ns)
    ns["plt"].switch_backend("agg")
    compare_recipes(ns)
    compare_sizes(ns)

    print(f"\nthe whole notebook on {os.cpu_count()} cores")
    os.environ.pop("ISING_DATA", None)
    with tempfile.TemporaryDirectory() as folder:
        print("data simulated: ", end="", flush=True)
        cost(folder)
        os.environ["ISING_DATA"] = str(*Path(folder).glob("*.npz"))
        print("data shared: ", end="", flush=True)
        cost(folder)


if __name__ == "__main__":
    main()
