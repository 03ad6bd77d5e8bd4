"""After the warm-up, models of real tables compile nothing more."""

from types import ModuleType

from numba.core.registry import CPUDispatcher

from ionsieve.models import ConductivityModel
from ionsieve.models.explanation.contributions import contributions
from ionsieve.models.learners import forest_kernels, tree_shap
from ionsieve.models.trust import domain_kernels
from ionsieve.models.warmup import warm_up_models


def compiled(*modules: ModuleType) -> dict[str, int]:
    """Number of types that each kernel of a module has been compiled for."""
    return {
        f"{module.__name__}.{name}": len(value.signatures)
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, CPUDispatcher)
    }


def test_training_prediction_and_explanation_find_their_kernels_ready(population) -> None:
    warm_up_models()
    modules = forest_kernels, domain_kernels, tree_shap
    ready = compiled(*modules)
    # Kernels that only kernels call are loaded with those that call them.
    called = {name.rpartition(".")[2] for name, number in ready.items() if number}
    assert called >= {"grow", "answer", "fill", "deepest", "embed", "apart", "_add_leaves"}
    features, labels = population()
    model = ConductivityModel(n_folds=3).fit(features, labels)
    model.predict(features, 450.0)
    contributions(model, features.iloc[:2])
    assert compiled(*modules) == ready
