#!/usr/bin/env python3
"""How close rows of a twin are to the rows it was learned from, by SDMetrics, beside SDV where it is installed.

    pip install sdmetrics==0.32.0 scikit-learn          # and sdv==2.0.0 for the comparison
    SWIFTWATER=target/release/swiftwater benches/twin_quality.py

For each table: the quality score of independent columns (the floor), of a bootstrap (the ceiling), of the twin as a tree and as a
copula, and (score - floor) / (ceiling - floor). All pairs count: SDMetrics leaves weak ones out unless told otherwise. The tables
come with scikit-learn and SDMetrics, or are made here with a known dependence.
"""
import json, os, subprocess, sys, tempfile, time, warnings
from pathlib import Path

import numpy as np
import pandas as pd
from sdmetrics import load_demo
from sdmetrics.reports.single_table import QualityReport
from sklearn import datasets

warnings.filterwarnings("ignore")
BINARY = os.environ.get("SWIFTWATER", "target/release/swiftwater")


def chain(rows=20_000, seed=1):
    """Seven categories in a row, each mostly a function of the one before, and a number of the last."""
    random = np.random.default_rng(seed)
    columns, last = {}, random.integers(0, 4, rows)
    for at in range(7):
        keep = random.random(rows) < 0.8
        last = np.where(keep, (last * 3 + at) % 5, random.integers(0, 5, rows))
        columns[f"c{at}"] = np.array(list("abcde"))[last]
    columns["x"] = np.round(last * 10 + random.normal(0, 3, rows), 2)
    return pd.DataFrame(columns)


def tables():
    for name in ["breast_cancer", "wine", "diabetes", "iris"]:
        found = getattr(datasets, f"load_{name}")(as_frame=True)
        table = found.frame.rename(columns=lambda c: c.replace(" ", "_").replace("(", "").replace(")", "").replace("/", "_"))
        if name != "diabetes":
            table["target"] = table["target"].map(lambda t: f"class{t}")
        yield name, table
    yield "chain", chain()
    placements = load_demo(modality="single_table")[0]
    if isinstance(placements, dict):
        placements = next(iter(placements.values()))
    yield "placements", placements.drop(columns=["student_id", "start_date", "end_date"])


def schema(table):
    kinds = {"i": "int64", "f": "float64", "b": "bool"}
    return {c: kinds.get(table[c].dtype.kind, "utf8") for c in table.columns}


def run(topology, folder):
    file = Path(folder) / "topology.yaml"
    checkpoint = {"store": f"file://{folder}/state", "interval": "10s"}
    file.write_text(json.dumps({"checkpoint": checkpoint, "guarantee": "exactly_once", **topology}))
    subprocess.run([BINARY, "run", str(file)], check=True, stdout=subprocess.DEVNULL)


def twin(table, dependence):
    with tempfile.TemporaryDirectory() as folder:
        timed = table.copy()
        timed.insert(0, "at_", pd.date_range("2026-01-01", periods=len(table), freq="1ms").strftime("%Y-%m-%dT%H:%M:%S.%f"))
        # pandas would round numbers on the way out and on the way in.
        lines = (json.dumps(dict(zip(timed.columns, row))) for row in timed.astype(object).where(timed.notna(), None).to_numpy().tolist())
        Path(folder, "real.jsonl").write_text("\n".join(lines) + "\n")
        columns = {"at_": "timestamp_ms", **schema(table)}
        source = {"files": {"path": f"{folder}/real.jsonl"}, "format": "json", "schema": columns, "event_time": {"column": "at_"}}
        learn = {"pane": "24h", "reference_rows": len(table), "least_quality": 0, "dependence": dependence}
        run({"name": "fit", "sources": {"real": source}, "operators": {"model": {"input": "real", "learn": learn}},
             "sinks": {"out": {"input": "model", "files": {"path": f"{folder}/models/"}, "format": "json"}}}, folder)
        model = next(Path(folder, "models").glob("*.json"))
        made = {"synthesize": {"model": str(model), "count": len(table), "seed": 1}}
        run({"name": "make", "sources": {"made": made},
             "sinks": {"out": {"input": "made", "files": {"path": f"{folder}/made/"}, "format": "json"}}}, folder)
        files = sorted(Path(folder, "made").glob("*.json"))
        rows = pd.DataFrame([json.loads(line) for file in files for line in file.read_text().splitlines()])
        rows = rows[list(table.columns)]
        return rows.astype({c: t for c, t in table.dtypes.items() if t.kind == "f"})


def score(real, made):
    kind = lambda c: "numerical" if real[c].dtype.kind in "if" else "categorical"
    metadata = {"columns": {c: {"sdtype": kind(c)} for c in real.columns}}
    report = QualityReport()
    # 0.32.0 leaves out pairs whose dependence in the real data is weak.
    report.real_correlation_threshold = report.real_association_threshold = 0
    report.generate(real, made, metadata, verbose=False)
    return report.get_score()


def sdv(table):
    from sdv.metadata import Metadata
    from sdv.single_table import GaussianCopulaSynthesizer
    columns = {c: {"sdtype": "numerical" if table[c].dtype.kind in "if" else "categorical"} for c in table.columns}
    metadata = Metadata.load_from_dict({"tables": {"table": {"columns": columns}}})
    synthesizer = GaussianCopulaSynthesizer(metadata)
    synthesizer.fit({"table": table})
    made = synthesizer.sample(len(table))
    return made["table"] if isinstance(made, dict) else made


def main():
    makers = {"tree": lambda t: twin(t, "tree"), "copula": lambda t: twin(t, "copula")}
    try:
        import sdv as _  # noqa: F401
        makers["sdv"] = sdv
    except ImportError:
        print("sdv is not installed: no comparison", file=sys.stderr)
    print("| table | rows x columns | floor | ceiling | " + " | ".join(f"{m} | normalised" for m in makers) + " |")
    print("| --- | --- | --- | --- |" + " --- | --- |" * len(makers))
    for name, table in tables():
        random = np.random.default_rng(7)
        apart = pd.DataFrame({c: random.permutation(table[c].to_numpy()) for c in table.columns}).astype(table.dtypes)
        again = table.sample(len(table), replace=True, random_state=7).reset_index(drop=True)
        floor, ceiling = score(table, apart), score(table, again)
        cells = [name, f"{len(table)} x {len(table.columns)}", f"{floor:.3f}", f"{ceiling:.3f}"]
        for make in makers.values():
            found = score(table, make(table))
            reached = f"{(found - floor) / (ceiling - floor):.2f}" if ceiling > floor else "none"
            cells += [f"{found:.3f}", reached]
        print("| " + " | ".join(cells) + " |", flush=True)


main()
