"""Trains a model on the older two thirds of the training set, and says how well it tells frauds in the rest.

    python train.py [TRAINING] [MODEL.joblib]
"""

import sys

import joblib
import pandas
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import average_precision_score, roc_auc_score

KEY, LABEL = "payment", "fraud"
# The columns of `inputs` in score.yaml, in that order.
FEATURES = ["amount_log", "payments_15m", "payments_1d", "spent_1h", "unusual", "countries_1h", "abroad", "quiet_for",
            "shop_fraud", "hour_sin", "hour_cos"]


def main(training="training/examples", path="card_fraud.joblib"):
    rows = pandas.read_parquet(training).sort_values(["at", "payment"])
    cut = rows["at"].iloc[len(rows) * 2 // 3]
    # What is known at that time: payments whose outcome came later cannot teach, and count neither way.
    past, later = rows[rows["known_at"] <= cut], rows[rows["at"] > cut]
    model = HistGradientBoostingClassifier(max_iter=80, learning_rate=0.08, max_leaf_nodes=15, random_state=0)
    model.fit(past[FEATURES].to_numpy(dtype=float), past["fraud"])
    scores = model.predict_proba(later[FEATURES].to_numpy(dtype=float))[:, 1]
    print(f"trained on {len(past)} payments, tried on {len(later)} later ones, {later['fraud'].mean():.1%} of them frauds")
    print(f"AUC {roc_auc_score(later['fraud'], scores):.4f}")
    print(f"average precision {average_precision_score(later['fraud'], scores):.4f}")
    joblib.dump(model, path)


if __name__ == "__main__":
    main(*sys.argv[1:])
