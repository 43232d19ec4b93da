"""Section F of the conformance list: Classify, Regress and MultiInference."""

import grpc
import pytest
import tensorflow as tf
from tensorflow_serving.apis import classification_pb2, inference_pb2, input_pb2, predict_pb2, regression_pb2

CLASSIFY, REGRESS = "tensorflow/serving/classify", "tensorflow/serving/regress"


def example(**features):
    message = tf.train.Example()
    for name, value in features.items():
        if isinstance(value, bytes):
            message.features.feature[name].bytes_list.value.append(value)
        else:
            message.features.feature[name].float_list.value.append(value)
    return message


def request(kind, *examples, name="default", signature="", context=None):
    message = kind()
    if name:
        message.model_spec.name = name
        message.model_spec.signature_name = signature
    if context is not None:
        message.input.example_list_with_context.context.CopyFrom(context)
        message.input.example_list_with_context.examples.extend(examples)
    else:
        message.input.example_list.examples.extend(examples)
    return message


def multi(*tasks, examples=None):
    message = inference_pb2.MultiInferenceRequest()
    for name, signature, method in tasks:
        task = message.tasks.add(method_name=method)
        task.model_spec.name, task.model_spec.signature_name = name, signature
    message.input.example_list.examples.extend([example(x=2.0)] if examples is None else examples)
    return message


Classification = classification_pb2.ClassificationRequest
Regression = regression_pb2.RegressionRequest


@pytest.fixture(scope="module")
def stub(half_plus, stubs):
    return stubs(half_plus.grpc_address).prediction


@pytest.fixture(scope="module")
def judging(judge, stubs):
    return stubs(judge.grpc_address).prediction


def failure(call, message):
    with pytest.raises(grpc.RpcError) as raised:
        call(message, timeout=20)
    return raised.value.code().name, raised.value.details()


def test_f1_classify_answers_with_classes_and_the_resolved_model(stub):
    response = stub.Classify(request(Classification, example(x=2.0), signature="classify_x_to_y"))
    ((found,),) = [entry.classes for entry in response.result.classifications]
    assert (found.label, found.score) == ("", 3.0)
    spec = response.model_spec
    assert (spec.name, spec.signature_name, spec.version.value) == ("default", "classify_x_to_y", 123)


def test_f2_regress_answers_with_a_value_for_each_example(stub):
    response = stub.Regress(request(Regression, example(x=2.0), example(x=80.0), signature="regress_x_to_y"))
    assert [entry.value for entry in response.result.regressions] == [3.0, 42.0]
    assert response.model_spec.signature_name == "regress_x_to_y"


def test_f3_multi_inference_answers_every_task_in_order(stub):
    tasks = [("default", "regress_x_to_y", REGRESS), ("default", "classify_x_to_y", CLASSIFY)]
    first, second = stub.MultiInference(multi(*tasks)).results
    assert first.regression_result.regressions[0].value == 3.0
    assert second.classification_result.classifications[0].classes[0].score == 3.0
    assert [entry.model_spec.signature_name for entry in (first, second)] == ["regress_x_to_y", "classify_x_to_y"]
    assert [entry.model_spec.version.value for entry in (first, second)] == [123, 123]


def test_f4_input_without_examples(stub):
    empty = ("INVALID_ARGUMENT", "Input is empty.")
    assert failure(stub.Classify, request(Classification, signature="classify_x_to_y")) == empty
    assert failure(stub.Regress, request(Regression, signature="regress_x_to_y", context=example(x=1.0))) == empty
    assert failure(stub.MultiInference, multi(("default", "regress_x_to_y", REGRESS), examples=[])) == empty


def test_f5_context_is_part_of_every_example(stub, judging):
    message = request(Regression, example(), example(), signature="regress_x_to_y", context=example(x=2.0))
    assert [entry.value for entry in stub.Regress(message).result.regressions] == [3.0, 3.0]
    message = request(Classification, example(x=1.0), example(x=2.0), context=example(word=b"w"))
    found = [[(c.label, c.score) for c in e.classes] for e in judging.Classify(message).result.classifications]
    assert found == [[("w", 1.0), ("w!", -1.0)], [("w", 2.0), ("w!", -2.0)]]


def test_f6_unknown_signature(stub):
    for call, kind in ((stub.Classify, Classification), (stub.Regress, Regression)):
        expected = ("INVALID_ARGUMENT", "No signature was found with the name: nope")
        assert failure(call, request(kind, example(x=2.0), signature="nope")) == expected
    expected = ("INVALID_ARGUMENT", "Requested signature not found in model graph: nope")
    assert failure(stub.MultiInference, multi(("default", "nope", REGRESS))) == expected


def test_f7_signatures_that_are_not_made_for_the_method(stub):
    one = example(x=2.0)
    code, text = failure(stub.Classify, request(Classification, one, signature="regress_x_to_y"))
    wanted = 'Expected classification signature outputs to contain at least one of "classes" or "scores".'
    assert code == "INVALID_ARGUMENT" and text.startswith(wanted)
    code, text = failure(stub.Regress, request(Regression, one))
    assert code == "INVALID_ARGUMENT" and "No regression outputs found in SignatureDef: " in text
    code, text = failure(stub.Regress, request(Regression, one, signature="named_outputs"))
    assert code == "INVALID_ARGUMENT" and "No regression inputs found in SignatureDef: " in text
    code, text = failure(stub.Classify, request(Classification, one, signature="named_scores"))
    assert code == "INVALID_ARGUMENT" and "No classification inputs found in SignatureDef: " in text


