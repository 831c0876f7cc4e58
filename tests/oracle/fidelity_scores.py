"""What SDMetrics says of the fidelity of synthetic rows.

fidelity_scores.py make DIRECTORY [ROWS]    writes real_N.parquet, synthetic_N.parquet and holdout_N.parquet,
                                            and prints the names of the tables
fidelity_scores.py score DIRECTORY          prints the scores of each table as JSON
"""

import json
import math
import sys
import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

warnings.filterwarnings("ignore")


def mixed(rows, seed, twin):
    """Numbers, times, texts and booleans that depend on each other, with missing values."""
    draw = np.random.default_rng(seed)
    kind = draw.choice(["card", "cash", "transfer", "cheque"], rows, p=[0.5, 0.3, 0.15, 0.05])
    amount = np.exp(draw.normal(3 + (kind == "transfer") * 2, 1 if not twin else 1.2, rows)).round(2)
    fee = 0.02 * amount + draw.normal(0, 0.3 if not twin else 2.0, rows)
    single = (amount * 0.5 + draw.normal(0, 9, rows)).astype("float32")
    count = draw.poisson(np.where(kind == "card", 2, 7))
    at = pd.Timestamp("2026-01-01") + pd.to_timedelta((amount * 3600 + draw.uniform(0, 5e5, rows)).round(3), unit="s")
    flag = draw.random(rows) < np.where(kind == "cash", 0.8, 0.1)
    country = draw.choice(["CH", "DE", "FR"] + (["IT"] if twin else []), rows).astype(object)
    frame = pd.DataFrame({
        "kind": kind, "amount": amount, "fee": fee, "single": single, "count": count,
        "at": at.astype("datetime64[us]"), "flag": flag, "country": country,
        "constant": 1.0 if not twin else draw.choice([1.0, 2.0], rows),
    })
    frame.loc[draw.random(rows) < 0.1, "fee"] = np.nan
    frame.loc[draw.random(rows) < (0.2 if twin else 0.1), "kind"] = None
    frame.loc[draw.random(rows) < 0.05, "at"] = pd.NaT
    return frame


def small(rows, seed, twin):
    """Few rows with many ties."""
    draw = np.random.default_rng(seed)
    x = draw.integers(0, 6, rows)
    y = x + draw.integers(0, 3 if not twin else 5, rows)
    return pd.DataFrame({"x": x, "y": y / 4, "c": np.where(x > 2, "high", "low"), "d": draw.choice(list("ab"), rows)})


def placements():
    """The tables that come with SDMetrics."""
    from sdmetrics import load_demo

    real, synthetic, metadata = load_demo(modality="single_table")
    if "tables" in metadata:
        name = next(iter(metadata["tables"]))
        metadata = metadata["tables"][name]
        real, synthetic = (f[name] if isinstance(f, dict) else f for f in (real, synthetic))
    keep = [n for n, m in metadata["columns"].items() if m["sdtype"] in SDTYPES]
    for frame in (real, synthetic):
        for name in keep:
            if metadata["columns"][name]["sdtype"] == "datetime":
                frame[name] = pd.to_datetime(frame[name])
    return real[keep], synthetic[keep]


SDTYPES = {"numerical", "datetime", "categorical", "boolean"}


def sdtype(column):
    if pd.api.types.is_bool_dtype(column):
        return {"sdtype": "boolean"}
    if pd.api.types.is_numeric_dtype(column):
        return {"sdtype": "numerical"}
    if pd.api.types.is_datetime64_any_dtype(column):
        return {"sdtype": "datetime"}
    return {"sdtype": "categorical"}


