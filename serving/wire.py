"""The few messages of TensorFlow Serving's gRPC API, built at import from a table of field numbers.

They live in a descriptor pool of their own, so that a client needs neither TensorFlow nor tensorflow-serving-api, and
can share a process with them. Names are local; what travels is defined by the numbers and types alone
(tensorflow/core/framework, tensorflow/core/protobuf and tensorflow_serving/apis). Enums travel as int32.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

# message: field=number type; * marks a repeated field, map a map from string.
TABLE = """
Dim: size=1 int64, name=2 string
TensorShape: dim=2 *Dim, unknown_rank=3 bool
Tensor: dtype=1 int32, tensor_shape=2 TensorShape, tensor_content=4 bytes, float_val=5 *float, double_val=6 *double, \
int_val=7 *int32, string_val=8 *bytes, int64_val=10 *int64, bool_val=11 *bool, half_val=13 *int32, \
uint32_val=16 *uint32, uint64_val=17 *uint64
TensorInfo: name=1 string, dtype=2 int32, tensor_shape=3 TensorShape
SignatureDef: inputs=1 map TensorInfo, outputs=2 map TensorInfo, method_name=3 string
SignatureDefMap: signature_def=1 map SignatureDef
Int64Value: value=1 int64
Any: type_url=1 string, value=2 bytes
ModelSpec: name=1 string, version=2 Int64Value, signature_name=3 string, version_label=4 string
PredictRequest: model_spec=1 ModelSpec, inputs=2 map Tensor, output_filter=3 *string
PredictResponse: outputs=1 map Tensor, model_spec=2 ModelSpec
GetModelMetadataRequest: model_spec=1 ModelSpec, metadata_field=2 *string
GetModelMetadataResponse: model_spec=1 ModelSpec, metadata=2 map Any
GetModelStatusRequest: model_spec=1 ModelSpec
StatusProto: error_code=1 int32, error_message=2 string
ModelVersionStatus: version=1 int64, state=2 int32, status=3 StatusProto
GetModelStatusResponse: model_version_status=1 *ModelVersionStatus
HealthCheckRequest: service=1 string
HealthCheckResponse: status=1 int32
"""
PACKAGE = "tfrec.wire"
Field = descriptor_pb2.FieldDescriptorProto


def message_classes(table: str) -> dict[str, Any]:
    """Message classes by name for a table as above."""
    file = descriptor_pb2.FileDescriptorProto(name="tfrec_wire.proto", package=PACKAGE, syntax="proto3")
    lines = [line for line in table.strip().splitlines() if line]
    for line in lines:
        name, fields = line.split(":")
        _add_message(file, name, [field.split() for field in fields.split(",")])
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    names = [message.name for message in file.message_type]
    return {name: _class_of(pool.FindMessageTypeByName(f"{PACKAGE}.{name}"), pool) for name in names}


def _add_message(file: Any, name: str, fields: list[list[str]]) -> None:
    message = file.message_type.add(name=name)
    for assignment, *kind in fields:
        field_name, number = assignment.split("=")
        field = message.field.add(name=field_name, number=int(number))
        if kind[0] == "map":
            entry = message.nested_type.add(name=f"{field_name.title().replace('_', '')}Entry")
            entry.options.map_entry = True
            _set_type(entry.field.add(name="key", number=1, label=Field.LABEL_OPTIONAL), "string")
            _set_type(entry.field.add(name="value", number=2, label=Field.LABEL_OPTIONAL), kind[1])
            _set_type(field, f"{name}.{entry.name}")
        else:
            _set_type(field, kind[0].lstrip("*"))
        repeated = kind[0] == "map" or kind[0].startswith("*")
        field.label = Field.LABEL_REPEATED if repeated else Field.LABEL_OPTIONAL


def _set_type(field: Any, kind: str) -> None:
    if kind[0].isupper():
        field.type = Field.TYPE_MESSAGE
        field.type_name = f".{PACKAGE}.{kind}"
    else:
        field.type = getattr(Field, f"TYPE_{kind.upper()}")


def _class_of(descriptor: Any, pool: Any) -> Any:
    if hasattr(message_factory, "GetMessageClass"):  # protobuf 4.22 and later
        return message_factory.GetMessageClass(descriptor)
    return message_factory.MessageFactory(pool).GetPrototype(descriptor)


_CLASSES = message_classes(TABLE)
Tensor = _CLASSES["Tensor"]
SignatureDefMap = _CLASSES["SignatureDefMap"]
ModelSpec = _CLASSES["ModelSpec"]
PredictRequest = _CLASSES["PredictRequest"]
PredictResponse = _CLASSES["PredictResponse"]
GetModelMetadataRequest = _CLASSES["GetModelMetadataRequest"]
GetModelMetadataResponse = _CLASSES["GetModelMetadataResponse"]
GetModelStatusRequest = _CLASSES["GetModelStatusRequest"]
GetModelStatusResponse = _CLASSES["GetModelStatusResponse"]
HealthCheckRequest = _CLASSES["HealthCheckRequest"]
HealthCheckResponse = _CLASSES["HealthCheckResponse"]

PREDICT = "/tensorflow.serving.PredictionService/Predict"
GET_MODEL_METADATA = "/tensorflow.serving.PredictionService/GetModelMetadata"
GET_MODEL_STATUS = "/tensorflow.serving.ModelService/GetModelStatus"
