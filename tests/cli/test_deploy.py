def test_files_are_written_for_a_configurations_model(tfrec, shop, tmp_path):
    shown = tfrec("deploy", "-c", shop.config, "--out", tmp_path / "deploy", "--json")
    assert shown.status == 0
    assert shown.json["models"] == shop.versions
    text = (tmp_path / "deploy/config/models.config").read_text()
    assert f'name: "{shown.json["name"]}"' in text
    assert f"${{MODELS:-{shop.versions}}}" in (tmp_path / "deploy/compose.yaml").read_text()
    assert all(str(tmp_path) in path for path in shown.json["files"])


def test_without_a_configuration_name_and_place_are_needed(tfrec, tmp_path):
    shown = tfrec("deploy", "--name", "films", "--out", tmp_path)
    assert shown.status == 2
    assert "--name and --models" in shown.err
    shown = tfrec("deploy", "--name", "films", "--models", "s3://b/films", "--out", tmp_path / "deploy")
    assert shown.status == 0
    assert (tmp_path / "deploy/kubernetes/copy-versions.sh").is_file()
