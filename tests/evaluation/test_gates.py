import dataclasses

import pytest

from tfrec.alarms.alarm import Alarm
from tfrec.config import Gates
from tfrec.evaluation.audit_record import AuditRecord
from tfrec.evaluation.gates import check_gates, check_index, check_modalities, check_served
from tfrec.evaluation.result import Difference, Estimate, Evaluation, Outcome


def outcome(name, ndcg, coverage=0.5):
    return Outcome(name, {"ndcg@10": Estimate(ndcg), "coverage@10": Estimate(coverage)}, (1.0,), 0.0)


@pytest.fixture
def evaluation():
    return Evaluation(
        task="warm items, test part",
        users=10,
        relevant=20,
        candidates=30,
        ks=(10,),
        model=outcome("model", 0.3),
        baselines=(outcome("MostPop", 0.2), outcome("EASE", 0.31)),
        differences=(),
        relevant_popularity_shares=(1.0,),
        left_out={},
        bootstrap=0,
        confidence=0.95,
        seed=0,
    )


def test_a_model_above_its_baseline_is_blessed(evaluation):
    assert check_gates(Gates(), evaluation) == []


@pytest.mark.parametrize(
    "gates, reason",
    [
        (
            Gates(better_than=("MostPop", "EASE")),
            "ndcg@10 is 0.3000 on warm items, test part, which is not better than EASE (0.3100).",
        ),
        (
            Gates(margin=1.5),
            "ndcg@10 is 0.3000 on warm items, test part, which is not better than 1.5 times MostPop (0.2000).",
        ),
        (Gates(minimum_coverage=0.6), "coverage@10 is 50.0% of the candidates, below the required 60.0%."),
        (
            Gates(better_than=("ALS",)),
            "The gate compares with ALS, which was not evaluated; evaluated baselines: MostPop, EASE.",
        ),
        (
            Gates(metric="ndcg@7"),
            "The gate asks for ndcg@7, which was not measured; measured were coverage@10, ndcg@10.",
        ),
    ],
)
def test_a_model_that_fails_a_gate_is_told_why(evaluation, gates, reason):
    assert check_gates(gates, evaluation) == [reason]


def test_every_failed_gate_is_named(evaluation):
    gates = Gates(better_than=("MostPop", "EASE"), margin=2, minimum_coverage=0.9)
    assert len(check_gates(gates, evaluation)) == 3


def test_equal_to_the_baseline_is_not_better(evaluation):
    level = dataclasses.replace(evaluation, model=outcome("model", 0.2))
    assert "not better than MostPop" in check_gates(Gates(), level)[0]


def test_a_model_without_a_value_is_not_blessed(evaluation):
    broken = dataclasses.replace(evaluation, model=outcome("model", None))
    assert check_gates(Gates(), broken) == [
        "model has no finite ndcg@10 on warm items, test part, so it cannot be judged."
    ]


def test_an_alarm_is_a_reason_but_what_lies_below_popularity_is_left_to_the_gates(evaluation):
    alarms = [
        Alarm("collapse", "all users get one list", "people differ", "train longer"),
        Alarm("below MostPop", "ndcg@10 is low", "it is above", "train longer"),
    ]
    assert check_gates(Gates(), evaluation, alarms) == ["Collapse: all users get one list."]


def test_a_model_that_reads_what_an_audit_found_harmful_is_not_blessed():
    features = {"attributes": ("genres", "year"), "poster": ("poster",)}
    sentences = {"attributes": "attributes helps.", "poster": "poster hurts."}
    audit = AuditRecord("a.json", features, sentences, harmful=("poster",))
    assert check_modalities(audit, ["genres", "year"]) == []
    [reason] = check_modalities(audit, ["genres", "poster"])
    assert "The model reads poster" in reason and "poster hurts." in reason and "model.without: [poster]" in reason
    [reason] = check_modalities(audit, ["genres", "blurb"])
    assert "The model reads blurb, which the audit a.json did not measure" in reason


def test_an_exact_index_and_one_that_finds_what_was_asked_are_blessed():
    assert check_index({}, 0.95) == check_index({"kind": "exact", "recall": 1.0}, 0.95) == []
    assert check_index({"kind": "partitioned", "recall": 0.95}, 0.95) == []


@pytest.mark.parametrize(
    "record, measured",
    [({"recall": 0.9412}, "found 94.1% of the best items"), ({}, "was not measured")],
)
def test_an_index_that_finds_less_than_was_asked_is_not_blessed(record, measured):
    assert check_index({"kind": "partitioned", **record}, 0.95) == [
        f"The partitioned index {measured}, and serving.recall asks for 95.0%; export again, or set serving.index to "
        "exact."
    ]


@pytest.mark.parametrize(
    ("asked", "apart", "p_value", "blessed"),
    [
        ("not-worse", -0.02, 0.01, False),
        ("not-worse", -0.02, 0.3, True),
        ("not-worse", 0.01, 0.9, True),
        ("not-worse", 0.0, 1.0, True),
        ("better", 0.01, 0.9, True),
        ("better", 0.0, 1.0, False),
        ("better", -0.001, 0.9, False),
        ("ignore", -0.2, 0.001, True),
    ],
)
def test_the_served_model_is_a_gate_of_its_own(evaluation, asked, apart, p_value, blessed):
    served = outcome("served version 3", 0.3 - apart)
    differences = (Difference("served version 3", "ndcg@10", apart, None, None, p_value),)
    evaluation = dataclasses.replace(evaluation, baselines=(served,), differences=differences)
    reasons = check_served(Gates(served=asked), evaluation, "served version 3", "Mind the split.")
    assert (reasons == []) == blessed
    if reasons:
        assert f"asks for a model that is {asked.replace('-', ' ')}. Mind the split." in reasons[0]
