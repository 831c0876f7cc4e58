-- Seconds and nanoseconds of a serialized google.protobuf.Timestamp. A negative number is a varint of ten bytes, whose
-- complement is small enough for Lua's doubles. What cannot be read counts as older than everything.
local function moment(bytes)
  local at, values = 1, {0, 0}
  while at <= #bytes do
    local field = math.floor(string.byte(bytes, at) / 8)
    local sum, complement, weight, count, byte = 0, 0, 1, 0, nil
    at = at + 1
    repeat
      byte = string.byte(bytes, at)
      if not byte then return -math.huge, 0 end
      at, count = at + 1, count + 1
      if count < 10 then
        sum = sum + (byte % 128) * weight
        complement = complement + (127 - byte % 128) * weight
        weight = weight * 128
      end
    until byte < 128
    if count < 10 then values[field] = sum else values[field] = -complement - 1 end
  end
  return values[1], values[2]
end
-- Times of the layout `plain` are text of one length, in the order of time.
local function older(layout, new, stored)
  if layout == 'plain' then return new < stored end
  local seconds, nanos = moment(new)
  local stored_seconds, stored_nanos = moment(stored)
  return seconds < stored_seconds or (seconds == stored_seconds and nanos < stored_nanos)
end
-- {'COMPARE-AND-SET', key, layout, field of the time, time, 'write' or 'delete', ttl in ms or '0', n,
-- n fields and values in turn, fields that go}. A row that is older than what is there changes nothing.
local function compare_and_set(row)
  local key, field, time = row[2], row[4], row[5]
  local stored = redis.pcall('HGET', key, field)
  if type(stored) == 'table' and stored.err then return stored end
  if stored and older(row[3], time, stored) then return 0 end
  local set = tonumber(row[8])
  if row[6] == 'delete' then return redis.pcall('HDEL', key, field, unpack(row, 9)) end
  local reply = redis.pcall('HSET', key, field, time, unpack(row, 9, 8 + set))
  if type(reply) == 'table' and reply.err then return reply end
  if #row > 8 + set then redis.pcall('HDEL', key, unpack(row, 9 + set)) end
  if row[7] ~= '0' then redis.pcall('PEXPIRE', key, row[7]) end
  return reply
end
local function run(command)
  if command[1] == 'COMPARE-AND-SET' then return compare_and_set(command) end
  return redis.pcall(unpack(command))
end
