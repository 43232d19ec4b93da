"""Small models written by the tests, and servers that serve them."""

import contextlib
import os
import socket

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def _write_half_plus(path, offset=2.0):
    """y = 0.5 x + offset and y3 = 0.5 x2 + offset + 1, of numbers and of tf.Examples, for all three methods."""
    import tensorflow as tf

    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        examples = v1.placeholder(tf.string, [None], name="tf_example")
        number = tf.io.FixedLenFeature([1], tf.float32)
        parsed = v1.parse_example(examples, {"x": number, "x2": tf.io.FixedLenFeature([1], tf.float32, [0.0])})
        x = tf.identity(parsed["x"], name="x")
        slope = v1.get_variable("slope", initializer=0.5, use_resource=True)
        y = tf.add(slope * x, offset, name="y")
        y2 = tf.add(slope * x, offset + 1, name="y2")
        y3 = tf.add(slope * x, offset + 1, name="y3")
        signatures = {
            "serving_default": _signature({"x": x}, {"y": y}, "tensorflow/serving/predict"),
            "regress_x_to_y": _signature({"inputs": examples}, {"outputs": y}, "tensorflow/serving/regress"),
            "regress_x_to_y2": _signature({"inputs": examples}, {"outputs": y2}, "tensorflow/serving/regress"),
            "classify_x_to_y": _signature({"inputs": examples}, {"scores": y}, "tensorflow/serving/classify"),
            "regress_x2_to_y3": _signature({"inputs": x}, {"outputs": y3}, "tensorflow/serving/regress"),
            "classify_x2_to_y3": _signature({"inputs": x}, {"scores": y3}, "tensorflow/serving/classify"),
        }
        predict = "tensorflow/serving/predict"
        signatures["named_outputs"] = _signature({"x": x}, {"outputs": y}, predict)
        signatures["named_scores"] = _signature({"x": x}, {"scores": y}, predict)
        signatures["of_another_method"] = _signature({"x": x}, {"y": y}, "a method of its own")
        with tf.control_dependencies([tf.debugging.Assert(False, ["this output fails"])]):
            fails = tf.identity(y, name="fails")
        signatures["one_fails"] = _signature({"x": x}, {"y": y, "fails": fails}, predict)
        with_default = _signature({"x": x}, {"y": y}, "tensorflow/serving/predict")
        with_default.defaults["x"].CopyFrom(tf.make_tensor_proto([[8.0]]))
        signatures["with_default"] = with_default
        session.run(v1.global_variables_initializer())
        builder = v1.saved_model.Builder(str(path))
        builder.add_meta_graph_and_variables(session, [tf.saved_model.SERVING], signature_def_map=signatures)
        builder.save()


def _signature(inputs, outputs, method):
    import tensorflow as tf

    info = tf.compat.v1.saved_model.build_tensor_info
    return tf.compat.v1.saved_model.build_signature_def(
        {alias: info(tensor) for alias, tensor in inputs.items()},
        {alias: info(tensor) for alias, tensor in outputs.items()},
        method,
    )


def _write_module(path, **functions):
    """A SavedModel whose signatures are tf.functions made by `functions`, each from the module."""
    import tensorflow as tf

    module = tf.Module()
    signatures = {name: make(module) for name, make in functions.items()}
    tf.saved_model.save(module, str(path), signatures=signatures)


def _counter_functions():
    import tensorflow as tf

    def state(module):
        if not hasattr(module, "counter"):
            module.counter = tf.Variable(0.0)
        return module.counter

    def get(module):
        counter = state(module)
        return tf.function(lambda: {"output": counter.read_value()}, input_signature=[])

    def increase(module):
        counter = state(module)
        return tf.function(lambda: {"output": counter.assign_add(1.0)}, input_signature=[])

    def reset(module):
        counter = state(module)
        return tf.function(lambda: {"output": counter.assign(0.0)}, input_signature=[])

    def increase_by(module):
        counter = state(module)
        spec = [tf.TensorSpec([], tf.float32, name="delta")]
        return tf.function(lambda delta: {"output": counter.assign_add(delta)}, input_signature=spec)

    return {"get_counter": get, "incr_counter": increase, "reset_counter": reset, "incr_counter_by": increase_by}


