"""The network comes close to the exact limit and its maps to the local energy, whatever the seed."""

import numpy as np
import pytest


@pytest.fixture(params=[0, 1, 2], ids="seed {}".format, scope="module")
def kernel(request, solved):
    return solved(request.param)


def test_close_to_the_exact_limit(kernel):
    excess, accuracy = kernel.value("[test_loss - bayes_loss, bayes_right.mean() - right.mean()]")
    assert 0 < excess < 0.005
    assert abs(accuracy) < 0.004
    assert kernel.value("agreement") > 0.98


def test_reported_loss_is_that_of_the_predictions(kernel):
    loss, accuracy = kernel.value("model.evaluate(x_test, y_test, verbose=0)")
    assert kernel.value("test_loss") == pytest.approx(loss, abs=1e-4)
    assert kernel.value("right.mean()") == pytest.approx(accuracy, abs=1e-4)


def test_maps_follow_the_local_energy(kernel):
    assert kernel.value("r_trained") > 0.8
    assert abs(kernel.value("r_untrained")) < 0.3
    assert kernel.value("-intercept / slope") == pytest.approx(kernel.value("threshold"), abs=0.03)


def test_probabilities_mean_what_they_say(kernel):
    assert 0.8 < kernel.value("odds_slope") < 1.2


def test_threshold_is_where_the_exact_probability_is_one_half(kernel, physics):
    E = kernel.value("threshold") * 32**2
    levels = physics["TEMPERATURES"]
    p = np.array([-E / T - physics["log_Z"](T) for T in levels])
    p = np.exp(p - p.max())
    assert p[levels > 2.27].sum() == pytest.approx(p[levels < 2.27].sum(), rel=1e-3)
