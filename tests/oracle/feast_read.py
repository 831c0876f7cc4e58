"""Reads features with the SDK of Feast from a Redis: python feast_read.py HOST:PORT[,db=N]

Standard input is a JSON object {project, view, entity: {name: type}, features: {name: type}, rows: [{name: value}]};
standard output is what `get_online_features` gives for the rows, as JSON.
"""

import json
import sys
import tempfile
from datetime import timedelta

from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig, ValueType
from feast import types

spec = json.load(sys.stdin)
with tempfile.TemporaryDirectory() as directory:
    store = FeatureStore(
        config=RepoConfig(
            project=spec["project"],
            provider="local",
            registry=f"{directory}/registry.db",
            online_store={"type": "redis", "connection_string": sys.argv[1]},
            offline_store={"type": "file"},
            entity_key_serialization_version=3,
        )
    )
    entities = [
        Entity(name=name, join_keys=[name], value_type=ValueType[kind])
        for name, kind in spec["entity"].items()
    ]

    def kind(text):
        if text.endswith("[]"):
            return types.Array(getattr(types, text[:-2]))
        return getattr(types, text)

    kinds = {"STRING": types.String, "INT64": types.Int64, "INT32": types.Int32}
    source = FileSource(path=f"{directory}/none.parquet", timestamp_field="ts")
    view = FeatureView(
        name=spec["view"],
        entities=entities,
        ttl=timedelta(0),
        schema=[Field(name=name, dtype=kinds[of]) for name, of in spec["entity"].items()]
        + [Field(name=name, dtype=kind(of)) for name, of in spec["features"].items()],
        source=source,
    )
    # Not `apply`, which would look for the source's file.
    for entity in entities:
        store.registry.apply_entity(entity, spec["project"])
    store.registry.apply_feature_view(view, spec["project"])
    answer = store.get_online_features(
        features=[f"{spec['view']}:{name}" for name in spec["features"]],
        entity_rows=spec["rows"],
    )
    json.dump(answer.to_dict(), sys.stdout, default=str)