def _write_echo(path):
    """Every input comes back: floats, doubles, ints, booleans, strings (also under an alias ending in _bytes)."""
    import tensorflow as tf

    def many(module):
        @tf.function(
            input_signature=[
                tf.TensorSpec([None], tf.float32, name="a"),
                tf.TensorSpec([None, 2], tf.int32, name="b"),
                tf.TensorSpec([None], tf.string, name="c"),
                tf.TensorSpec([None], tf.bool, name="d"),
            ]
        )
        def echo(a, b, c, d):
            return {"a": a, "b": b, "c": c, "c_bytes": c, "d": d}

        return echo

    def one(dtype):
        def make(module):
            spec = [tf.TensorSpec(None, dtype, name="x")]
            return tf.function(lambda x: {"x": tf.identity(x)}, input_signature=spec)

        return make

    def slow(module):
        @tf.function(input_signature=[tf.TensorSpec([], tf.int32, name="steps")])
        def spin(steps):
            matrix = tf.ones([300, 300]) / 300.0
            product = tf.while_loop(lambda i, m: i < steps, lambda i, m: (i + 1, m @ matrix), (0, matrix))[1]
            return {"sum": tf.reduce_sum(product)}

        return spin

    def failing(module):
        @tf.function(input_signature=[tf.TensorSpec([], tf.string, name="text")])
        def fail(text):
            with tf.control_dependencies([tf.debugging.Assert(tf.equal(text, "fine"), [text], summarize=10)]):
                return {"text": tf.identity(text)}

        return fail

    def uneven(module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
        def uneven(x):
            return {"all": x, "first": x[:1]}

        return uneven

    dtypes = ("float32", "float64", "int32", "int64", "uint8", "uint32", "uint64", "bool", "string", "half")
    echoes = {f"echo_{name}": one(tf.as_dtype(name)) for name in dtypes}
    _write_module(path, serving_default=many, slow=slow, failing=failing, uneven=uneven, **echoes)


def _write_judge(path):
    """Classify and Regress with the signatures of TensorFlow 2, some of them of wrong shapes and types."""
    import tensorflow as tf

    def over_examples(outputs):
        def make(module):
            @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="inputs")])
            def judge(inputs):
                features = {
                    "x": tf.io.FixedLenFeature([], tf.float32),
                    "word": tf.io.FixedLenFeature([], tf.string, ""),
                }
                parsed = tf.io.parse_example(inputs, features)
                return outputs(parsed["x"], parsed["word"])

            return judge

        return make

    def classes(x, word):
        return {"classes": tf.stack([word, word + "!"], 1), "scores": tf.stack([x, -x], 1)}

    _write_module(
        path,
        serving_default=over_examples(classes),
        labels=over_examples(lambda x, word: {"classes": word[:, None]}),
        twice=over_examples(lambda x, word: {"outputs": 2 * x}),
        double=over_examples(lambda x, word: {"outputs": tf.cast(x, tf.float64)}),
        wide=over_examples(lambda x, word: {"outputs": tf.stack([x, x], 1)}),
        short=over_examples(lambda x, word: {"outputs": x[:1]}),
        numbers=over_examples(lambda x, word: {"classes": x[:, None]}),
        words=over_examples(lambda x, word: {"scores": word[:, None]}),
        flat=over_examples(lambda x, word: {"scores": x}),
    )


H, E, K, N = 5, 3, 6, 20


