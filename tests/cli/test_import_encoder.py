import os


def test_a_checkpoint_becomes_an_encoder(tfrec, word_encoder, tmp_path):
    checkpoint = os.path.join(os.path.dirname(word_encoder), "checkpoint")
    done = tfrec("import-encoder", "bert", checkpoint, tmp_path / "encoder", "--json")
    assert done.status == 0, done.err
    assert done.json == {"encoder": str(tmp_path / "encoder")}
    assert sorted(os.listdir(tmp_path / "encoder")) == ["encoder", "encoder.json", "preprocessor"]


def test_a_folder_without_a_checkpoint_is_refused(tfrec, tmp_path, one_sentence):
    one_sentence(tfrec("import-encoder", "bert", tmp_path, tmp_path / "encoder"))
    assert not (tmp_path / "encoder").exists()
