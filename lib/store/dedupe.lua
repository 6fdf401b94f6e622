-- Marks and gives back dedupe keys: dedupe_apply() of lib/policy/dedupe.c.
-- (Reserving is a plain SET NX GET and needs no script.)
-- KEYS  keys
-- ARGV  per key: verb (e extend, d done, r release), 16 bytes of uid, window
--       in milliseconds (decimal)
-- Returns per key: 0 OK, 1 done and stays so, 2 another uid's
local out = {}
for i = 1, #KEYS do
  local key, arg = KEYS[i], ARGV[i]
  local verb, uid = string.sub(arg, 1, 1), string.sub(arg, 2, 17)
  local held = redis.call('GET', key)
  if held and string.sub(held, 2) ~= uid then
    out[i] = 2
  elseif verb == 'd' then
    redis.call('SET', key, 'd' .. uid, 'PX', string.sub(arg, 18))
    out[i] = 0
  elseif held and string.sub(held, 1, 1) == 'd' then
    out[i] = 1
  elseif verb == 'e' then
    redis.call('SET', key, 'r' .. uid, 'PX', string.sub(arg, 18))
    out[i] = 0
  else
    if held then redis.call('DEL', key) end
    out[i] = 0
  end
end
return out
