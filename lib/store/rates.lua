-- A bucket of lib/policy/rate.c, kept inside Redis by the clock of Redis.
-- KEYS  the bucket: the microsecond at which it is full again
-- ARGV  limit, per and longest wait in milliseconds, then the units of each ask
-- Returns per ask: 0 now, n wait so many milliseconds, -1 refused
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local limit, per, most = tonumber(ARGV[1]), ARGV[2] * 1000, ARGV[3] * 1000
local full = tonumber(redis.call('GET', KEYS[1]) or '0')
local was, out = full, {}
if full < now then
  full = now
end
for i = 4, #ARGV do
  out[i - 3] = -1
  if limit > 0 then
    local after = full + per * math.min(tonumber(ARGV[i]), limit) / limit
    local over = after - now - per
    if over <= 0 then
      out[i - 3] = 0
      full = after
    elseif over <= most then
      out[i - 3] = math.floor(over / 1000) + 1
      full = after
    end
  end
end
if full > now and full ~= was then
  redis.call('SET', KEYS[1], string.format('%.3f', full), 'PX', math.ceil((full - now) / 1000))
end
return out
