"""Trains a model on the older two thirds of the training set, and says how well it tells clicks in the rest.

    python train.py [TRAINING] [MODEL.joblib]
"""

import sys

import joblib
import pandas
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import average_precision_score, roc_auc_score

KEY, LABEL = "impression", "clicked"
# The columns of `inputs` in score.yaml, in that order.
FEATURES = ["shown_1h", "ads_1h", "quiet_for", "ad_clicks", "user_clicks", "taste_clicks", "place", "hour_sin", "hour_cos"]


def main(training="training/examples", path="click_through.joblib"):
    rows = pandas.read_parquet(training).sort_values(["at", "impression"])
    cut = rows["at"].iloc[len(rows) * 2 // 3]
    # What is known at that time: impressions whose outcome came later cannot teach, and count neither way.
    past, later = rows[rows["known_at"] <= cut], rows[rows["at"] > cut]
    model = HistGradientBoostingClassifier(max_iter=60, learning_rate=0.06, max_leaf_nodes=8, random_state=0)
    model.fit(past[FEATURES].to_numpy(dtype=float), past["clicked"])
    scores = model.predict_proba(later[FEATURES].to_numpy(dtype=float))[:, 1]
    print(f"trained on {len(past)} impressions, tried on {len(later)} later ones, {later['clicked'].mean():.1%} of them clicked")
    print(f"AUC {roc_auc_score(later['clicked'], scores):.4f}")
    print(f"average precision {average_precision_score(later['clicked'], scores):.4f}")
    joblib.dump(model, path)


if __name__ == "__main__":
    main(*sys.argv[1:])
