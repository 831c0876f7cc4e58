"""Writes the models that the tests of `score` ask: logistic regressions of scikit-learn whose coefficients are given, so that the
tests know what they say. `python make.py DIRECTORY` lays them out as MLServer reads them."""

import json
import pathlib
import sys

import joblib
import numpy as np
from sklearn.linear_model import LogisticRegression

MODELS = [("fraud", "1", [0.5, -1.0], 0.25), ("fraud", "2", [0.5, -1.0], 0.75), ("candidate", "7", [2.0, 0.0], 0.0)]

for name, version, weights, bias in MODELS:
    model = LogisticRegression().fit(np.array([[0.0, 0.0], [1.0, 1.0]]), np.array([0, 1]))
    model.coef_, model.intercept_ = np.array([weights]), np.array([bias])
    folder = pathlib.Path(sys.argv[1]) / f"{name}-{version}"
    folder.mkdir(parents=True, exist_ok=True)
    joblib.dump(model, folder / "model.joblib")
    settings = {
        "name": name,
        "implementation": "mlserver_sklearn.SKLearnModel",
        "parameters": {"uri": "./model.joblib", "version": version},
    }
    (folder / "model-settings.json").write_text(json.dumps(settings))
