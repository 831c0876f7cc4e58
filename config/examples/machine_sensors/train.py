"""Trains a model on the older two thirds of the training set, and says how well it foretells breakdowns in the rest.

    python train.py [TRAINING] [MODEL.joblib]
"""

import sys

import joblib
import pandas
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import average_precision_score, roc_auc_score

KEY, LABEL = "reading", "fails"
# The columns of `inputs` in score.yaml, in that order.
FEATURES = ["vibration_more", "vibration_std", "trembling", "temperature_more", "warming", "load", "silent_1d",
            "hours_since_repair"]


def main(training="training/examples", path="machine_sensors.joblib"):
    rows = pandas.read_parquet(training).sort_values(["at", "reading"])
    cut = rows["at"].iloc[len(rows) * 2 // 3]
    # What is known at that time: readings whose eight hours were not over cannot teach, and count neither way; nor do those
    # whose eight hours go beyond the last reading.
    past = rows[rows["known_at"] <= cut]
    later = rows[(rows["at"] > cut) & (rows["known_at"] <= rows["at"].max())]
    model = HistGradientBoostingClassifier(max_iter=80, learning_rate=0.08, max_leaf_nodes=15, random_state=0)
    model.fit(past[FEATURES].to_numpy(dtype=float), past["fails"])
    scores = model.predict_proba(later[FEATURES].to_numpy(dtype=float))[:, 1]
    print(f"trained on {len(past)} readings, tried on {len(later)} later ones, {later['fails'].mean():.1%} of them before a breakdown")
    print(f"AUC {roc_auc_score(later['fails'], scores):.4f}")
    print(f"average precision {average_precision_score(later['fails'], scores):.4f}")
    joblib.dump(model, path)


if __name__ == "__main__":
    main(*sys.argv[1:])
