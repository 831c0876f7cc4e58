for _, command in ipairs(cmsgpack.unpack(ARGV[1])) do
  local reply = run(command)
  if type(reply) == 'table' and reply.err then return reply.err end
end
return ''
