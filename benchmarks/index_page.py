"""The page of benchmarks/index_speed.py."""

from __future__ import annotations

TARGET = (
    "at least .95 recall@100 at 10 times exact for one query, 3 times in batches of 32, and within 3 times of ScaNN"
)


def page(document: dict) -> str:
    """The results as Markdown."""
    lines = [
        "# The partitioned index beside exact search and ScaNN",
        "",
        f"k = {document['k']}. Machine: {_machines(document['rows'])}. Versions: "
        + ", ".join(f"{name} {version}" for name, version in document["versions"].items())
        + ".",
        "",
        "`python benchmarks/index_speed.py --save`; made-up vectors are described there. Target at 1,000,000 x 64: "
        f"{TARGET}. Times are medians in ms per call, ratios are of times in one round: min / median / max; above 1 "
        "ours is faster. Recall is measured on queries that chose nothing.",
        "",
    ]
    for name in document["rows"][0]["milliseconds"]:
        lines += [
            f"## {name[0].upper()}{name[1:]}",
            "",
            "| vectors | items | width | asked | recall | ms | exact ms | times exact | ScaNN recall | ScaNN ms "
            "| times ScaNN |",
            "|---|---|---|---|---|---|---|---|---|---|---|",
        ]
        for row in document["rows"]:
            taken, ratios = row["milliseconds"][name], row["ratios"][name]
            for share in _shares(row):
                ours, peer = f"ours {share}", f"scann {share}"
                told = [
                    row["source"],
                    f"{row['items']:,}",
                    f"{row['width']}",
                    f"{share:.2f}",
                    f"{row['recall'][ours]:.3f}",
                    f"{taken[ours]:.2f}",
                    f"{taken['exact']:.2f}",
                    _range(ratios[f"{ours} over exact"]),
                    *(
                        (f"{row['recall'][peer]:.3f}", f"{taken[peer]:.2f}", _range(ratios[f"{ours} over {peer}"]))
                        if peer in taken
                        else ("-", "-", "-")
                    ),
                ]
                lines.append(f"| {' | '.join(told)} |")
        lines.append("")
    counts = [name for name in document["rows"][0]["grow"] if name != "rebuild"]
    lines += [
        "## Making and growing",
        "",
        "The blocks that new items join are cut again, in seconds for so many new ones; `auto` is what `serving.index: "
        "auto` chooses at .95.",
        "",
        "| vectors | items | width | auto | directions | blocks | chosen in s | ScaNN built in s | "
        + " | ".join(f"{int(count):,} added in s" for count in counts)
        + " | made anew in s |",
        "|---" * (9 + len(counts)) + "|",
    ]
    for row in document["rows"]:
        built, record = row["scann_build_seconds"], row["settings"]["ours 0.95"]
        told = [
            row["source"],
            f"{row['items']:,}",
            f"{row['width']}",
            row["auto"],
            f"{row['directions']}",
            f"{record['blocks']} x {record['rows']}",
            f"{row['choose_seconds']:.1f}",
            "-" if built is None else f"{built:.1f}",
            *(f"{row['grow'][count]:.3f}" for count in counts),
            f"{row['grow']['rebuild']:.2f}",
        ]
        lines.append(f"| {' | '.join(told)} |")
    return "\n".join(lines) + "\n"


def _range(values: dict[str, float]) -> str:
    return " / ".join(f"{values[name]:.2f}" for name in ("min", "median", "max"))


def _shares(row: dict) -> list[float]:
    """The recalls that were asked of ours."""
    return sorted(float(key.split()[1]) for key in row["settings"] if key.startswith("ours"))


def _machines(rows: list[dict]) -> str:
    """What the rows were measured on, with the sizes of each where it was not one; compare within a row."""
    sizes: dict[str, list[str]] = {}
    for row in rows:
        sizes.setdefault(row["machine"], []).append(f"{row['items']:,} x {row['width']}")
    if len(sizes) == 1:
        return next(iter(sizes))
    return "; ".join(f"{machine} for {', '.join(measured)}" for machine, measured in sizes.items())
