"""Verdicts of an audit on outcomes whose truth is made by construction."""

import dataclasses
import json

import numpy as np
import pytest

from tfrec.errors import DataError
from tfrec.evaluation.audit import ALL, HELPS, HURTS, IDS, SAME, Trial, variants, verdicts
from tfrec.evaluation.audit_page import audit_markdown, trial_table
from tfrec.evaluation.audit_record import audit_document, read_audit
from tfrec.evaluation.protocols import protocol
from tfrec.evaluation.result import Estimate, Evaluation, Outcome
from tfrec.evaluation.seeds import Run, compared_over_seeds

MODALITIES = ("attributes", "text", "poster")
NAMES = ["ndcg@10", "recall@10"]


def make_trial(items, worth, seeds=3, users=200, noise=0.05, flip=""):
    """A trial in which every modality adds what `worth` says to each nDCG; `flip` has a seed against it."""
    kept = variants(MODALITIES, with_ids=items == "warm items")
    random = np.random.default_rng(0)
    level = random.uniform(0.2, 0.8, users)
    runs, runs_of_ids = [], []
    for seed in range(seeds):
        outcomes = {}
        for variant, read in kept.items():
            added = sum(worth[name] * (-1 if name == flip and seed == 0 else 1) for name in read)
            values = level + added + random.normal(0, noise, users)
            metrics = {name: Estimate(float(values.mean())) for name in NAMES}
            outcomes[variant] = Outcome(variant, metrics, (1.0,), 0.0, dict.fromkeys(NAMES, values))
        rows = np.arange(users)
        runs.append(Run(seed, rows, make_evaluation(items, users, outcomes, ALL)))
        if IDS in outcomes:
            runs_of_ids.append(Run(seed, rows, make_evaluation(items, users, outcomes, IDS)))
    chosen = protocol("per-user" if items == "warm items" else "held-out-items")
    seconds = {variant: (2.0 + 3.0 * ("poster" in read),) * seeds for variant, read in kept.items()}
    beside_ids = compared_over_seeds(runs_of_ids, NAMES) if runs_of_ids else None
    return Trial(items, chosen, 10, kept, compared_over_seeds(runs, NAMES), beside_ids, seconds)


def make_evaluation(task, users, outcomes, first):
    others = tuple(outcome for name, outcome in outcomes.items() if name != first)
    return Evaluation(task, users, users, 50, (10,), outcomes[first], others, (), (1.0,), {}, 0, 0.95, 0)


def judged(warm, cold, **options):
    trials = [make_trial("warm items", warm, **options), make_trial("cold items", cold, **options)]
    return trials, {verdict.modality: verdict for verdict in verdicts(trials, {"text": 7.0})}


WARM = {"attributes": 0.0, "text": 0.05, "poster": -0.05}
COLD = {"attributes": 0.05, "text": 0.05, "poster": 0.0}


def test_a_modality_that_does_harm_is_named_and_no_other():
    _, found = judged(WARM, COLD)
    told = {name: [effect.verdict for effect in verdict.effects] for name, verdict in found.items()}
    assert told == {"attributes": [SAME, HELPS], "text": [HELPS, HELPS], "poster": [HURTS, SAME]}
    assert [name for name, verdict in found.items() if verdict.harmful] == ["poster"]
    sentence = found["poster"].sentence
    assert sentence.startswith("poster hurts on warm items (nDCG@10 0.") and "p < 0.001" in sentence
    assert "makes no difference on cold items" in sentence and sentence.endswith("it costs +3.0 s a training.")
    assert found["text"].sentence.endswith("it costs +0.0 s a training and 7.0 s to encode the catalogue once.")
    assert found["poster"].effects[0].difference == pytest.approx(-0.05, abs=0.01)


def test_what_hurts_known_items_but_helps_new_ones_is_kept():
    _, found = judged(WARM, {**COLD, "poster": 0.05})
    assert [effect.verdict for effect in found["poster"].effects] == [HURTS, HELPS]
    assert not found["poster"].harmful


def test_what_hurts_in_two_of_three_seeds_only_is_not_named():
    _, found = judged({**WARM, "poster": -0.05}, COLD, flip="poster")
    assert found["poster"].effects[0].p_value < 0.001 and found["poster"].effects[0].seeds_ahead == 1
    assert found["poster"].effects[0].verdict == SAME


def test_chance_alone_is_no_verdict():
    nothing = dict.fromkeys(MODALITIES, 0.0)
    _, found = judged(nothing, nothing)
    assert {effect.verdict for verdict in found.values() for effect in verdict.effects} == {SAME}


def test_everything_is_compared_and_nothing_twice():
    assert list(variants(MODALITIES, with_ids=True)) == [
        "all",
        "ids only",
        "attributes alone",
        "text alone",
        "poster alone",
        "without attributes",
        "without text",
        "without poster",
    ]
    assert variants(("text", "poster"), with_ids=False) == {
        "all": ("text", "poster"),
        "text alone": ("text",),
        "poster alone": ("poster",),
    }
    assert list(variants(("text",), with_ids=True)) == ["all", "ids only"]


def test_the_only_modality_cannot_be_compared_where_nothing_is_left():
    cold = make_trial("cold items", COLD)
    lonely = dataclasses.replace(cold, kept={"all": ("text",)})
    [verdict] = verdicts([lonely])
    assert verdict.effects == () and not verdict.harmful
    assert "nothing is left to compare with" in verdict.sentence


def test_the_page_and_the_document_tell_the_same():
    trials, found = judged(WARM, COLD)
    machine = {"cores": 2, "architecture": "any", "python": "3", "packages": {"numpy": "1"}}
    page = audit_markdown(
        "Shop", trials, list(found.values()), {"text": 7.0}, "Trained.", "validation", "tfrec audit", machine
    )
    assert "To be switched off: `model.without: [poster]`." in page
    assert f"- {found['poster'].sentence}" in page and "0.0083 of a t-test" in page
    assert page.count("| without poster |") == 2 and page.count("| ids only |") == 1
    header, *rows = trial_table(trials[0], {"text": 7.0})
    assert header[-4:] == ["minus all", "minus ids only", "s to encode", "s to train"]
    costs = {row[0]: row[-2:] for row in rows}
    assert costs["all"] == costs["text alone"][:1] + ["5.0"] == ["7.0", "5.0"]
    assert costs["without text"] == ["0.0", "5.0"] and costs["without poster"] == ["7.0", "2.0"]
    features = {"attributes": ("genres", "year"), "text": ("text",), "poster": ("poster",)}
    document = audit_document(trials, list(found.values()), features)
    record = read_audit("a.json", json.dumps(document).encode())
    assert record.harmful == ("poster",) and record.sentences["poster"] == found["poster"].sentence
    assert record.features == features


def test_a_variant_that_was_only_masked_costs_the_training_of_all():
    trial = make_trial("cold items", COLD)
    masked = dataclasses.replace(trial, seconds={"all": (2.0, 4.0)})
    costs = {row[0]: row[-2:] for row in trial_table(masked, {"text": 7.0})[1:]}
    assert costs["all"] == ["7.0", "3.0"] and costs["poster alone"] == ["0.0", "as all"]
    assert trial_table(masked, {})[0][-2:] == ["minus all", "s to train"]


@pytest.mark.parametrize("content", [b"", b"[]", b'{"modalities": {"text": {}}}', b'{"warm": 1}'])
def test_a_file_that_is_no_audit_is_refused(content):
    with pytest.raises(DataError, match=r"a\.json is no audit.*tfrec audit"):
        read_audit("a.json", content)
