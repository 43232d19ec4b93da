import json

from tfrec.alarms.alarm import Alarm

ALARM = Alarm("collapse", "all get the same", "people differ", "train longer", {"same_share": 1.0})


def test_an_alarm_reads_as_one_sentence_that_says_what_was_seen_what_is_expected_and_what_to_do():
    assert str(ALARM) == "alarm, collapse: all get the same; people differ; train longer."


def test_an_alarm_survives_json_with_its_numbers():
    document = json.loads(json.dumps(ALARM.to_json()))
    assert document["sentence"] == ALARM.sentence and document["numbers"] == {"same_share": 1.0}
    assert Alarm.from_json(document) == ALARM
