"""One YAML file per recommender: where the data lies, its schema, the model, training, evaluation, gates and serving.

`load_config` reads and checks it; every setting has a default but `data` and `schema`. Relative paths start from the
folder of the YAML file.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from tfrec.config_checks import check_filters, check_model_name, check_settings
from tfrec.errors import ConfigError
from tfrec.modalities import without
from tfrec.named_splits import with_named_split
from tfrec.orchestration import Kubeflow, PipelineSettings, parse_kubeflow
from tfrec.schema import Schema
from tfrec.schema_parsing import parse_schema
from tfrec.search_space import Tuning, parse_tuning
from tfrec.settings import absolute, fill


@dataclasses.dataclass(frozen=True)
class Data:
    """Paths of the input files (CSV, JSON Lines or Parquet) and of the folder everything is written to."""

    items: str
    events: str
    users: str = ""
    media: str = ""
    output: str = "build"


@dataclasses.dataclass(frozen=True)
class Split:
    """How events are divided: `by` time, last-out, random, within-user, within-item or new-users; fractions of all
    events, with new-users the fraction of users who are kept out of training with all their events as the test part.

    `held_out_items` is the fraction of items kept out of training with all their events, to measure cold start.
    `protocol` names the evaluation's protocol whose split this is, "" for none; see `tfrec.named_splits`.
    """

    protocol: str = ""
    by: str = "time"
    validation: float = 0.1
    test: float = 0.1
    held_out_items: float = 0.0
    seed: int = 42


@dataclasses.dataclass(frozen=True)
class Model:
    """The two towers.

    Attributes:
        dimension: width of the shared embedding space.
        without: item features, or `attributes` for all of them, that the model is built without: they are neither read
            nor encoded, and the signatures do not take them. `tfrec audit` says which do harm.
        use_id: whether items seen in training get a learned vector of their own beside their content.
        fusion: with `joint`, how the modalities of an item become one vector: concatenation, weighted, gate, attention,
            transformer or decision, which finds most of known and of new items and is as many times as wide.
        encoder_fusion: with `regression`, the same in the model in which encoders learn that are to be trained.
        modality_dropout: chance that a content modality or the attributes of an item are hidden in a training step.
        id_dropout: the same for the id vector; the larger it is, the more is learned from content, for new items.
        item_hidden, query_hidden: widths of the hidden layers before the embedding.
        dropout: dropout in the towers; `history_dropout`: chance that a history item is hidden in training.
        temperature: divides the cosine before the softmax.
        use_user_features, use_context, use_search: parts of the query tower to build.
        content: `regression` learns a table of item vectors from the events alone, then regresses it on content, for
            items that nobody touched (`tfrec.towers.collaborative_tower`); `joint` fuses content and ids in one vector
            and trains both together (`tfrec.towers.item_tower`).
        members: with `regression`, how many models of this width are trained side by side, each from samples of its
            own, which make one dot product.
        factors: with `regression`, how many factors of alternating least squares stand beside the members; 0 for none.
        history_shrinkage: with `regression`, how many items' worth of "nothing is known" every history begins with.
        new_items: with `regression`, how often items that nobody touched shall stand among the first ten, as a share of
            how often an item does on the mean, measured on items hidden for it; 0 leaves it to their likely merit, and
            they are hardly ever seen beside known ones.
    """

    dimension: int = 64
    without: tuple[str, ...] = ()
    use_id: bool = True
    fusion: str = "decision"
    encoder_fusion: str = "gate"
    modality_dropout: float = 0.2
    id_dropout: float = 0.5
    item_hidden: tuple[int, ...] = ()
    query_hidden: tuple[int, ...] = ()
    dropout: float = 0.5
    history_dropout: float = 0.0
    temperature: float = 0.125
    use_user_features: bool = True
    use_context: bool = True
    use_search: bool = True
    content: str = "regression"
    members: int = 2
    factors: int = 64
    history_shrinkage: float = 3.0
    new_items: float = 0.5


@dataclasses.dataclass(frozen=True)
class Training:
    """How the model is trained.

    Attributes:
        objective: `masked` (a row is a user, half of the history is predicted from the rest), `next` (what follows a
            moment is predicted from what came before it) or `retrieval` (the in-batch softmax of
            tfrs.tasks.Retrieval, a row is an event).
        batch_size: rows per step, 0 for a number that goes with the size of the data (`tfrec.training.sizes`);
            `targets`: most targets per row (1 for `retrieval`).
        candidates: items in the softmax of one step, 0 for the whole catalogue where it is small enough.
        logq: correct the softmax for how often an item is sampled.
        epoch_rows: most rows of an epoch, 0 for all; of a large log fewer bring a checkpoint and a look at the
            validation part before every user was met.
        epochs, patience: passes over the rows, and epochs without a better validation nDCG before stopping; patience
            0 trains all epochs and keeps the last, for settings that were chosen before.
        encoder_epochs: epochs in which encoders are trained too; after them they are kept as they are and their vectors
            are computed once, which makes the remaining epochs cheap. 0 trains them in all epochs.
        encoder_batch_size: rows per step while encoders learn before the table of items, 0 as `batch_size`. What a step
            costs there are its items, which are nearly as many with fewer rows, so more rows make an epoch shorter.
        learning_rate, weight_decay, warmup, schedule: AdamW and its schedule (constant or cosine).
        accumulate: batches whose gradients are added up before the weights change.
        warm_start: start from the model that is served (`tfrec.training.warm_start`); `warm_epochs`: epochs of a
            training that does, 0 for as many as of one that starts afresh.
        search_weight: weight of the loss that teaches the query tower free text.
        strategy: one, mirrored, multi-worker or tpu; the replicas share the rows and the items of each step.
        tables: `whole` keeps the item table whole on every replica, `sharded` divides its rows among them, `auto` does
            so on a TPU where the table is a large one (`tfrec.training.tables`).
        jit: compile the train step with XLA.
        mixed_precision: "" or a Keras policy such as mixed_bfloat16.
        checkpoint_every: epochs between checkpoints; `log_wandb`: also log to Weights & Biases if it is installed.
    """

    objective: str = "masked"
    batch_size: int = 0
    targets: int = 256
    candidates: int = 0
    logq: bool = True
    epoch_rows: int = 0
    epochs: int = 50
    patience: int = 0
    encoder_epochs: int = 0
    encoder_batch_size: int = 0
    learning_rate: float = 0.01
    weight_decay: float = 0.5
    warmup: float = 0.05
    schedule: str = "cosine"
    accumulate: int = 1
    warm_start: bool = False
    warm_epochs: int = 0
    search_weight: float = 0.2
    strategy: str = "one"
    tables: str = "auto"
    jit: bool = False
    mixed_precision: str = ""
    seed: int = 42
    checkpoint_every: int = 1
    log_wandb: bool = False


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """Cut-offs of the metrics, how many users are asked (a sample of more, 0 for all), and how their confidence
    intervals are drawn (bootstrap over users)."""

    k: tuple[int, ...] = (5, 10, 20, 50)
    users: int = 0
    bootstrap: int = 500
    confidence: float = 0.95


@dataclasses.dataclass(frozen=True)
class Gates:
    """What a model must reach on the test part before it is blessed and pushed.

    The metric is compared with each named baseline times `margin`; `minimum_coverage` is a share of the catalogue.
    `served` is what is asked beside the model that is served, on the same users: `not-worse` (it must not be worse by
    a paired test), `better` (its metric must be above) or `ignore`.
    `drift` is what becomes of features that lie further from the data of the last blessed model, or further apart in
    training and test events, than chance by more than `drift_threshold`: `warn`, `block` or `ignore`.
    `audit` is the JSON file of an audit, whose harmful modalities the model must not read; "" for none.
    """

    metric: str = "ndcg@10"
    better_than: tuple[str, ...] = ("MostPop",)
    margin: float = 1.0
    minimum_coverage: float = 0.0
    served: str = "not-worse"
    drift: str = "warn"
    drift_threshold: float = 0.1
    audit: str = ""


@dataclasses.dataclass(frozen=True)
class Serving:
    """The fixed shapes of the exported signatures and the model's place in TensorFlow Serving.

    `history`, `exclude` and `k` are the widths H, E and K; `known_users` stores the users' histories in the servable,
    so that a request may name a user only. `index` is how the best items are found: exact, partitioned (part of the
    items is looked at, so many that the share `recall` of the k best is found on the mean), or auto, which is
    partitioned where the catalogue is so large that it pays.

    What else requests may say: `filters` names the attributes of items that they may filter by, with up to
    `filter_values` values of a category; `allow` is the width of their allow-lists, 0 for none; with `diversity` they
    may ask for answers whose items are less alike. `reasons` is for how many items they may ask why these were
    recommended; with 0 there is no signature `explain`.

    `push` is the folder that servers watch, `keep` how many versions a push leaves there, 0 for all.
    """

    name: str = ""
    history: int = 200
    exclude: int = 100
    k: int = 100
    known_users: bool = True
    index: str = "auto"
    recall: float = 0.95
    filters: tuple[str, ...] = ()
    filter_values: int = 8
    allow: int = 0
    diversity: bool = False
    reasons: int = 10
    push: str = ""
    keep: int = 0

    def anywhere(self) -> Serving:
        """The settings that decide a servable, without where it goes."""
        return dataclasses.replace(self, push="", keep=0)


@dataclasses.dataclass(frozen=True)
class Config:
    """A whole configuration; `source` is the path of the file it was read from."""

    name: str
    data: Data
    schema: Schema
    split: Split
    model: Model
    training: Training
    evaluation: Evaluation
    gates: Gates
    serving: Serving
    source: str
    pipeline: PipelineSettings = dataclasses.field(default_factory=PipelineSettings)
    kubeflow: Kubeflow = dataclasses.field(default_factory=Kubeflow)
    tuning: Tuning = dataclasses.field(default_factory=Tuning)

    @property
    def model_name(self) -> str:
        """The name the model is served under."""
        return self.serving.name or self.name

    @property
    def push_directory(self) -> str:
        """The folder TensorFlow Serving watches for versions of the model."""
        return self.serving.push or os.path.join(self.data.output, "serving", self.model_name)

    def without(self, names: Sequence[str]) -> Config:
        """The configuration of a model without the modalities or item features `names`, see `Model.without`.

        Raises:
            ConfigError: if there is no such item feature.
        """
        schema = without(self.schema, names, "without", self.serving.filters)
        model = dataclasses.replace(self.model, without=(*self.model.without, *names))
        return dataclasses.replace(self, schema=schema, model=model)


_SECTIONS = {
    "split": Split,
    "model": Model,
    "training": Training,
    "evaluation": Evaluation,
    "gates": Gates,
    "serving": Serving,
    "pipeline": PipelineSettings,
}


def load_config(path: str) -> Config:
    """Read and check the YAML file at `path` (any scheme that tf.io.gfile knows).

    Raises:
        ConfigError: if the file is missing or no YAML, or a key is missing, unknown or of the wrong type.
    """
    try:
        text = _read_remote(path) if "://" in path else pathlib.Path(path).read_text("utf-8")
    except OSError as error:
        raise ConfigError(
            f"cannot read the configuration {path}: {error.strerror}; check the path given with -c"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"the configuration {path} is not UTF-8: {error.reason}; save it as UTF-8") from error
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is no valid YAML: {' '.join(str(error).split())}") from error
    return parse_config(document, source=path if "://" in path else os.path.abspath(path))


def parse_config(document: Any, source: str) -> Config:
    """Check a configuration given as nested mappings; `source` names it in errors and anchors relative paths."""
    if not isinstance(document, Mapping):
        raise ConfigError(f"{source} must be a mapping with the keys data and schema, got {type(document).__name__}")
    keys = ["name", "data", "schema", *_SECTIONS, "kubeflow", "tuning"]
    unknown = set(document) - set(keys)
    if unknown:
        known = ", ".join(keys)
        raise ConfigError(f"{source}: unknown key {sorted(map(str, unknown))[0]!r}; the keys are {known}")
    for key in ("data", "schema"):
        if key not in document:
            raise ConfigError(f"{source}: the key {key!r} is missing; `tfrec init` writes a complete example")
    document = {**document, "split": with_named_split(document.get("split"), f"{source}: split")}
    sections: dict[str, Any] = {
        key: fill(kind, document.get(key) or {}, f"{source}: {key}") for key, kind in _SECTIONS.items()
    }
    check_settings(sections, source)
    tuning = parse_tuning(document.get("tuning") or {}, sections, source)
    folder = os.path.dirname(source)
    data = fill(Data, document["data"], f"{source}: data")
    data = dataclasses.replace(
        data,
        **{
            key: absolute(getattr(data, key), folder)
            for key in ("items", "events", "users", "media", "output")
            if getattr(data, key)
        },
    )
    data = dataclasses.replace(data, media=data.media or os.path.dirname(data.items))
    serving = sections["serving"]
    if serving.push:
        sections["serving"] = dataclasses.replace(serving, push=absolute(serving.push, folder))
    gates = sections["gates"]
    if gates.audit:
        sections["gates"] = dataclasses.replace(gates, audit=absolute(gates.audit, folder))
    schema = parse_schema(document["schema"], folder, f"{source}: schema")
    schema = without(schema, sections["model"].without, f"{source}: model.without", serving.filters)
    check_filters(serving.filters, schema, source)
    if not schema.items.features and not sections["model"].use_id:
        raise ConfigError(
            f"{source}: items have no features and model.use_id is false, so there is nothing to learn from; "
            "name item features in schema.items.features"
        )
    name = str(document.get("name") or os.path.splitext(os.path.basename(source))[0])
    check_model_name(sections["serving"].name or name, source)
    return Config(
        name=name,
        data=data,
        schema=schema,
        source=source,
        kubeflow=parse_kubeflow(document.get("kubeflow") or {}, f"{source}: kubeflow"),
        tuning=tuning,
        **sections,
    )


def _read_remote(path: str) -> str:
    import tensorflow as tf

    try:
        with tf.io.gfile.GFile(path, "rb") as file:
            return file.read().decode()
    except tf.errors.OpError as error:
        reason = " ".join(str(error.message).split())
        raise ConfigError(f"cannot read the configuration {path}: {reason}; check the path given with -c") from error
