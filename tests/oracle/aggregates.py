"""Features of `aggregate` against pandas and scipy, window by window:

    python aggregates.py make DIRECTORY SEED    writes DIRECTORY/in/rows.json
    python aggregates.py compare DIRECTORY      compares it with DIRECTORY/exact/, tiles/ and rows/

A window is cut out of the rows by its definition; what is told of it is the library's. Standard output of `compare` is, by feature,
the largest difference and the number of values.
"""

import sys
import warnings

import numpy
import pandas
import scipy.stats

from compared import Worst, delayed, read, write

START = 1_780_000_000_000


def make(directory, seed):
    random = numpy.random.default_rng(seed)
    rows = []
    for n in range(300):
        x = random.normal(100, 25)
        rows.append({
            "n": n,
            "key": f"k{random.integers(4)}",
            # Full seconds in a short time: many rows have the time of another one, or lie on a window's end.
            "at": START + 1000 * int(random.integers(400)),
            "x": None if random.random() < 0.1 else round(x, 3),
            "y": None if random.random() < 0.1 else x / 3 + random.normal(0, 5),
            # Far from 0, beside how little they differ.
            "far": 1e7 + random.normal(),
            "category": str(random.choice(["a", "b", "c", "d", None], p=[0.4, 0.3, 0.15, 0.05, 0.1])),
        })
        if rows[-1]["category"] == "None":
            rows[-1]["category"] = None
    write(f"{directory}/in/rows.json", delayed(rows, random, 4.9))


def ended(series):
    return series.iloc[-1] if len(series) else None


def features(window, row):
    """What libraries tell of the rows of a window, in the order of time."""
    x, far = window["x"].dropna(), window["far"].dropna()
    category = window["category"].dropna()
    pairs = window[["x", "y"]].dropna()
    seconds = window["at"] / 1000.0
    spread = scipy.stats.median_abs_deviation(x) if len(x) else None
    own = row["x"]
    age = (row["at"] - window["at"]) / 1000.0
    weights = 0.5 ** (age[x.index] / 30.0)
    times = pandas.to_datetime(window["at"][x.index], unit="ms")
    many = len(x) > 1
    timed = window[["x"]].assign(seconds=seconds).dropna()
    yield "rows", len(window)
    yield "values", x.count()
    yield "large", (x > 120).sum()
    yield "sum", x.sum() if len(x) else None
    yield "mean", x.mean()
    yield "var", x.var()
    yield "var0", x.var(ddof=0)
    yield "std", x.std()
    yield "far_std", far.std()
    yield "far_mean", far.mean()
    # Moments of equal values are rounding alone.
    uneven = x.nunique() > 1
    yield "skew", scipy.stats.skew(x) if len(x) >= 3 and uneven else None
    yield "kurtosis", scipy.stats.kurtosis(x) if len(x) >= 4 and uneven else None
    yield "min", x.min()
    yield "max", x.max()
    yield "first", x.iloc[0] if len(x) else None
    yield "last", ended(x)
    yield "last_3", list(x.iloc[::-1][:3])
    yield "top_3", list(x.nlargest(3))
    yield "categories", category.nunique()
    yield "usual", category.mode().iloc[0] if len(category) else None
    yield "entropy", scipy.stats.entropy(category.value_counts()) if len(category) else None
    yield "median", x.median()
    yield "p90", x.quantile(0.9)
    yield "zscore", (own - x.mean()) / x.std() if own is not None and many and x.std() > 0 else None
    yield "robust_z", 0.6745 * (own - x.median()) / spread if own is not None and spread else None
    yield "corr", pairs["x"].corr(pairs["y"]) if len(pairs) > 1 else None
    yield "covar", pairs["x"].cov(pairs["y"]) if len(pairs) > 1 else None
    sloped = timed["seconds"].nunique() > 1
    yield "slope", scipy.stats.linregress(timed["seconds"] - START / 1000, timed["x"]).slope if sloped else None
    yield "decayed", (x * weights).sum() if len(x) else None
    yield "decayed_mean", ended(x.ewm(halflife="30s", times=times).mean()) if len(x) else None
    yield "ewma", ended(x.ewm(alpha=0.3, adjust=False).mean())
    yield "ewvar", ended(x.ewm(alpha=0.3, adjust=False).var(bias=True)) if len(x) else None
    yield "drawdown", (1 - x / x.cummax()).max()
    yield "since", age.min() if len(window) else None
    yield "histogram", list(numpy.histogram(x, [-numpy.inf, 80, 100, 120, numpy.inf])[0])


# What tiles and windows of rows are asked for as well.
OF_TILES = {"rows", "sum", "mean", "var", "far_std", "skew", "min", "max", "categories", "last", "histogram"}
OF_ROWS = {"values", "mean", "std", "median", "ewma", "last_3", "usual"}


def compare(directory):
    rows = [row for row in map(dict, read(f"{directory}/in").values())]
    order = {n: place for place, n in enumerate(read(f"{directory}/in"))}
    for row in rows:
        for name in ("x", "y", "category"):
            row.setdefault(name, None)
    rows.sort(key=lambda row: (row["at"], order[row["n"]]))
    table = pandas.DataFrame(rows)
    table[["x", "y"]] = table[["x", "y"]].astype(float)
    given = {name: read(f"{directory}/{name}") for name in ("exact", "tiles", "rows")}
    assert all(len(found) == len(rows) for found in given.values())
    worst = Worst()
    for row in rows:
        own = table[table["key"] == row["key"]]
        before = own[own["at"] < row["at"]]
        windows = {
            "exact": before[before["at"] >= row["at"] - 60_000],
            "tiles": before[before["at"] >= (row["at"] - 60_000) // 10_000 * 10_000],
            "rows": before.iloc[-10:],
        }
        for kind, window in windows.items():
            for name, expected in features(window, row):
                if kind == "tiles" and name not in OF_TILES or kind == "rows" and name not in OF_ROWS:
                    continue
                worst.compare(f"{kind} {name}", given[kind][row["n"]].get(name), expected)
    print(worst.told())


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    make(sys.argv[2], int(sys.argv[3])) if sys.argv[1] == "make" else compare(sys.argv[2])
