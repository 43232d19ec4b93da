"""A schema with every kind of item feature, and an encoder that needs no files."""

import pytest
import tensorflow as tf

from tfrec.encoders.base import Encoder
from tfrec.schema_parsing import parse_schema

DOCUMENT = {
    "items": {
        "id": "item",
        "features": {
            "genre": "category",
            "tags": "categories",
            "price": "number",
            "blurb": "text",
            "cover": "image",
        },
    },
    "users": {"id": "user", "features": {"country": "category", "age": "number"}},
    "events": {"user": "user", "item": "item", "context": {"device": "category"}},
}


class LengthEncoder(Encoder):
    """Prepares the length of the raw content; trains one matrix over it."""

    def __init__(self, dimension=4, **kwargs):
        super().__init__(**kwargs)
        self.dimension, self.frozen = dimension, False
        self.content_spec = tf.TensorSpec([1], tf.int32)
        self.dense = tf.keras.layers.Dense(dimension, use_bias=False)

    def prepare(self, raw):
        return tf.strings.length(raw)[:, tf.newaxis]

    def call(self, content, training=False):
        return self.dense(tf.cast(content, tf.float32))

    def fingerprint(self):
        return "length"


@pytest.fixture(scope="module")
def schema():
    return parse_schema(DOCUMENT, "", "schema")


@pytest.fixture(scope="module")
def length_encoder():
    return LengthEncoder
