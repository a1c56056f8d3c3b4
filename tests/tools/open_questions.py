"""Answer the three open questions of the notebook: `python tests/tools/open_questions.py`.

For instructors. It runs the notebook's cells, then these lines, which print numbers and a sentence.
"""

import sys
import tempfile
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))
from conftest import SOLUTION, Kernel, code_cells

BETTER_PROBABILITIES = """
from scipy.optimize import minimize


def logistic_fit(features, labels, ridge):
    '''Fit log-odds = features (n, k) @ w + c to labels of 0 or 1, in at most 100 Newton steps.'''
    center, scale = features.mean(axis=0), features.std()
    columns = np.insert((features - center) / scale, 0, 1, axis=1).astype(float)

    def loss(v):
        z = columns @ v
        p = 1 / (1 + np.exp(-z))
        gradient = columns.T @ (p - labels) / len(z) + ridge * v
        return np.mean(np.logaddexp(0, z) - labels * z) + ridge * v @ v / 2, gradient

    def curvature(v):
        p = 1 / (1 + np.exp(-columns @ v))
        return (columns.T * (p * (1 - p))) @ columns / len(p) + ridge * np.eye(len(v))

    start = np.zeros(columns.shape[1])
    settings = {"jac": True, "hess": curvature, "method": "Newton-CG", "options": {"maxiter": 100}}
    c, *w = minimize(loss, start, **settings).x
    w = np.array(w) / scale
    return w, c - w @ center


def readout(w, c):
    '''Return mended with another last layer.'''
    network = keras.models.clone_model(mended)
    network.set_weights([*mended.get_weights()[:-2], np.outer(w, half), c * half])
    return network


features = without(mended, "phase").predict(x_train, batch_size=100, verbose=0)
kernel, bias_of_mended = (array @ [-1, 1] for array in mended.get_weights()[-2:])
own_odds = features @ kernel + bias_of_mended
labels = T_train > T_C
(factor,), shift = logistic_fit(own_odds[:, None], labels, 0)
networks = {
    "as it is": mended,
    "factor and offset": readout(factor * kernel, factor * bias_of_mended + shift),
    "all 33 numbers": readout(*logistic_fit(features, labels, 1e-5)),
}
answers = {}
for name, network in networks.items():
    odds = log_odds_of(network, x_test)
    slope = np.polyfit(exact_test[is_open], odds[is_open], 1)[0]
    r_odds = r_of(exact_test[is_open], odds[is_open])
    r_map = r_of(seen_energy, evidence_of(network, x_near))
    answers[name] = slope, r_odds, r_map
    print(f"{name:18} log-odds: slope {slope:.2f}, r {r_odds:.3f}; D: r {r_map:.3f}")
print("A factor and an offset mend the slope, and no r: a line changes no correlation. All 33")
print("numbers may improve the log-odds a little more. No label asks for the map to stay as good.")
"""
ANOTHER_SIZE = """
layers = [keras.Input((64, 64)), keras.layers.Reshape((64, 64, 1), name="image")]
for layer in mended.layers:
    if layer.name != "image":
        layers.append(type(layer).from_config(layer.get_config()))
larger = keras.Sequential(layers)
larger.set_weights(mended.get_weights())

spins_64, T_64 = simulate_ising(np.array([2.2, 2.3]), 200, 64, SEED)
below, above = (-energy(spins_64) / T - log_Z(T, 64) for T in (2.2, 2.3))
exact_64 = above - below
p_64 = np.concatenate([larger(batch) for batch in np.array_split(spins_64, 4)])
odds_64 = np.log(p_64[:, 1] / p_64[:, 0])
open_64 = np.abs(exact_64) < 4
slope_64 = np.polyfit(exact_64[open_64], odds_64[open_64], 1)[0]
right_32, right_64 = correct_near.mean(), ((odds_64 > 0) == (T_64 > T_C)).mean()
print(f"accuracy at T = 2.2 and 2.3: {right_32:.3f} at size 32, {right_64:.3f} at size 64")
print(f"slope of the log-odds in {open_64.sum()} open cases: {slope_64:.2f}")
print("More sites tell the phases apart better, but the network is too modest: its log-odds are a")
print("mean over the sites. The exact ones grow with the energy, and the sites are four times as")
print("many.")
"""
ANOTHER_GROUND_STATE = """
checkerboard = (-1.0) ** np.add.outer(np.arange(32), np.arange(32))
D_anti = evidence_of(mended, x_test[T_test < levels[0] + 0.01] * checkerboard)
low, high = D_anti.min(), D_anti.max()
print(f"antiferromagnets at T = {levels[0]:g}: D is {D_anti.mean():.1f} on average, ", end="")
print(f"and from {low:.1f} to {high:.1f}")
print("Perfect order of another kind, and the network is sure that it is disorder, everywhere in")
print("the lattice: it knows ferromagnetic order only.")
"""
ANSWERS = {
    "Better probabilities": BETTER_PROBABILITIES,
    "Another size": ANOTHER_SIZE,
    "Another ground state": ANOTHER_GROUND_STATE,
}


def main():
    with tempfile.TemporaryDirectory() as folder:
        kernel = Kernel(folder)
        for cell in code_cells(SOLUTION).values():
            kernel.do(cell.source)
        for question, code in ANSWERS.items():
            print(f"{question}\n{kernel.do(code)['stdout']}")
        kernel.stop()


if __name__ == "__main__":
    main()
