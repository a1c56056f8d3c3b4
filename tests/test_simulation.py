"""The simulated lattices are Ising lattices, and the partition function is exact."""

import tracemalloc

import numpy as np
import pytest
from scipy import stats
from scipy.special import logsumexp

# Exact mean energies, 32 x 32, per site.
TABLE = {1.0: -1.99716, 1.5: -1.95112, 2.0: -1.74556, 2.2: -1.54659, 2.3: -1.37547}
TABLE |= {2.4: -1.21260, 2.5: -1.10729, 3.0: -0.81731, 3.5: -0.66012}


def energies(spins):
    """Energy of each lattice in the last two axes: written independently of the notebook."""
    total = 0
    for axis in (-2, -1):
        first = np.take(spins, [0], axis)
        neighbours = np.concatenate([np.delete(spins, 0, axis), first], axis)
        total = total - (spins * neighbours).sum(axis=(-2, -1), dtype=float)
    return total


def exact_energy(log_Z, T, size, h=1e-5):
    return -(log_Z(1 / (1 / T + h), size) - log_Z(1 / (1 / T - h), size)) / (2 * h)


@pytest.mark.parametrize("T", [0.5, 1.0, 2.0, 2.2691853142, 2.3, 3.5, 10.0])
def test_partition_function_against_brute_force(physics, all_4x4, T):
    _, E = all_4x4
    assert physics["log_Z"](T, size=4) == pytest.approx(logsumexp(-E / T), rel=1e-10)


@pytest.mark.parametrize("T", TABLE)
def test_partition_function_gives_the_known_energies(physics, T):
    assert exact_energy(physics["log_Z"], T, 32) / 32**2 == pytest.approx(TABLE[T], abs=1e-5)


@pytest.mark.parametrize("size", [32, 64, 128])
def test_partition_function_of_a_large_lattice_is_finite_and_smooth(physics, size):
    """Per site it approaches Onsager's free energy: 0.929695 at Tc."""
    T_C = 2 / np.log(1 + np.sqrt(2))
    values = [physics["log_Z"](T, size) for T in (1.0, 2.0, T_C, 2.5, 5.0)]
    assert np.isfinite(values).all() and (np.diff(values) < 0).all()
    assert values[2] / size**2 == pytest.approx(0.929695, abs=2 / size**2)


def test_energy_of_the_notebook_is_the_sum_over_bonds(physics, all_4x4):
    states, E = all_4x4
    assert np.array_equal(physics["energy"](states[::97]), E[::97])
    spins = np.random.default_rng(2).choice([-1, 1], size=(5, 32, 32))
    assert np.array_equal(physics["energy"](spins), energies(spins))


def test_sampler_against_all_states_of_a_small_lattice(physics, all_4x4):
    states, E = all_4x4
    n = 20_000
    spins, temperatures = physics["simulate_ising"]([2.3], n, 4, seed=1)
    assert spins.shape == (n, 4, 4) and set(temperatures) == {2.3}
    p = np.exp(-E / 2.3 - logsumexp(-E / 2.3))

    # The lattices of a chain are nearly, not quite, independent: an energy counts as 0.8.
    levels = np.unique(E)
    expected = np.array([p[level == E].sum() for level in levels]) * n
    found = np.array([(energies(spins) == level).sum() for level in levels])
    common = expected > 10
    chi2 = ((found - expected)[common] ** 2 / expected[common]).sum()
    assert chi2 * 0.8 < stats.chi2.ppf(0.9999, common.sum() - 1)

    m, exact_m = np.abs(spins.mean(axis=(1, 2))), np.abs(states.mean(axis=(1, 2)))
    mean = (p * exact_m).sum()
    error = np.sqrt((p * exact_m**2).sum() - mean**2) / np.sqrt(n)
    assert abs(m.mean() - mean) < 4.5 * error


def test_energy_at_all_temperatures(physics, data_file):
    with np.load(data_file(0)) as file:
        spins, temperatures = file["C"], file["T"]
    z = []
    for T in physics["TEMPERATURES"]:
        E = energies(spins[temperatures == T])
        error = E.std(ddof=1) / np.sqrt(len(E))
        z.append((E.mean() - exact_energy(physics["log_Z"], T, 32)) / error)
    assert len(z) == 26 and np.abs(z).max() < 4.5
    low, high = stats.chi2.ppf([1e-4, 1 - 1e-4], 26)
    # The remaining autocorrelation widens z by at most the root of 1.3.
    assert low < np.sum(np.square(z)) < 1.3 * high


@pytest.mark.parametrize("T", [1.5, 2.3, 3.5])
def test_consecutive_lattices_of_a_chain_are_nearly_independent(physics, T):
    chains = energies(physics["sample_chains"](T, 100, 21, 32, np.random.default_rng(3)))
    chains -= chains.mean()
    assert (chains[1:] * chains[:-1]).mean() / (chains**2).mean() < 0.2


def test_both_signs_of_the_magnetisation_are_equally_likely(data_file):
    with np.load(data_file(0)) as file:
        up = file["C"][file["T"] == 1.5].mean(axis=(1, 2)) > 0
    assert stats.binomtest(int(up.sum()), len(up)).pvalue > 1e-4


def test_same_seed_same_lattices_and_no_global_state(physics):
    def sample(seed, size=8):
        return physics["simulate_ising"]([2.0, 2.5], 70, size, seed)

    before = np.random.get_state()
    first = sample(5)
    assert all(np.array_equal(a, b) for a, b in zip(before, np.random.get_state()))
    np.random.seed(1)
    again, other = sample(5), sample(6)
    assert all((a == b).all() for a, b in zip(first, again)) and (first[0] != other[0]).any()


def test_sizes_temperatures_and_kinds_are_free(physics):
    spins, temperatures = physics["simulate_ising"](np.array([1.7, 9.0]), 3, 12, seed=0)
    assert (
        spins.shape == (6, 12, 12) and spins.dtype == np.int8 and set(np.unique(spins)) == {-1, 1}
    )
    assert sorted(temperatures) == [1.7] * 3 + [9.0] * 3


def test_memory_of_an_update_is_bounded(physics):
    size = 1024  # the largest number of sites that is updated at once
    sites = np.arange(size**2, dtype=np.int32).reshape(size, size)
    neighbours = np.stack([np.roll(sites, -1, axis) for axis in (1, 0)], axis=-1).reshape(-1, 2)
    spins = np.ones(size**2, dtype=np.int8)
    tracemalloc.start()
    physics["cluster_update"](spins, neighbours, 0.98, np.random.default_rng(0))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 10e6 < peak < 100e6 - sites.nbytes - neighbours.nbytes


def test_data_set_is_shuffled_and_labelled(data_file):
    with np.load(data_file(0)) as file:
        assert file["C"].shape == (26_000, 32, 32)
        levels, counts = np.unique(file["T"], return_counts=True)
        assert np.allclose(levels, np.arange(1, 3.55, 0.1)) and (counts == 1000).all()
        assert np.abs(np.corrcoef(np.arange(26_000), file["T"])[0, 1]) < 0.03
