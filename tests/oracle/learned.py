"""What `scale`, `encode`, `impute` and `outlier` learn, against scikit-learn, scipy, river and pandas, row by row:

    python learned.py make DIRECTORY SEED    writes DIRECTORY/in/rows.json and DIRECTORY/labels/labels.json
    python learned.py compare DIRECTORY      compares them with DIRECTORY/out/ and DIRECTORY/encoded/

A row is transformed by the rows before it, so a library fits those and transforms the row. Standard output of `compare` is, by column,
the largest difference and the number of values. Quantiles of a DDSketch are held to 1 % of the values beside the rank.
"""

import collections
import sys
import warnings

import numpy
import pandas
import scipy.stats
from river import preprocessing, stats
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, OrdinalEncoder, QuantileTransformer, StandardScaler, TargetEncoder

from compared import Worst, delayed, read, write

START = 1_780_000_000_000
FROZEN = 150


def make(directory, seed):
    random = numpy.random.default_rng(seed)
    rows, labels = [], []
    for n in range(300):
        at = START + 1000 * int(random.integers(300))
        category = random.choice(["a", "b", "c", "d", "e", ""], p=[0.35, 0.3, 0.2, 0.08, 0.02, 0.05])
        category = str(category) or None
        rows.append({
            "n": n,
            "at": at,
            "key": f"k{random.integers(3)}",
            "x": None if random.random() < 0.1 else round(float(random.lognormal(3, 0.7)), 2),
            "signed": float(random.normal(0, 40)),
            "category": category,
        })
        known = {"n": n, "known_at": at + 500 + 1000 * int(random.integers(60)), "category": category}
        labels.append({**known, "y": bool(random.random() < (0.6 if category == "a" else 0.2))})
    write(f"{directory}/in/rows.json", delayed(rows, random, 4.9))
    # Labels come in the order of their own time.
    write(f"{directory}/labels/labels.json", sorted(labels, key=lambda label: label["known_at"]))


def by_library(scaler, learned, value):
    """One value by what a scaler of scikit-learn fits to others."""
    if value is None or not learned:
        return None
    fitted = scaler.fit(numpy.array(learned).reshape(-1, 1))
    spread = getattr(fitted, "data_range_", getattr(fitted, "var_", getattr(fitted, "max_abs_", None)))
    # Where nothing varies scikit-learn divides by 1, and we say 0.
    return fitted.transform([[value]])[0][0] if spread[0] > 0 else 0.0


def bounds(values, q):
    """Where a sketched quantile may lie: by 1 % beside the values around its rank."""
    low, high = numpy.quantile(values, q, method="lower"), numpy.quantile(values, q, method="higher")
    return low * 0.99, high * 1.01


def ratio(value, middle, scale):
    """The interval of (value - middle) / scale."""
    ends = [(value - m) / s for m in middle for s in scale if s > 0]
    return min(ends), max(ends)


def scaled(worst, given, row, before):
    x, learned = row["x"], [r["x"] for r in before if r["x"] is not None]
    signed = [r["signed"] for r in before]
    worst.compare("standard", given.get("standard"), by_library(StandardScaler(), learned, x))
    worst.compare("min_max", given.get("min_max"), by_library(MinMaxScaler(), signed, row["signed"]))
    worst.compare("max_abs", given.get("max_abs"), by_library(MaxAbsScaler(), signed, row["signed"]))
    worst.compare("frozen", given.get("frozen"), by_library(StandardScaler(), signed[:FROZEN], row["signed"]))
    own = [r["signed"] for r in before if r["key"] == row["key"]]
    worst.compare("by_key", given.get("by_key"), by_library(StandardScaler(), own, row["signed"]))
    worst.compare("log1p", given.get("log1p"), None if x is None else numpy.log1p(x))
    power = scipy.stats.yeojohnson(numpy.array([row["signed"]]), lmbda=0.3)[0]
    worst.compare("power", given.get("power"), power)
    if x is not None and len(learned) >= 20:
        quartiles = [bounds(learned, q) for q in (0.25, 0.75)]
        spread = quartiles[1][0] - quartiles[0][1], quartiles[1][1] - quartiles[0][0]
        worst.within("robust", given.get("robust"), ratio(x, bounds(learned, 0.5), spread))
        # Both interpolate between the quantiles of what was learned, which are those of whole ranks in the sketch.
        shares = QuantileTransformer(n_quantiles=len(learned)).fit(numpy.array(learned).reshape(-1, 1))
        low, high = (shares.transform([[x * part]])[0][0] for part in (0.98, 1.02))
        worst.within("quantile", given.get("quantile"), (low - 2 / len(learned), high + 2 / len(learned)))


