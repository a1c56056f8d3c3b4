"""Answer the three open questions of the notebook: `python tests/open_questions.py` runs its cells, then these.

For instructors: each answer is a few lines after the notebook's own cells, and prints numbers and a sentence.
"""

import tempfile

from conftest import SOLUTION, Kernel, code_cells

ANSWERS = {
    "A better classifier": '''
features = outputs(without(mended, "phase"), x_train)
refitted = keras.models.clone_model(mended)
refitted.set_weights(mended.get_weights())
answers = {"as it is": (after["expected excess"], after["r of D with the seen energy"])}
for ridge in (1e-5, 0.0):
    set_readout(refitted, *logistic_fit(features, y_train[:, 1], ridge))
    excess = expected_excess(odds_of(refitted, x_test), exact_test)
    answers[f"ridge {ridge:g}"] = excess, energy_law(evidence_of(refitted))[0]
print("; ".join(f"{name}: expected excess {excess:.4f}, r = {r:.3f}" for name, (excess, r) in answers.items()))
print("Both fits are better classifiers than before. With a ridge the map stays about as good, without one it becomes")
print("worse: the labels fix the mean of D, and of the maps with that mean they prefer none.")
''',
    "Another size": '''
layers = [keras.Input((64, 64)), keras.layers.Reshape((64, 64, 1), name="image")]
layers += [type(layer).from_config(layer.get_config()) for layer in mended.layers if layer.name != "image"]
larger = keras.Sequential(layers)
larger.set_weights(mended.get_weights())
spins_64, T_64 = simulate_ising(np.array([2.2, 2.3]), 200, 64, SEED)
log_p = -energy(spins_64)[:, None] / TEMPERATURES - [log_Z(T, 64) for T in TEMPERATURES]
exact_64 = logsumexp(log_p[:, TEMPERATURES > T_C], axis=1) - logsumexp(log_p[:, TEMPERATURES < T_C], axis=1)
odds_64 = odds_of(larger, spins_64)
open_64 = np.abs(exact_64) < 4
slope_64 = np.polyfit(exact_64[open_64], odds_64[open_64], 1)[0]
right_64 = ((odds_64 > 0) == (T_64 > T_C)).mean()
print(f"accuracy at T = 2.2 and 2.3: {correct_near.mean():.3f} at size 32, {right_64:.3f} at size 64")
print(f"slope of the log-odds in {open_64.sum()} open cases: {slope_64:.2f}")
print("More sites tell the phases apart better, but the network is too modest: its log-odds are a mean over the sites,")
print("the exact ones grow with the energy, that is, with the number of sites, which is four times as large.")
''',
    "Another ground state": '''
checkerboard = (-1.0) ** np.add.outer(np.arange(32), np.arange(32))
D_anti = evidence_of(mended, x_test[T_test < 1.15] * checkerboard)
print(f"antiferromagnets at T = {levels[0]:.1f}: mean of D {D_anti.mean():.1f}, all pixels from {D_anti.min():.1f} to {D_anti.max():.1f}")
print("Perfect order of another kind, and the network is sure that it is disorder, everywhere in the lattice:")
print("it has learned whether neighbours are alike, not what order is.")
''',
}


def main():
    with tempfile.TemporaryDirectory() as folder:
        kernel = Kernel(folder)
        for cell in code_cells(SOLUTION).values():
            assert not kernel.run(cell.source)["error"], cell.id
        for question, code in ANSWERS.items():
            out = kernel.run(code)
            print(f"{question}\n{out['stdout']}{out['error']}")
        kernel.stop()


if __name__ == "__main__":
    main()
