"""The signal in the sample catalogue, measured with linear models in numpy that are told the hidden traits."""

import numpy as np
import pytest

from tfrec.data.sample.behaviour import draw_world, simulate
from tfrec.data.sample.pictures import draw_cover
from tfrec.data.sample.sounds import RATE, synthesise
from tfrec.data.sample.stories import compose_description
from tfrec.data.sample.traits import TRAITS, affinities, draw_item_traits, named, one_hot

ITEMS, USERS = 600, 1500


@pytest.fixture(scope="module")
def half_year():
    rng = np.random.default_rng(7)
    traits = draw_item_traits(ITEMS, rng)
    world = draw_world(traits, USERS, rng)
    return world, simulate(world, 40_000, rng, lambda week, weeks: None)


def ndcg(scores: np.ndarray, relevant: np.ndarray, k: int = 10) -> float:
    """Mean over users with something relevant; scores and relevant [U, N]."""
    top = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    discount = 1 / np.log2(np.arange(2, k + 2))
    gain = (np.take_along_axis(relevant, top, axis=1) * discount).sum(axis=1)
    count = relevant.sum(axis=1)
    best = np.concatenate([[0], np.cumsum(discount)])[np.minimum(count, k)]
    return float((gain[count > 0] / best[count > 0]).mean())


def ridge(features: np.ndarray, targets: np.ndarray, strength: float) -> np.ndarray:
    square = features.T @ features + strength * np.eye(features.shape[1])
    return np.linalg.solve(square, features.T @ targets)


def touched(events, rows) -> np.ndarray:
    matrix = np.zeros((USERS, ITEMS), dtype=bool)
    matrix[events.user[rows], events.item[rows]] = True
    return matrix


