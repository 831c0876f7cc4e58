-- Runs the staged batches from ARGV[2] to ARGV[3] of epoch ARGV[1], unless the fence KEYS[1] says that it was done;
-- with ARGV[4] = 1 they are the last. KEYS[2] holds the batches by number. -1: it was done before; -2 and -3 with a
-- text: a batch is gone, or a command was refused.
if tonumber(redis.call('GET', KEYS[1]) or '0') >= tonumber(ARGV[1]) then return {-1, ''} end
for i = tonumber(ARGV[2]), tonumber(ARGV[3]) do
  local batch = redis.call('HGET', KEYS[2], tostring(i))
  if not batch then return {-2, tostring(i)} end
  for _, command in ipairs(cmsgpack.unpack(batch)) do
    local reply = run(command)
    if type(reply) == 'table' and reply.err then return {-3, command[1] .. ' ' .. command[2] .. ': ' .. reply.err} end
  end
end
if ARGV[4] == '1' then
  redis.call('SET', KEYS[1], ARGV[1])
  redis.call('UNLINK', KEYS[2])
end
return {1, ''}
