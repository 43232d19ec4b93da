import contextlib

import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from tfrec.errors import ServableError
from tfrec.export.op_check import examine, servable_problems
from tfrec.export.serving_image import GRAPH_VERSIONS, serving_image
from tfrec.export.warmup import write_warmup


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
    assert problem == "op EagerPyFunc has no kernel in image 2.16.1"


def test_text_ops_that_the_image_does_not_link_are_found(tmp_path):
    import tensorflow_text as text

    def trim(words):
        tokens = tf.RaggedTensor.from_tensor(tf.strings.to_number(words, tf.int32)[:, tf.newaxis])
        (trimmed,) = text.RoundRobinTrimmer(max_seq_length=3).trim([tokens])
        return {"y": trimmed.to_tensor(shape=[None, 3])}

    folder = save(tmp_path, trim, STRINGS)
    for version in ("2.15.0", "2.16.1", "2.19.1"):
        expected = f"op TFText>RoundRobinTrim is not linked into image {version}, but from 2.20 on"
        assert expected in servable_problems(folder, serving_image(version))
    assert servable_problems(folder, serving_image("2.20.0")) == []


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
    folder = save(tmp_path, lambda x: {"y": x * 2}, FLOATS)
    with edited(tmp_path) as graph:
        graph.meta_info_def.tags[:] = ["train"]
    assert servable_problems(folder) == ["the SavedModel has no meta graph tagged 'serve'"]


@pytest.mark.parametrize("op", ["Scann>ScannSearch", "XlaLaunch", "TPUExecute", "NcclAllReduce", "Addons>Blend"])
def test_ops_of_libraries_that_no_image_links_are_found(tmp_path, op):
    folder = save(tmp_path, lambda x: {"y": x * 2}, FLOATS)
    rename_op(tmp_path, "Mul", op)
    for version in GRAPH_VERSIONS:
        assert servable_problems(folder, serving_image(version)) == [f"op {op} has no kernel in image {version}"]


def test_an_op_is_linked_from_the_version_it_came_with(tmp_path):
    folder = save(tmp_path, lambda x: {"y": x * 2}, FLOATS)
    rename_op(tmp_path, "Mul", "DecodeWebP")
    [problem] = servable_problems(folder, serving_image("2.19.0"))
    assert problem == "op DecodeWebP is not linked into image 2.19.0: it came with TensorFlow 2.20"
    assert servable_problems(folder, serving_image("2.20.0")) == []
    rename_op(tmp_path, "DecodeWebP", "DecodeJxl")  # of TensorFlow 2.21, which no image has
    assert len(servable_problems(folder, serving_image("2.20.0"))) == 1


def test_an_op_that_nobody_defines_is_found(tmp_path):
    folder = save(tmp_path, lambda x: {"y": x * 2}, FLOATS)
    rename_op(tmp_path, "Mul", "OurOwnOp")
    assert servable_problems(folder) == ["op OurOwnOp is not linked into image 2.16.1"]


def test_a_graph_that_asks_for_a_newer_consumer_is_found(tmp_path):
    folder = save(tmp_path, lambda x: {"y": x * 2}, FLOATS)
    with edited(tmp_path) as graph:
        graph.graph_def.versions.min_consumer = 1800
        graph.graph_def.versions.bad_consumers.append(GRAPH_VERSIONS["2.17"])
    assert "asks for graph version 1800" in servable_problems(folder, serving_image("2.16"))[0]
    assert "must not be run" in servable_problems(folder, serving_image("2.17.0"))[0]
    assert servable_problems(folder, serving_image("2.18.0")) == []


def test_an_attribute_that_the_image_ignores_is_a_remark(tmp_path):
    folder = save(tmp_path, lambda x: {"y": tf.matmul(x, x, transpose_b=True)}, FLOATS)
    with edited(tmp_path) as graph:
        for node in nodes(graph):
            if node.op == "MatMul":
                node.attr["grad_a"].b = True
    assert servable_problems(folder, serving_image("2.15.1")) == []

    def remarks(version):
        return [remark for one in examine(folder, serving_image(version)) for remark in one.remarks]

    assert "image 2.15.1 ignores attribute grad_a of MatMul" in remarks("2.15.1")
    assert not any("grad_a" in remark for remark in remarks("2.16.1"))


def test_warmup_requests_that_do_not_fit_are_found(tmp_path):
    folder = save(tmp_path, lambda x: {"y": x * 2}, FLOATS)
    write_warmup(folder, "any", {"serving_default": {"x": FLOATS}})
    assert servable_problems(folder) == []
    wrong = {
        "asks for signature 'nope', which the model has not": {"nope": {"x": FLOATS}},
        "given or wanted, but not both: x, z": {"serving_default": {"z": FLOATS}},
        "gives input 'x' as string, expected float32": {"serving_default": {"x": tf.TensorSpec([None, 2], tf.string)}},
        "gives input 'x' in shape [1, 3], expected (None, 2)": {
            "serving_default": {"x": tf.TensorSpec([None, 3], tf.float32)}
        },
    }
    for problem, requests in wrong.items():
        write_warmup(folder, "any", requests)
        first, *_ = servable_problems(folder)
        assert first.startswith("warm-up request 1 ") and problem in first


def test_broken_warmup_records_are_found(tmp_path):
    folder = save(tmp_path, lambda x: {"y": x * 2}, FLOATS)
    write_warmup(folder, "any", {"serving_default": {"x": FLOATS}}, (1,) * 1001)
    assert servable_problems(folder) == ["there are more than 1000 warm-up requests, which the server refuses"]
    path = tmp_path / "assets.extra" / "tf_serving_warmup_requests"
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(b"\xff no message")
        writer.write(b"")
    assert servable_problems(folder) == [
        "warm-up request 1 is no PredictionLog",
        "warm-up request 2 is of the kind none, expected a predict_log",
    ]
    path.write_bytes(path.read_bytes()[:-3])
    assert any("cannot be read after 1" in problem for problem in servable_problems(folder))


def test_an_image_of_which_nothing_is_known_is_an_error():
    for version in ("2.14.1", "2.99", "latest"):
        with pytest.raises(ServableError, match=r"links is not known; give a version of 2\.15 to 2\.20"):
            serving_image(version)


def test_what_is_no_model_is_an_error(tmp_path):
    with pytest.raises(ServableError, match="cannot be read"):
        servable_problems(str(tmp_path))
    (tmp_path / "saved_model.pb").write_bytes(b"\xff half of one")
    with pytest.raises(ServableError, match="is no SavedModel"):
        servable_problems(str(tmp_path))


def test_an_unservable_model_is_refused_and_not_written(trained, dataset, tmp_path, monkeypatch):
    from tfrec.export.export import export_servable

    monkeypatch.setattr("tfrec.export.serving_image.TEXT_OPS", frozenset())
    with pytest.raises(ServableError, match="the stock serving image cannot run this model: op "):
        export_servable(trained, dataset, str(tmp_path / "1"), say=lambda line: None)
    assert list(tmp_path.iterdir()) == []


@contextlib.contextmanager
def edited(folder):
    """The first meta graph of the model in `folder`, to be changed."""
    path = folder / "saved_model.pb"
    model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    yield model.meta_graphs[0]
    path.write_bytes(model.SerializeToString())


def nodes(graph):
    yield from graph.graph_def.node
    for function in graph.graph_def.library.function:
        yield from function.node_def


def rename_op(folder, old, new):
    with edited(folder) as graph:
        for node in nodes(graph):
            if node.op == old:
                node.op = new
