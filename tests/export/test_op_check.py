import pytest
import tensorflow as tf

from tfrec.export.op_check import servable_problems


def save(path, function, *specs):
    module = tf.Module()
    module.run = tf.function(function, input_signature=list(specs))
    tf.saved_model.save(module, str(path), signatures={"serving_default": module.run})
    return str(path)


FLOATS = tf.TensorSpec([None, 2], tf.float32, name="x")
STRINGS = tf.TensorSpec([None], tf.string, name="text")


def test_the_export_of_all_modalities_runs_on_the_stock_image(exported):
    assert servable_problems(exported) == []


def test_python_in_the_graph_is_found(tmp_path):
    def python(x):
        return {"y": tf.ensure_shape(tf.py_function(lambda value: value, [x], tf.float32), [None, 2])}

    (problem,) = servable_problems(save(tmp_path, python, FLOATS))
    assert problem == "op EagerPyFunc has no kernel in the serving image"


def test_text_ops_that_the_image_does_not_link_are_found(tmp_path):
    import tensorflow_text as text

    def trim(words):
        tokens = tf.RaggedTensor.from_tensor(tf.strings.to_number(words, tf.int32)[:, tf.newaxis])
        (trimmed,) = text.RoundRobinTrimmer(max_seq_length=3).trim([tokens])
        return {"y": trimmed.to_tensor(shape=[None, 3])}

    problems = servable_problems(save(tmp_path, trim, STRINGS))
    assert "op TFText>RoundRobinTrim is not linked into the serving image" in problems


def test_a_batch_of_one_size_is_found(tmp_path):
    problems = servable_problems(save(tmp_path, lambda x: {"y": x * 2}, tf.TensorSpec([4, 2], tf.float32, name="x")))
    assert problems == [
        "input 'x' of signature 'serving_default' has no free batch dimension 0",
        "output 'y' of signature 'serving_default' has no free batch dimension 0",
    ]


def test_a_function_that_must_be_compiled_is_found(tmp_path):
    inner = tf.function(lambda x: x + 1, jit_compile=True)
    problems = servable_problems(save(tmp_path, lambda x: {"y": inner(x)}, FLOATS))
    assert any("must be compiled by XLA" in problem for problem in problems)


def test_a_model_without_the_serving_tag_is_found(tmp_path):
    from tensorflow.core.protobuf import saved_model_pb2

    folder = save(tmp_path, lambda x: {"y": x * 2}, FLOATS)
    path = tmp_path / "saved_model.pb"
    model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    model.meta_graphs[0].meta_info_def.tags[:] = ["train"]
    path.write_bytes(model.SerializeToString())
    assert servable_problems(folder) == ["the SavedModel has no meta graph tagged 'serve'"]


def test_a_folder_without_a_model_is_an_error(tmp_path):
    with pytest.raises(tf.errors.NotFoundError):
        servable_problems(str(tmp_path))


def test_an_unservable_model_is_refused_and_not_written(trained, dataset, tmp_path, monkeypatch):
    from tfrec.errors import ServableError
    from tfrec.export.export import export_servable

    monkeypatch.setattr("tfrec.export.op_check.TEXT_OPS", frozenset())
    with pytest.raises(ServableError, match="the stock serving image cannot run this model: op "):
        export_servable(trained, dataset, str(tmp_path / "1"), say=lambda line: None)
    assert list(tmp_path.iterdir()) == []
