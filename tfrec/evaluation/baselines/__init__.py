"""Recommenders that need no training loop, printed beside every result."""

from tfrec.evaluation.baselines.als import ALS
from tfrec.evaluation.baselines.base import Baseline
from tfrec.evaluation.baselines.content import ContentKNN, ContentRidge
from tfrec.evaluation.baselines.ease import EASE
from tfrec.evaluation.baselines.item_knn import ItemKNN
from tfrec.evaluation.baselines.most_pop import MostPop
from tfrec.evaluation.baselines.random_order import RandomOrder

BASELINES: dict[str, type[Baseline]] = {kind.name: kind for kind in (MostPop, ItemKNN, EASE, ALS, RandomOrder)}
"""Those that need events only, by name."""

__all__ = ["ALS", "BASELINES", "EASE", "Baseline", "ContentKNN", "ContentRidge", "ItemKNN", "MostPop", "RandomOrder"]
