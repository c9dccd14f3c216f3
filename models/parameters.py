"""A pipeline's whole state as plain numbers, and back: the restored one predicts and learns exactly alike.

The allow-list is this file: one standard scaler, then one logistic regression with AdaGrad. Nothing else can
be exported, and nothing that comes in is ever executed.
"""

from typing import Any

import msgspec
from river import linear_model, optim, preprocessing
from river.utils import VectorDict

from models.model import Model


class Parameters(msgspec.Struct, frozen=True, array_like=True):
    """Scaler, weights and optimiser; lists stand in the order of the model's features."""

    counts: list[int]
    means: list[float]
    variances: list[float]
    weights: list[float]
    squared_gradients: list[float]
    intercept: float
    iterations: int


def exported(model: Model, pipeline: Any) -> Parameters:
    """The state of a pipeline that `model.pipeline()` made. Raises TypeError for any other."""
    scaler, regression = _steps(pipeline)
    names, weights, squares = model.features, regression.weights, regression.optimizer.g2
    return Parameters(
        counts=[scaler.counts.get(name, 0) for name in names],
        means=[scaler.means.get(name, 0.0) for name in names],
        variances=[scaler.vars.get(name, 0.0) for name in names],
        weights=[weights.get(name, 0.0) for name in names],
        squared_gradients=[squares.get(name, 0.0) for name in names],
        intercept=float(regression.intercept),
        iterations=regression.optimizer.n_iterations,
    )


def restored(model: Model, parameters: Parameters) -> Any:
    """A pipeline that goes on exactly where the exported one stood."""
    pipeline, names = model.pipeline(), model.features
    scaler, regression = _steps(pipeline)
    scaler.counts.update(dict(zip(names, parameters.counts, strict=True)))
    scaler.means.update(zip(names, parameters.means, strict=True))
    scaler.vars.update(zip(names, parameters.variances, strict=True))
    regression.optimizer.g2.update(zip(names, parameters.squared_gradients, strict=True))
    regression.optimizer.n_iterations = parameters.iterations
    regression.intercept = parameters.intercept
    regression._weights = VectorDict(dict(zip(names, parameters.weights, strict=True)))
    return pipeline


def _steps(pipeline: Any) -> tuple[Any, Any]:
    scaler, *rest = pipeline.steps.values()
    if (
        type(scaler) is not preprocessing.StandardScaler
        or [type(step) for step in rest] != [linear_model.LogisticRegression]
        or type(rest[0].optimizer) is not optim.AdaGrad
    ):
        raise TypeError(f"only scaler | logistic regression by AdaGrad can be exported, not {pipeline}")
    return scaler, rest[0]