def test_each_modality_alone_ranks_held_out_items_better_than_chance_and_all_beat_each(half_year):
    world, events = half_year
    seen = touched(events, slice(None))
    rng = np.random.default_rng(1)
    results: dict[str, list[float]] = {}
    for _ in range(3):
        held = np.zeros(ITEMS, dtype=bool)
        held[rng.permutation(ITEMS)[: ITEMS // 10]] = True
        for modality in ("text", "picture", "sound", None):
            features = one_hot(world.traits, modality) - one_hot(world.traits, modality)[~held].mean(axis=0)
            targets = seen[:, ~held].astype(float)
            weights = ridge(features[~held], (targets - targets.mean(axis=1, keepdims=True)).T, 30.0)
            score = ndcg((features[held] @ weights).T, seen[:, held])
            results.setdefault(modality or "all", []).append(score)
        results.setdefault("random", []).append(ndcg(rng.random((USERS, held.sum())), seen[:, held]))
    mean = {name: float(np.mean(scores)) for name, scores in results.items()}
    print({name: round(score, 3) for name, score in mean.items()})
    alone = [mean["text"], mean["picture"], mean["sound"]]
    assert mean["random"] < 0.12
    assert min(alone) > 1.8 * mean["random"]
    assert mean["all"] > 0.30
    assert mean["all"] > 1.3 * max(alone)


def test_on_a_split_by_time_neighbours_beat_popularity_and_traits_beat_neighbours(half_year):
    world, events = half_year
    past = events.time < np.quantile(events.time, 0.9)
    before, after = touched(events, past), touched(events, ~past)
    after &= ~before

    def measured(scores: np.ndarray) -> float:
        return ndcg(np.where(before, -np.inf, scores), after)

    matrix = before.astype(float)
    together = matrix.T @ matrix
    norm = np.sqrt(np.maximum(np.diag(together), 1))
    cosine = together / norm[:, None] / norm[None, :]
    np.fill_diagonal(cosine, 0)
    nearest = np.where(cosine >= np.sort(cosine, axis=1)[:, -50, None], cosine, 0)
    traits = one_hot(world.traits) - one_hot(world.traits).mean(axis=0)
    profile = ridge(traits, (matrix - matrix.mean(axis=1, keepdims=True)).T, 30.0)
    popular = measured(np.broadcast_to(matrix.sum(axis=0), matrix.shape))
    neighbours, content = measured(matrix @ nearest.T), measured((traits @ profile).T)
    print({"MostPop": round(popular, 3), "item-kNN": round(neighbours, 3), "traits": round(content, 3)})
    assert neighbours > 1.5 * popular
    assert content > 1.2 * neighbours


def test_items_are_never_used_before_they_are_published(half_year):
    world, events = half_year
    first = np.full(ITEMS, np.inf)
    np.minimum.at(first, events.item, events.time)
    week = (first - events.time.min()) / (7 * 86_400)
    assert (week + 1 >= world.published).all()


def test_affinity_is_centred_and_higher_for_liked_traits(half_year):
    world, _ = half_year
    liking = affinities(world.tastes, world.traits)
    matches = sum(liked[:, world.traits[:, column]].astype(int) for column, liked in enumerate(world.tastes))
    assert abs(liking.mean()) < 0.05
    assert liking[matches == 6].min() > liking[matches == 0].max()
    assert all((liked.sum(axis=1) == trait.liked).all() for trait, liked in zip(TRAITS, world.tastes))


def recognised(features: np.ndarray, labels: np.ndarray) -> float:
    """Share of every third sample whose label a linear model trained on the others finds."""
    spread = features.std(axis=0)
    features = (features - features.mean(axis=0))[:, spread > 0] / spread[spread > 0]
    known = np.arange(len(labels)) % 3 != 0
    targets = np.eye(labels.max() + 1)[labels]
    weights = ridge(features[known], targets[known] - targets[known].mean(axis=0), 30.0)
    return float(((features[~known] @ weights).argmax(axis=1) == labels[~known]).mean())


def test_words_tell_world_and_mood_but_neither_picture_nor_sound():
    rng = np.random.default_rng(0)
    traits = draw_item_traits(600, rng)
    texts = [
        compose_description(row["world"], row["mood"], rng).lower().replace(",", " ").replace(".", " ").split()
        for row in map(named, traits)
    ]
    vocabulary = {word: column for column, word in enumerate(sorted(set().union(*texts)))}
    bag = np.zeros((len(texts), len(vocabulary)))
    for row, words in enumerate(texts):
        bag[row, [vocabulary[word] for word in words]] = 1
    assert recognised(bag, traits[:, 0]) > 0.9
    assert recognised(bag, traits[:, 1]) > 0.8
    for column in (2, 3, 4, 5):
        assert recognised(bag, traits[:, column]) < 0.3


def test_pictures_tell_palette_and_motif():
    rng = np.random.default_rng(0)
    traits = draw_item_traits(360, rng)
    covers = np.stack(
        [
            np.asarray(draw_cover(row["palette"], row["motif"], rng).resize((48, 48)), dtype=float)
            for row in map(named, traits)
        ]
    )
    colours = np.quantile(covers.reshape(len(covers), -1, 3), np.linspace(0.1, 0.9, 5), axis=1)
    spectrum = np.log(np.abs(np.fft.fft2(covers.mean(axis=3) - covers.mean(axis=(1, 2, 3))[:, None, None])) + 1)
    assert recognised(colours.transpose(1, 0, 2).reshape(len(covers), -1), traits[:, 2]) > 0.9
    assert recognised(spectrum[:, :24, :24].reshape(len(covers), -1), traits[:, 3]) > 0.6


def test_tunes_tell_timbre_and_pace():
    rng = np.random.default_rng(0)
    traits = draw_item_traits(360, rng)
    tunes = np.stack([synthesise(row["timbre"], row["pace"], rng) for row in map(named, traits)])
    frames = tunes[:, : len(tunes[0]) // 400 * 400].reshape(len(tunes), -1, 400)
    spectrum = np.abs(np.fft.rfft(frames * np.hanning(400), axis=2))[:, :, :192]
    bands = np.log(spectrum.reshape(*spectrum.shape[:2], 48, 4).mean(axis=3) + 1e-3)
    loudness = bands.mean(axis=2)
    rhythm = np.abs(np.fft.rfft(loudness - loudness.mean(axis=1, keepdims=True), axis=1))
    features = np.concatenate([bands.mean(axis=1), bands.std(axis=1), rhythm], axis=1)
    assert tunes.dtype == np.float32
    assert tunes.shape[1] == 1.25 * RATE
    assert recognised(features, traits[:, 4]) > 0.8
    assert recognised(features, traits[:, 5]) > 0.8
