"""Holds scores of an example against scikit-learn: python scored.py EXAMPLE, a folder of config/examples/ after its five commands

Standard output is JSON: rows of the training set and of the scores, the largest difference between a streamed score and
what the model gives for the same row of the training set, rows that no model scored, rows whose label differs, and of the
streamed scores the AUC and the recall: the share of the true rows among as many rows with the highest scores.
"""

import json
import pathlib
import sys

import joblib
import pandas
from sklearn.metrics import roc_auc_score

directory = pathlib.Path(sys.argv[1])
sys.path.insert(0, str(directory))
import train  # noqa: E402

rows = pandas.read_parquet(directory / "training/examples").set_index(train.KEY, verify_integrity=True).sort_index()
scores = pandas.read_parquet(directory / "scores").set_index(train.KEY, verify_integrity=True).sort_index()
model = joblib.load(directory / f"{directory.name}.joblib")
expected = pandas.Series(model.predict_proba(rows[train.FEATURES].to_numpy(dtype=float))[:, 1], rows.index)
streamed = scores["score"].reindex(rows.index)
label = rows[train.LABEL].astype(bool)
highest = streamed.nlargest(int(label.sum())).index
found = {
    "rows": len(rows),
    "scores": len(scores),
    "missing": int(streamed.isna().sum()),
    "difference": float((streamed - expected).abs().max()),
    "fallbacks": int((scores["model_version"] != f"{directory.name}:1").sum()),
    "labels": int((label != scores[train.LABEL].reindex(rows.index)).sum()),
    "auc": float(roc_auc_score(label, streamed)),
    "recall": float(label[highest].mean()),
}
json.dump(found, sys.stdout)