def make(directory, rows=4000):
    tables = {
        "mixed": [mixed(rows, 1, False), mixed(rows * 3 // 4, 2, True), mixed(rows, 3, False)],
        "small": [small(60, 4, False), small(45, 5, True), small(60, 6, False)],
    }
    real, synthetic = placements()
    tables["placements"] = [real, synthetic, real]
    for name, frames in tables.items():
        for side, frame in zip(("real", "synthetic", "holdout"), frames):
            table = pa.Table.from_pandas(frame, preserve_index=False)
            pq.write_table(table, f"{directory}/{side}_{name}.parquet")
    return list(tables)


def number(value):
    return None if value is None or pd.isna(value) or math.isnan(value) else float(value)


def details(report):
    shapes, pairs = report.get_details("Column Shapes"), report.get_details("Column Pair Trends")
    return {
        "score": number(report.get_score()),
        "shapes": number(report.get_properties()["Score"][0]),
        "trends": number(report.get_properties()["Score"][1]),
        "columns": {row["Column"]: number(row["Score"]) for _, row in shapes.iterrows()},
        "pairs": {
            f"{row['Column 1']}|{row['Column 2']}": {
                "score": number(row["Score"]),
                "metric": row["Metric"],
                "counts": bool(row["Meets Threshold?"]) if not pd.isna(row["Meets Threshold?"]) else False,
                "real": number(row["Real Correlation"]) if row["Metric"].startswith("Corr") else number(row["Real Association"]),
            }
            for _, row in pairs.iterrows()
        },
    }


def at_real_edges(real, synthetic, metadata):
    """The standalone metric of pairs of a number and a category."""
    from sdmetrics.column_pairs import ContingencySimilarity

    found, columns = {}, metadata["columns"]
    continuous = lambda name: columns[name]["sdtype"] in ("numerical", "datetime")
    for number_, first in enumerate(columns):
        for second in list(columns)[number_ + 1 :]:
            mixed_ = [name for name in (first, second) if continuous(name)]
            if len(mixed_) != 1 or columns[mixed_[0]]["sdtype"] == "datetime":
                continue
            score = ContingencySimilarity.compute(
                real[[first, second]].copy(), synthetic[[first, second]].copy(), continuous_column_names=mixed_
            )
            found[f"{first}|{second}"] = number(score)
    return found


def distances(real, synthetic, holdout, metadata):
    from sdmetrics.single_table.privacy import DCROverfittingProtection
    from sdmetrics.single_table.privacy.dcr_utils import calculate_dcr

    metadata = {"tables": {"t": metadata}, "relationships": []}
    over = DCROverfittingProtection.compute_breakdown(real, synthetic, holdout, metadata, "t")
    inner = metadata["tables"]["t"]
    return {
        "median_to_real": number(calculate_dcr(synthetic, real, inner).median()),
        "overfitting_protection": number(over["score"]),
        "closer_to_training": number(over["synthetic_data_percentages"]["closer_to_training"]),
    }


def score(directory, names):
    from sdmetrics.reports.single_table import QualityReport
    from sdmetrics.single_column import MissingValueSimilarity

    found = {}
    for name in names:
        read = lambda side: pq.read_table(f"{directory}/{side}_{name}.parquet").to_pandas()
        real, synthetic, holdout = read("real"), read("synthetic"), read("holdout")
        metadata = {"columns": {column: sdtype(real[column]) for column in real}}
        scores = {}
        for kind, thresholds in (("counting", None), ("all", (0, 0))):
            report = QualityReport()
            report.num_rows_subsample = None
            if thresholds:
                report.real_correlation_threshold, report.real_association_threshold = thresholds
            report.generate(real, synthetic, metadata, verbose=False)
            scores[kind] = details(report)
        scores["at_real_edges"] = at_real_edges(real, synthetic, metadata)
        scores["missing"] = {c: number(MissingValueSimilarity.compute(real[c], synthetic[c])) for c in real}
        # It is compared cell by cell in pandas.
        if name != "placements" and len(real) <= 400:
            scores["distances"] = distances(real, synthetic, holdout, metadata)
        found[name] = scores
    return found


if __name__ == "__main__":
    command, directory = sys.argv[1:3]
    tables = ["mixed", "small", "placements"]
    print(json.dumps(make(directory, *map(int, sys.argv[3:])) if command == "make" else score(directory, tables)))
