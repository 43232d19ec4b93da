"""Alert rules and dashboard: queries that parse, of metrics and labels that the server exports."""

import itertools
import re

import promql_parser
import pytest

# Metrics of the server and their labels, as its Prometheus exporter writes them; Prometheus adds job and instance.
HISTOGRAMS = {
    ":tensorflow:serving:request_latency": {"model_name", "API", "entrypoint"},
    ":tensorflow:serving:runtime_latency": {"model_name", "API", "runtime"},
    ":tensorflow:serving:model_warmup_latency": {"model_path", "status"},
}
METRICS = {
    "up": set(),
    ":tensorflow:serving:request_count": {"model_name", "status"},
    **{f"{name}_{part}": labels for name, labels in HISTOGRAMS.items() for part in ("sum", "count")},
    **{f"{name}_bucket": labels | {"le"} for name, labels in HISTOGRAMS.items()},
}
STATUSES = {
    "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
    "PERMISSION_DENIED", "UNAUTHENTICATED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE",
    "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS",
}  # fmt: skip


def _queries(files):
    for group in files["monitoring/rules.yaml"]["groups"]:
        for rule in group["rules"]:
            yield rule["alert"], rule["expr"]
    for panel in files["monitoring/dashboard.json"]["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"].replace("$__rate_interval", "1m")


def test_queries_parse_and_name_what_is_exported(files):
    for title, query in _queries(files):
        promql_parser.parse(query)
        selectors = _selectors(query)
        assert selectors, title
        for metric, matchers in selectors:
            assert metric in METRICS, (title, metric)
            assert set(matchers) <= METRICS[metric] | {"job", "instance"}, title
            if "model_name" in matchers:
                assert matchers["model_name"] == files.settings.name
            if "job" in matchers:
                assert matchers["job"] == files["monitoring/prometheus.yml"]["scrape_configs"][0]["job_name"]
            assert set(matchers.get("status", "OK").split("|")) <= STATUSES, title
        grouped = {name.strip() for by in re.findall(r"by \(([^)]*)\)", query) for name in by.split(",")}
        assert grouped <= set.union(*(METRICS[metric] for metric, _ in selectors)) | {"instance"}, title


def test_a_query_that_is_no_promql_would_be_found():
    with pytest.raises(ValueError):
        promql_parser.parse("sum(rate(:tensorflow:serving:request_count{)")


def _selectors(query):
    """Metric names with their matchers: label -> value."""
    found = []
    for metric, matchers in re.findall(r"((?::[\w:]+)|\bup\b)(?:\{([^}]*)\})?", query):
        found.append((metric, dict(re.findall(r'(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"', matchers))))
    return found


def test_alerts_say_what_is_wrong_and_what_to_do(files):
    for group in files["monitoring/rules.yaml"]["groups"]:
        assert len({rule["alert"] for rule in group["rules"]}) == len(group["rules"])
        for rule in group["rules"]:
            assert rule["labels"]["severity"] in ("critical", "warning")
            assert rule["annotations"]["summary"] and rule["annotations"]["action"]


def test_panels_have_ids_of_their_own_and_do_not_overlap(files):
    panels = files["monitoring/dashboard.json"]["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for one, other in itertools.combinations([panel["gridPos"] for panel in panels], 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        assert beside or one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]


def test_compose_mounts_the_monitoring_files_where_the_programs_look(files):
    services = files["compose.yaml"]["services"]
    for service in ("prometheus", "grafana"):
        for mount in services[service]["volumes"]:
            assert mount.split(":")[0][2:] in files.text
    targets = [mount.split(":")[1] for mount in services["grafana"]["volumes"]]
    folder = files["monitoring/dashboards.yaml"]["providers"][0]["options"]["path"]
    assert any(target.startswith(folder + "/") for target in targets)
    assert files["monitoring/prometheus.yml"]["scrape_configs"][0]["static_configs"][0]["targets"] == ["serving:8501"]
