-- Registers a device, if its owner is still the one that the caller has seen.
-- KEYS  owner of the token, devices of the user, devices of the former user
-- ARGV  owner as seen ('' none), new owner, field, registration
-- Returns 1, 2 when the user had the device already, or 0 when somebody else was
-- faster: look again.
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then
  return 0
end
if KEYS[3] ~= KEYS[2] then
  redis.call('HDEL', KEYS[3], ARGV[3])
end
local added = redis.call('HSET', KEYS[2], ARGV[3], ARGV[4])
redis.call('SET', KEYS[1], ARGV[2])
return 2 - added
