"""What the comparisons with pandas, scikit-learn, scipy and river share: rows with a seed, and how far values are apart."""

import json
import math
import pathlib


def write(path, rows):
    pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as file:
        for row in rows:
            file.write(json.dumps({name: value for name, value in row.items() if value is not None}) + "\n")


def read(directory, key="n"):
    """Rows of all files of a directory by their key; a key that comes twice is a fault."""
    rows = [json.loads(line) for path in pathlib.Path(directory).rglob("*.json") for line in open(path)]
    by_key = {row[key]: row for row in rows}
    assert len(by_key) == len(rows), f"{len(rows)} rows have {len(by_key)} keys"
    return by_key


def delayed(rows, random, seconds):
    """The order in which rows come that are up to so many seconds late."""
    late = random.uniform(0, seconds * 1000, len(rows))
    return [row for _, row in sorted(zip(late, rows), key=lambda pair: pair[1]["at"] + pair[0])]


def plain(value):
    """None for what is missing, and Python's own numbers."""
    if value is None or (isinstance(value, str)):
        return value
    if isinstance(value, (list, tuple)):
        return [plain(element) for element in value]
    value = float(value)
    return value if math.isfinite(value) else None


class Worst:
    """The largest differences by feature, relative to values above 1, and how many values were compared."""

    def __init__(self):
        self.found = {}

    def compare(self, feature, found, expected):
        found, expected = plain(found), plain(expected)
        if isinstance(expected, list):
            same = isinstance(found, list) and len(found) == len(expected)
            apart = max((self.apart(a, b) for a, b in zip(found, expected)), default=0.0) if same else 1e300
        else:
            apart = self.apart(found, expected)
        self.note(feature, apart, expected not in (None, []), (found, expected))

    def within(self, feature, found, bounds):
        """Whether a value lies in an interval, give or take what rounding takes."""
        low, high = bounds
        slack = 1e-9 * max(1.0, abs(low), abs(high))
        inside = found is not None and low - slack <= found <= high + slack
        self.note(feature, 0.0 if inside else 1e300, True, (found, [low, high]))

    @staticmethod
    def apart(found, expected):
        if found == expected:
            return 0.0
        if found is None or expected is None or isinstance(found, str) or isinstance(expected, str):
            return 1e300
        return abs(found - expected) / max(1.0, abs(expected))

    def note(self, feature, apart, is_value, example):
        entry = self.found.setdefault(feature, {"worst": 0.0, "values": 0})
        entry["values"] += int(is_value)
        if apart > entry["worst"]:
            entry.update(worst=apart, example=example)

    def told(self):
        return json.dumps(self.found)
