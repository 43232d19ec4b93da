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
        f"k = {document['k']}. Machine: {document['machine']}. Versions: "
        + ", ".join(f"{name} {version}" for name, version in document["versions"].items())
        + ".",
        "",
        "`python benchmarks/index_speed.py --save`; the vectors are made up, see there. Target at 1,000,000 x 64: "
        f"{TARGET}. Times are medians in ms per call, ratios are of times in one round: min / median / max; above 1 "
        "ours is faster. Recall is measured on queries that chose nothing.",
        "",
    ]
    for name in document["rows"][0]["milliseconds"]:
        lines += [
            f"## {name[0].upper()}{name[1:]}",
            "",
            "| items | width | asked | recall | ms | exact ms | times exact | ScaNN recall | ScaNN ms | times ScaNN |",
            "|---|---|---|---|---|---|---|---|---|---|",
        ]
        for row in document["rows"]:
            taken, ratios = row["milliseconds"][name], row["ratios"][name]
            for share in _shares(row):
                ours, peer = f"ours {share}", f"scann {share}"
                told = [
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
    lines += [
        "## Making and growing",
        "",
        "| items | width | directions | blocks | chosen in s | ScaNN built in s | 1,000 added in s | made anew in s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in document["rows"]:
        built, grown = row["scann_build_seconds"], row["grow"]
        lines.append(
            f"| {row['items']:,} | {row['width']} | {row['directions']} | {row['settings']['ours 0.95']['blocks']} x "
            f"{row['settings']['ours 0.95']['rows']} | {row['choose_seconds']:.1f} | "
            f"{'-' if built is None else f'{built:.1f}'} | {grown['add']:.2f} (assigning {grown['assign']:.3f}) | "
            f"{grown['rebuild']:.2f} |"
        )
    return "\n".join(lines) + "\n"


def _range(values: dict[str, float]) -> str:
    return " / ".join(f"{values[name]:.2f}" for name in ("min", "median", "max"))


def _shares(row: dict) -> list[float]:
    """The recalls that were asked of ours."""
    return sorted(float(key.split()[1]) for key in row["settings"] if key.startswith("ours"))