def imputed(worst, given, row, before):
    learned = [r["x"] for r in before if r["x"] is not None]
    missing = row["x"] is None
    worst.compare("x_missing", given.get("mean_missing"), missing)
    column = numpy.array([[numpy.nan if r["x"] is None else r["x"]] for r in before], dtype=float).reshape(-1, 1)
    mean = SimpleImputer(strategy="mean").fit(column).transform([[numpy.nan]])[0][0] if learned else None
    worst.compare("mean", given.get("mean"), mean if missing else row["x"])
    if missing and learned:
        worst.within("median", given.get("median"), bounds(learned, 0.5))
    seen = collections.Counter(r["category"] for r in before if r["category"] is not None)
    # Of equals the one that came first, as Counter has them.
    usual = seen.most_common(1)[0][0] if seen else None
    worst.compare("usual", given.get("usual"), usual if row["category"] is None else row["category"])
    own = [r for r in before if r["key"] == row["key"] and r["x"] is not None]
    recent = own and row["at"] - own[-1]["at"] <= 10_000
    worst.compare("last", given.get("last"), row["x"] if not missing else own[-1]["x"] if recent else None)


def judged(worst, given, row, before):
    learned = numpy.array([r["signed"] for r in before])
    if len(learned) < 2:
        return
    far = 2.0 * learned.std()
    worst.compare("odd", given.get("odd"), abs(row["signed"] - learned.mean()) > far)
    drawn = numpy.clip(row["signed"], learned.mean() - far, learned.mean() + far)
    worst.compare("drawn", given.get("drawn"), drawn)


def encoded(worst, given, row, before, labels):
    own = row["category"]
    seen = [r["category"] for r in before]
    worst.compare("count", given.get("count"), seen.count(own))
    worst.compare("share", given.get("share"), seen.count(own) / len(seen) if seen else 0)
    if seen:
        known = list(pandas.unique(pandas.Series(seen, dtype=object)))
        encoder = OrdinalEncoder(categories=[known], handle_unknown="use_encoded_value", unknown_value=-1)
        encoder.fit(numpy.array(known, dtype=object).reshape(-1, 1))
        worst.compare("ordinal", given.get("ordinal"), encoder.transform(numpy.array([[own]], dtype=object))[0][0])
    labels = labels[labels["known_at"] < row["at"]]
    given_prior = stats.BayesianMean(prior=0.3, prior_weight=7)
    for y in labels[labels["category"] == (own or "none")]["y"]:
        given_prior.update(float(y))
    worst.compare("prior", given.get("prior"), given_prior.get())
    # One class alone is nothing to scikit-learn.
    if labels["y"].nunique() == 2:
        target = TargetEncoder(smooth=5, target_type="continuous")
        target.fit(labels[["category"]].to_numpy(), labels["y"].astype(float))
        worst.compare("target", given.get("target"), target.transform([[own or "none"]])[0][0])
        counts = pandas.crosstab(labels["category"], labels["y"], normalize="columns")
        shares = counts.loc[own or "none"] if (own or "none") in counts.index else {True: 0.0, False: 0.0}
        both = shares[True] > 0 and shares[False] > 0
        worst.compare("woe", given.get("woe"), numpy.log(shares[True] / shares[False]) if both else None)


def compare(directory):
    arrived = list(read(f"{directory}/in").values())
    for row in arrived:
        row.setdefault("x", None)
        row.setdefault("category", None)
    # In the order of time, rows of one time as they came.
    rows = sorted(arrived, key=lambda row: row["at"])
    labels = pandas.DataFrame(read(f"{directory}/labels").values())
    labels["category"] = labels["category"].fillna("none") if "category" in labels else "none"
    out, codes = read(f"{directory}/out"), read(f"{directory}/encoded")
    assert len(out) == len(codes) == len(rows)
    worst = Worst()
    river = preprocessing.StandardScaler()
    for place, row in enumerate(rows):
        before, given = rows[:place], out[row["n"]]
        if place > 1:
            worst.compare("as river", given.get("signed_z"), river.transform_one({"x": row["signed"]})["x"])
        river.learn_one({"x": row["signed"]})
        scaled(worst, given, row, before)
        imputed(worst, given, row, before)
        judged(worst, given, row, before)
        encoded(worst, codes[row["n"]], row, before, labels)
    print(worst.told())


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    make(sys.argv[2], int(sys.argv[3])) if sys.argv[1] == "make" else compare(sys.argv[2])
