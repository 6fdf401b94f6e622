-- Removes a device, if its owner is still the one that the caller has seen.
-- KEYS  owner of the token, devices of the user
-- ARGV  owner as seen, field
-- Returns 1, or 0 when it was moved or registered anew meanwhile.
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then
  return 0
end
redis.call('HDEL', KEYS[2], ARGV[2])
redis.call('DEL', KEYS[1])
return 1
