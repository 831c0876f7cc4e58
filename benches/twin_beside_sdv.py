"""Measures twins beside the GaussianCopulaSynthesizer of SDV on the same tables: quality as `swiftwater fidelity`
says it, and the time to fit and to sample.

SDV is under the Business Source License and no part of this repository. Give it an environment of its own:

    python3 -m venv /tmp/sdv && /tmp/sdv/bin/pip install sdv==2.0.0 pyarrow scikit-learn
    /tmp/sdv/bin/python benches/twin_beside_sdv.py target/release/swiftwater

Tables: iris, wine, breast cancer and diabetes of scikit-learn, the placements of SDMetrics, and two that are drawn here,
whose dependence is known. A Parquet file that is named behind the program is measured as well.
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import time
import warnings

import numpy as np
import pandas as pd

warnings.filterwarnings("ignore")
SEED = 7


def chain(rows=20_000):
    """Categories, each of which follows the one before with a chance of 0.7, and a number that follows the last."""
    draw = np.random.default_rng(SEED)
    codes = [draw.integers(0, 6, rows)]
    for _ in range(5):
        kept = draw.random(rows) < 0.7
        codes.append(np.where(kept, (codes[-1] * 5 + 1) % 6, draw.integers(0, 6, rows)))
    frame = pd.DataFrame({f"c{n}": np.char.add("v", c.astype(str)) for n, c in enumerate(codes)})
    frame["amount"] = np.exp(codes[-1] * 0.8 + draw.normal(0, 0.5, rows))
    return frame


def normal(rows=20_000):
    """Eight numbers of a joint normal distribution."""
    draw = np.random.default_rng(SEED)
    loads = draw.normal(0, 1, (8, 3))
    values = draw.normal(0, 1, (rows, 3)) @ loads.T + draw.normal(0, 0.6, (rows, 8))
    return pd.DataFrame(values, columns=[f"x{n}" for n in range(8)])


def tables():
    from sklearn import datasets

    for name in ("iris", "wine", "breast_cancer", "diabetes"):
        frame = getattr(datasets, f"load_{name}")(as_frame=True).frame
        if name != "diabetes":
            frame["target"] = "class " + frame["target"].astype(str)
        yield name, frame.rename(columns=lambda c: c.split(" (")[0].replace(" ", "_"))
    from sdmetrics import load_demo

    real, _, metadata = load_demo(modality="single_table")
    if isinstance(real, dict):
        real, metadata = next(iter(real.values())), next(iter(metadata["tables"].values()))
    keys = [name for name, of in metadata["columns"].items() if of["sdtype"] == "id"]
    yield "placements", real.drop(columns=keys)
    yield "chain", chain()
    yield "normal", normal()
    for path in sys.argv[2:]:
        yield pathlib.Path(path).stem, pd.read_parquet(path)


def run(program, directory, topology):
    """Runs a topology; seconds."""
    path = directory / "topology.json"
    path.write_text(json.dumps(topology))
    began = time.perf_counter()
    done = subprocess.run([program, "run", "--http", "off", str(path)], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(done.stderr[-2000:])
    return time.perf_counter() - began


def ours(program, directory, frame, dependence):
    """Learns a model and makes as many rows of it: (fit, sample) in seconds, the start of the program among them."""
    timed = frame.copy()
    timed["_at"] = pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(len(frame)), unit="ms")
    timed.to_parquet(directory / "timed.parquet", coerce_timestamps="ms")
    models, rows = directory / f"models_{dependence}", directory / f"rows_{dependence}"
    learn = {"name": "twin", "pane": "365d", "reference_rows": min(len(frame), 20_000), "dependence": dependence, "least_quality": 0.0}
    fit = run(program, directory, {
        "name": f"fit_{dependence}",
        "checkpoint": {"store": f"file://{directory}/state_{dependence}"},
        "sources": {"rows": {"files": {"path": str(directory / "timed.parquet")}, "event_time": {"column": "_at"}}},
        "operators": {"learned": {"input": "rows", "learn": learn}},
        "sinks": {"models": {"input": "learned", "files": {"path": f"{models}/"}, "format": "json"}},
    })
    lines = [line for path in sorted(models.glob("*.json")) for line in path.read_text().splitlines()]
    (directory / "model.json").write_text(json.loads(lines[-1])["model"])
    sample = run(program, directory, {
        "name": f"sample_{dependence}",
        "checkpoint": {"store": f"file://{directory}/state_{dependence}_rows"},
        "sources": {"twin": {"synthesize": {"model": str(directory / "model.json"), "seed": SEED, "count": len(frame)}}},
        "sinks": {"rows": {"input": "twin", "files": {"path": f"{rows}/"}, "format": "parquet"}},
    })
    return f"{rows}/*.parquet", fit, sample


def sdv(directory, frame):
    from sdv.metadata import Metadata
    from sdv.single_table import GaussianCopulaSynthesizer

    # What a column is, is said rather than guessed, so that both sides know the same.
    def kind(column):
        if pd.api.types.is_bool_dtype(column):
            return {"sdtype": "boolean"}
        if pd.api.types.is_datetime64_any_dtype(column):
            return {"sdtype": "datetime"}
        return {"sdtype": "numerical" if pd.api.types.is_numeric_dtype(column) else "categorical"}

    columns = {name: kind(frame[name]) for name in frame}
    metadata = Metadata.load_from_dict({"tables": {"table": {"columns": columns}}})
    began = time.perf_counter()
    synthesizer = GaussianCopulaSynthesizer(metadata)
    synthesizer.fit({"table": frame})
    fitted = time.perf_counter()
    made = synthesizer.sample(len(frame))
    made = made["table"] if isinstance(made, dict) else made
    made.to_parquet(directory / "sdv.parquet")
    return str(directory / "sdv.parquet"), fitted - began, time.perf_counter() - fitted


def fidelity(program, real, synthetic):
    done = subprocess.run([program, "fidelity", str(real), synthetic, "--json", "--ignore", "_at"], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(done.stderr[-2000:])
    return json.loads(done.stdout)


def main():
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    program = str(pathlib.Path(sys.argv[1]).resolve())
    print(f"{'table':14} {'rows':>6} {'by':12} {'quality':>8} {'floor':>7} {'ceiling':>8} {'normal.':>8} {'all':>8} {'fit s':>7} {'sample s':>9}")
    for name, frame in tables():
        with tempfile.TemporaryDirectory() as path:
            directory = pathlib.Path(path)
            frame.to_parquet(directory / "real.parquet", coerce_timestamps="us")
            makers = {
                "tree": lambda: ours(program, directory, frame, "tree"),
                "copula": lambda: ours(program, directory, frame, "copula"),
                "SDV copula": lambda: sdv(directory, frame),
            }
            for maker, make in makers.items():
                rows, fit, sample = make()
                found = fidelity(program, directory / "real.parquet", rows)["baselines"]
                quality, every = found["quality"], found["quality_of_all_pairs"]
                figure = lambda v: "-" if v is None else f"{v:.4f}"
                print(
                    f"{name:14} {len(frame):6} {maker:12} {figure(quality['score']):>8} {figure(quality['floor']):>7}"
                    f" {figure(quality['ceiling']):>8} {figure(quality['normalised']):>8} {figure(every['normalised']):>8}"
                    f" {fit:7.2f} {sample:9.2f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
