"""Prints the hashes of a Redis whose keys hold a text, as JSON {key: {field: value}} of hex: python redis_dump.py URL TEXT [wipe]

With `wipe` they are deleted then.
"""

import json
import sys

import redis

client = redis.Redis.from_url(sys.argv[1])
keys = [key for key in client.scan_iter(match=f"*{sys.argv[2]}*", count=1000) if not key.startswith(b"sw:{")]
dump = {
    key.hex(): {field.hex(): value.hex() for field, value in client.hgetall(key).items()} for key in sorted(keys)
}
if "wipe" in sys.argv[3:] and keys:
    client.delete(*keys)
json.dump(dump, sys.stdout, sort_keys=True)
