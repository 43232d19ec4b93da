import tfrec  # noqa: F401  imported before any test imports TensorFlow, so that tf.keras is Keras 2
