import pytest


@pytest.fixture(scope="session")
def exported(trained, dataset, tmp_path_factory):
    """Folder of the servable of the shop with all modalities."""
    from tfrec.export.export import export_servable

    folder = tmp_path_factory.mktemp("exported") / "1"
    return export_servable(trained, dataset, str(folder), {"ndcg@10": 0.5}, say=lambda line: None)


@pytest.fixture(scope="session")
def loaded(exported):
    from tfrec.export.loaded import LoadedServable

    return LoadedServable(exported)


@pytest.fixture
def ask(loaded):
    """Calls a signature; inputs left out are absent: ask("serving_default", 2, user_id=["u1", "u2"])."""
    return asker(loaded)


@pytest.fixture(scope="session")
def make_asker():
    return asker


def asker(servable):
    import tensorflow as tf

    def ask(signature, batch, **given):
        function = servable.signatures[signature]
        inputs = {}
        for name, spec in function.structured_input_signature[1].items():
            shape = [batch, *spec.shape[1:]]
            absent = "" if spec.dtype == tf.string else float("nan")
            value = given.pop(name, None)
            if value is None:
                inputs[name] = tf.fill(shape, absent)
            elif spec.shape.rank == 2:
                padded = [(list(row) + [""] * spec.shape[1])[: spec.shape[1]] for row in value]
                inputs[name] = tf.constant(padded, spec.dtype)
            else:
                inputs[name] = tf.constant(value, spec.dtype)
        assert not given, f"no such input: {given}"
        answer = {name: tensor.numpy() for name, tensor in function(**inputs).items()}
        if "item_ids" in answer:
            answer["item_ids"] = [[item.decode() for item in row] for row in answer["item_ids"]]
        return answer

    return ask
