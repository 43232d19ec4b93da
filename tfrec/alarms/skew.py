"""Skew: the exported model answers unlike the model that was trained."""

from __future__ import annotations

import numpy as np

from tfrec.alarms.alarm import SKEW, Alarm

# Scores so near, as a share of the best, are alike: an index that finds one item for another of equal content finds it.
_TIED = 1e-5
_EXPECTED = "the same input must give the same answer in training and in serving"
_ADVICE = "export again with the code, encoders and vocabularies the model was trained with"


def vector_skew(signature: str, served: np.ndarray, trained: np.ndarray, tolerance: float) -> Alarm | None:
    """The alarm that a signature's vectors differ from the trained model's.

    Args:
        signature: its name.
        served, trained: float [B, D], for the same input.
        tolerance: the largest difference allowed, as a share of the longest trained vector.
    """
    scale = max(float(np.linalg.norm(trained, axis=1).max(initial=0)), 1e-12)
    lengths = np.linalg.norm(served, axis=1) * np.linalg.norm(trained, axis=1)
    cosine = float(np.min((served * trained).sum(axis=1) / np.maximum(lengths, 1e-12), initial=1.0))
    distance = np.linalg.norm(served - trained, axis=1) / scale
    # A difference that is no number is none that is small enough.
    wrong = ~(distance <= tolerance)
    if not wrong.any():
        return None
    return Alarm(
        SKEW,
        f"{signature} of the exported model gives other vectors than the trained model for {int(wrong.sum())} of "
        f"{len(served)} raw inputs (largest difference {distance.max():.2g} of a vector's length, cosine {cosine:.4f})",
        _EXPECTED,
        _ADVICE,
        {
            "wrong": float(wrong.sum()),
            "asked": float(len(served)),
            "difference": float(distance.max()),
            "cosine": cosine,
            "tolerance": tolerance,
        },
    )


def answer_skew(
    signature: str,
    served_ids: np.ndarray,
    served_scores: np.ndarray,
    ids: np.ndarray,
    scores: np.ndarray,
    tolerance: float,
) -> Alarm | None:
    """The alarm that a signature's lists differ from what the trained model ranks first.

    The scores must agree place by place, and those of an item that is in both lists with each other; an item that is in
    the served list only is allowed where its score ties with the last of the trained one.

    Args:
        served_ids, ids: str [B, K], "" where there are fewer.
        served_scores, scores: float [B, K], 0 where there are fewer.
        tolerance: the largest difference allowed, as a share of the largest trained score.
    """
    _, by_item, above, scale = _compared(served_ids, served_scores, ids, scores)
    by_place = np.abs(served_scores - scores) / scale
    difference = np.maximum(by_place, np.maximum(by_item, np.abs(above)))
    wrong = _wrong(difference, served_ids, ids, tolerance)
    if not wrong.any():
        return None
    return Alarm(
        SKEW,
        f"{signature} of the exported model recommends other items or scores than the trained model for "
        f"{int(wrong.sum())} of {len(ids)} raw requests (largest difference {difference.max():.2g} of the best score)",
        _EXPECTED,
        _ADVICE,
        {
            "wrong": float(wrong.sum()),
            "asked": float(len(ids)),
            "difference": float(difference.max()),
            "tolerance": tolerance,
        },
    )


def partial_answer_skew(
    signature: str,
    served_ids: np.ndarray,
    served_scores: np.ndarray,
    ids: np.ndarray,
    scores: np.ndarray,
    tolerance: float,
    least: float,
) -> Alarm | None:
    """As `answer_skew`, for an index that is to find part of what the trained model ranks first.

    An item in both lists must have the same score, any other one no better than the last of the trained list, lists
    must be as long, and together they must hold the share `least` of the trained ones, or what ties with the last.
    """
    same, by_item, above, _ = _compared(served_ids, served_scores, ids, scores)
    difference = np.maximum(by_item, above)
    wrong = _wrong(difference, served_ids, ids, tolerance)
    tied = ~same.any(axis=2) & (served_ids != "") & (above >= -_TIED)
    found = np.minimum(same.any(axis=1).sum(axis=1) + tied.sum(axis=1), (ids != "").sum(axis=1))
    share = float(found.sum() / max(1, (ids != "").sum()))
    if not wrong.any() and share >= least:
        return None
    return Alarm(
        SKEW,
        f"{signature} of the exported model recommends other items or scores than the trained model for "
        f"{int(wrong.sum())} of {len(ids)} raw requests (largest difference {difference.max(initial=0):.2g} of the "
        f"best score), and finds {share:.1%} of what that ranks first, where at least {least:.1%} is expected",
        _EXPECTED,
        _ADVICE,
        {
            "wrong": float(wrong.sum()),
            "asked": float(len(ids)),
            "difference": float(difference.max(initial=0)),
            "share": share,
            "tolerance": tolerance,
        },
    )


def _compared(
    served_ids: np.ndarray, served_scores: np.ndarray, ids: np.ndarray, scores: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Which items are the same and how far scores are apart, as shares of the largest trained score.

    Returns:
        Whether a served item is a trained one, bool [B, K, K]; how far the score of an item in both lists is from its
        own, [B, K]; how far that of an item in the served list only is above the last trained one, [B, K]; the scale.
    """
    scale = max(float(np.abs(scores).max(initial=0)), 1e-12)
    same = (served_ids[:, :, np.newaxis] == ids[:, np.newaxis, :]) & (served_ids != "")[:, :, np.newaxis]
    apart = np.abs(served_scores[:, :, np.newaxis] - scores[:, np.newaxis, :]) / scale
    by_item = np.where(same, apart, 0).max(axis=2, initial=0)
    last = np.where(ids != "", scores, np.inf).min(axis=1, initial=np.inf)[:, np.newaxis]
    stranger = ~same.any(axis=2) & (served_ids != "")
    return same, by_item, np.where(stranger, (served_scores - last) / scale, 0), scale


def _wrong(difference: np.ndarray, served_ids: np.ndarray, ids: np.ndarray, tolerance: float) -> np.ndarray:
    """Which lists differ by more than is allowed, or are not as long; a difference that is no number is too large."""
    return ~(difference <= tolerance).all(axis=1) | ((served_ids != "").sum(axis=1) != (ids != "").sum(axis=1))