def _write_recommender(path, boost=100.0, history_length=H, k=K):
    """Items i0 .. i19, i0 the most popular; whoever touched i<n> is recommended i<n+1>.

    The category "comedy" lifts i3, the device "mobile" i4, and the age (a number) counts for i7.
    """
    import tensorflow as tf

    ids = tf.constant([f"i{position}" for position in range(N)])
    positions = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(ids, tf.range(N)), -1)
    user_inputs = [
        tf.TensorSpec([None], tf.string, name="user_id"),
        tf.TensorSpec([None, history_length], tf.string, name="history"),
        tf.TensorSpec([None, E], tf.string, name="exclude"),
        tf.TensorSpec([None], tf.float32, name="age"),
        tf.TensorSpec([None, 2], tf.string, name="genres"),
        tf.TensorSpec([None], tf.string, name="device"),
    ]

    def top(scores, excluded):
        values, best = tf.math.top_k(tf.where(excluded, -float("inf"), scores), k)
        return {"item_ids": tf.where(tf.math.is_inf(values), "", tf.gather(ids, best)), "scores": values}

    def occurs(keys):
        return tf.reduce_sum(tf.one_hot(positions.lookup(keys), N), 1)

    def score(history, age, genres, device):
        scores = tf.range(N, 0, -1, dtype=tf.float32) + boost * tf.roll(occurs(history), 1, axis=1)
        scores += tf.one_hot(7, N) * tf.where(tf.math.is_nan(age), 0.0, age)[:, None]
        scores += 50.0 * tf.one_hot(3, N) * tf.cast(tf.reduce_any(genres == "comedy", 1), tf.float32)[:, None]
        return scores + 60.0 * tf.one_hot(4, N) * tf.cast(device == "mobile", tf.float32)[:, None]

    def recommend(module):
        module.positions = positions

        @tf.function(input_signature=user_inputs)
        def recommend(user_id, history, exclude, age, genres, device):
            seen = occurs(history) + occurs(exclude) > 0
            return top(score(history, age, genres, device), seen)

        return recommend

    def search(module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="query"), *user_inputs])
        def search(query, user_id, history, exclude, age, genres, device):
            named = tf.cast(query[:, None] == ids[None], tf.float32)
            return top(1000.0 * named + score(history, age, genres, device), occurs(exclude) > 0)

        return search

    def similar(module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="item_id")])
        def similar(item_id):
            position = positions.lookup(item_id)[:, None]
            distance = tf.abs(tf.range(N)[None] - position)
            return top(-tf.cast(distance, tf.float32), tf.equal(distance, 0))

        return similar

    def embed(module):
        @tf.function(
            input_signature=[
                tf.TensorSpec([None], tf.string, name="title"),
                tf.TensorSpec([None], tf.string, name="cover"),
                tf.TensorSpec([None], tf.float32, name="price"),
            ]
        )
        def embed(title, cover, price):
            lengths = [tf.strings.length(title), tf.strings.length(cover)]
            return {"embedding": tf.stack([*(tf.cast(length, tf.float32) for length in lengths), price], 1)}

        return embed

    _write_module(path, serving_default=recommend, search=search, similar_items=similar, embed_items=embed)


@pytest.fixture(scope="session")
def write_model():
    """Writers of SavedModels by name, each called with a path (and settings of the model)."""
    return {
        "half_plus": _write_half_plus,
        "echo": _write_echo,
        "recommender": _write_recommender,
        "judge": _write_judge,
        "counter": lambda path: _write_module(path, **_counter_functions()),
    }


@pytest.fixture(scope="session")
def base_paths(tmp_path_factory, write_model):
    """Folders of models with one version each, by name."""
    root = tmp_path_factory.mktemp("models")
    versions = {"half_plus": 123, "echo": 1, "recommender": 1, "counter": 1, "judge": 1}
    for name, version in versions.items():
        write_model[name](root / name / str(version))
    return {name: root / name for name in versions}


@pytest.fixture(scope="session")
def serve_model():
    """Starts a server on free ports with quick polling, as a context manager."""
    from tfrec.serving import serve

    @contextlib.contextmanager
    def started(base_path, **options):
        settings = {"grpc_port": 0, "rest_api_port": 0, "poll_wait": 0.05, "load_retries": 0, **options}
        with serve(base_path, **settings) as server:
            yield server

    return started


@pytest.fixture(scope="session")
def half_plus(base_paths, serve_model):
    with serve_model(base_paths["half_plus"], health_service=True) as server:
        yield server


@pytest.fixture(scope="session")
def echo(base_paths, serve_model):
    with serve_model(base_paths["echo"]) as server:
        yield server


@pytest.fixture(scope="session")
def judge(base_paths, serve_model):
    with serve_model(base_paths["judge"]) as server:
        yield server


@pytest.fixture(scope="session")
def recommender(base_paths, serve_model):
    with serve_model(base_paths["recommender"]) as server:
        yield server


@pytest.fixture(scope="session")
def stubs():
    """Calls of the gRPC API at an address, through the messages of tensorflow-serving-api."""
    import grpc
    from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

    channels = {}

    class Stubs:
        def __init__(self, address):
            channel = grpc.insecure_channel(address, [("grpc.max_receive_message_length", -1)])
            channels[address] = channel
            self.prediction = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            self.model = model_service_pb2_grpc.ModelServiceStub(channel)
            self.channel = channel

    yield Stubs
    for channel in channels.values():
        channel.close()


@pytest.fixture
def free_port():
    """A port that nothing listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]