@pytest.mark.parametrize(
    ("signature", "text"),
    [
        ("numbers", "Expected classes Tensor of DT_STRING. Got: DT_FLOAT"),
        ("words", "Expected scores Tensor of DT_FLOAT. Got: DT_STRING"),
        ("flat", "Expected Tensor shape: [batch_size num_classes] but got [2]"),
        ("wide", "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got [2,2]"),
        ("double", "Expected output Tensor of DT_FLOAT.  Got: DT_DOUBLE"),
        ("short", "Input batch size did not match output batch size: 2 vs. 1"),
    ],
)
def test_f8_outputs_of_a_wrong_shape_or_type(judging, signature, text):
    classifies = signature in ("numbers", "words", "flat")
    call, kind = (judging.Classify, Classification) if classifies else (judging.Regress, Regression)
    message = request(kind, example(x=1.0), example(x=2.0), signature=signature)
    assert failure(call, message) == ("INVALID_ARGUMENT", text)


def test_f9_tasks_that_cannot_be_done_together(stub):
    good = ("default", "regress_x_to_y", REGRESS)
    for tasks, code, text in (
        ([good, ("other", "", REGRESS)], "INVALID_ARGUMENT", "All ModelSpecs in a MultiInferenceRequest must access"),
        ([good, good], "INVALID_ARGUMENT", "Duplicate evaluation of signature: regress_x_to_y"),
        (
            [("default", "regress_x_to_y", "tensorflow/serving/predict")],
            "UNIMPLEMENTED",
            "Unsupported signature method_name: tensorflow/serving/predict",
        ),
        ([("", "regress_x_to_y", REGRESS)], "INVALID_ARGUMENT", "Found ModelSpec with an empty model name."),
        ([good, ("default", "regress_x2_to_y3", REGRESS)], "INVALID_ARGUMENT", "Input tensor must be the same for all"),
    ):
        found = failure(stub.MultiInference, multi(*tasks))
        assert found[0] == code and found[1].startswith(text)


def test_f10_example_without_a_feature_that_is_needed(stub):
    code, text = failure(stub.Regress, request(Regression, example(), signature="regress_x_to_y"))
    assert code == "INVALID_ARGUMENT"
    assert "Name: <unknown>, Feature: x (data type: float) is required but could not be found." in text
    assert "[[{{node ParseExample/ParseExample" in text


def test_f11_signatures_of_tensorflow_2_classify_and_regress(judging):
    (entry,) = judging.Classify(request(Classification, example(x=1.0, word=b"a"))).result.classifications
    assert [(found.label, found.score) for found in entry.classes] == [("a", 1.0), ("a!", -1.0)]
    (entry,) = judging.Classify(
        request(Classification, example(x=1.0, word=b"a"), signature="labels")
    ).result.classifications
    assert [(found.label, found.score) for found in entry.classes] == [("a", 0.0)]
    (value,) = judging.Regress(request(Regression, example(x=4.0), signature="twice")).result.regressions
    assert value.value == 8.0


def test_model_spec_and_servable_are_checked_as_for_predict(stub):
    for call, kind in ((stub.Classify, Classification), (stub.Regress, Regression)):
        assert failure(call, kind(input=input_pb2.Input())) == ("INVALID_ARGUMENT", "Missing ModelSpec")
        expected = ("NOT_FOUND", "Servable not found for request: Latest(foo)")
        assert failure(call, request(kind, example(x=1.0), name="foo")) == expected


def test_a10_method_names_are_checked_if_wanted(base_paths, serve_model, stubs):
    with serve_model(base_paths["judge"], rest_api_port=None, check_method_names=True) as server:
        stub = stubs(server.grpc_address).prediction
        code, text = failure(stub.Classify, request(Classification, example(x=1.0)))
        assert code == "INVALID_ARGUMENT" and text.startswith("Expected classification signature method_name to be")
        code, text = failure(stub.Regress, request(Regression, example(x=1.0), signature="twice"))
        assert code == "INVALID_ARGUMENT" and text.startswith("Expected regression signature method_name to be")


def test_a10_predict_refuses_a_signature_of_another_method_only_if_wanted(stub, base_paths, serve_model, stubs):
    message = predict_pb2.PredictRequest()
    message.model_spec.name, message.model_spec.signature_name = "default", "of_another_method"
    message.inputs["x"].CopyFrom(tf.make_tensor_proto([[2.0]]))
    assert list(stub.Predict(message).outputs["y"].float_val) == [3.0]
    with serve_model(base_paths["half_plus"], rest_api_port=None, check_method_names=True) as server:
        assert failure(stubs(server.grpc_address).prediction.Predict, message) == (
            "INTERNAL",
            "Expected prediction signature method_name to be one of {tensorflow/serving/predict, "
            "tensorflow/serving/classify, tensorflow/serving/regress}. Was: a method of its own",
        )
