"""Measure what the design promises: `python tests/benchmark.py [seeds]` prints tables; nothing here passes or fails.

Both recipes run side by side, with the same data, the same network and the same start: for each seed on data
simulated with it, and with the notebook's recipe once more on the data of the first seed. The exact limit, and
with it every cross-entropy, differs from one data set to the next. Last comes what one student's kernel costs from
start to end, in all and cell by cell, with simulated and with shared data.
"""

import contextlib
import io
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from conftest import SOLUTION, Kernel, code_cells

SEEDS = [int(seed) for seed in sys.argv[1:]] or [0, 1, 2]


def train_as_the_book_does(ns):
    """Early stopping with plateau reduction and binary cross-entropy, as published with the book."""
    keras = ns["keras"]
    ns["model"].compile(
        loss="binary_crossentropy", optimizer=keras.optimizers.Adam(0.001), metrics=["accuracy"]
    )
    ns["history"] = ns["model"].fit(
        ns["x_train"],
        ns["y_train"],
        batch_size=64,
        epochs=50,
        verbose=0,
        validation_split=0.1,
        callbacks=[
            keras.callbacks.EarlyStopping(patience=5),
            keras.callbacks.ReduceLROnPlateau(factor=0.67, patience=2),
        ],
    )


def simulate(ns, *arguments):
    """Return the seconds that simulate_ising takes, and the number of lattices; ns gets the lattices."""
    begin = time.perf_counter()
    ns["spins"], ns["temperatures"] = ns["simulate_ising"](*arguments)
    return time.perf_counter() - begin, len(ns["spins"])


def measure(ns, cells, seed, recipe):
    """Train with a recipe on the data in ns; return a row of the table."""
    ns["keras"].utils.set_random_seed(seed)
    ns["levels"] = ns["TEMPERATURES"]
    exec(cells["split"], ns)
    exec(cells["model"], ns)
    begin = time.perf_counter()
    if recipe == "notebook":
        exec(cells["training"].replace("verbose=2", "verbose=0"), ns)
    else:
        train_as_the_book_does(ns)
    seconds = time.perf_counter() - begin
    for id in ("test", "near", "helpers", "exact", "trust", "bayes", "puzzle"):
        exec(cells[id], ns)
    loss = ns[
        "test_loss"
    ]  # the cross-entropy of the predicted probabilities, not what Keras reports
    return (
        seed,
        recipe,
        seconds,
        len(ns["history"].epoch),
        loss,
        ns["best_loss"],
        ns["correct"].mean(),
        ns["slope"],
    )


def cost(folder, cells):
    """Run the whole notebook in a kernel and print what it costs; cells after Task 5's check are Part B."""
    begin, used, part_b = time.perf_counter(), {}, 0
    kernel = Kernel(folder)
    for id, source in cells.items():
        start, before = time.perf_counter(), sum(used.values())
        error = kernel.run(source)["error"]
        assert not error, f"{id}: {error}"
        used[id] = float(kernel.run("print(__import__('time').process_time())")["stdout"]) - before
        part_b = (
            part_b + time.perf_counter() - start
            if "task-5-check" in used and id != "task-5-check"
            else 0
        )
    wall, (peak, files) = time.perf_counter() - begin, kernel.peak_memory()
    kernel.stop()
    dearest = sorted(used, key=used.get, reverse=True)[:8]
    print(
        f"wall {wall:.0f} s, of it Part B {part_b:.0f} s; processor {sum(used.values()):.0f} s; "
        f"peak {peak:.0f} MiB, of it {files:.0f} MiB pages of files, which several kernels share"
    )
    print("  processor seconds:", ", ".join(f"{id} {used[id]:.1f}" for id in dearest))


def main():
    cells = {id: cell.source for id, cell in code_cells(SOLUTION).items()}
    ns = {}
    with contextlib.redirect_stdout(io.StringIO()):
        for id in ("quiet", "setup"):
            exec(cells[id], ns)
    ns["plt"].switch_backend("agg")
    exec(cells["simulate"], ns)
    exec(cells["load"], ns)

    rows, generation, first = [], [], None
    for seed in SEEDS:
        print(f"seed {seed} ...", file=sys.stderr)
        with contextlib.redirect_stdout(io.StringIO()):
            seconds, _ = simulate(ns, ns["TEMPERATURES"], 1000, 32, seed)
            generation.append(seconds)
            rows += [(seed, *measure(ns, cells, seed, recipe)) for recipe in ("notebook", "book")]
            first = first or (ns["spins"], ns["temperatures"])
            if seed != SEEDS[0]:
                ns["spins"], ns["temperatures"] = first
                rows.append((SEEDS[0], *measure(ns, cells, seed, "notebook")))

    print(
        "\n| data seed | network seed | recipe | fit s | epochs | cross-entropy | exact limit | accuracy | slope of log-odds | fit time / book's |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for row in rows:
        book = next(r[3] for r in rows if r[1:3] == (row[1], "book"))
        print(
            "| {} | {} | {} | {:.1f} | {} | {:.4f} | {:.4f} | {:.4f} | {:.2f} |".format(*row),
            f"{row[3] / book:.2f} |",
        )
    fits = [row[3] for row in rows if row[2] == "notebook" and row[0] == row[1]]
    print(
        f"\ndata generation: {', '.join(f'{s:.1f}' for s in generation)} s; over the notebook's fit: "
        f"{', '.join(f'{g / f:.2f}' for g, f in zip(generation, fits))}"
    )

    print("\n| size | ms per lattice | ns per site |\n|---|---|---|")
    for size in (16, 32, 64, 128):
        with contextlib.redirect_stdout(io.StringIO()):
            seconds, n = simulate(ns, np.array([1.5, 2.3, 3.0]), 200, size, 0)
        each = seconds / n
        print(f"| {size} | {each * 1e3:.2f} | {each / size**2 * 1e9:.0f} |")

    print(f"\nthe whole notebook on {os.cpu_count()} cores")
    os.environ.pop("ISING_DATA", None)
    with tempfile.TemporaryDirectory() as folder:
        print("data simulated: ", end="")
        cost(folder, cells)
        os.environ["ISING_DATA"] = str(*Path(folder).glob("*.npz"))
        print("data shared: ", end="")
        cost(folder, cells)


if __name__ == "__main__":
    main()
