-- The sliding windows of lib/policy/fatigue.c, kept inside Redis.
-- KEYS  windows: 12-byte entries, oldest first: seconds (4), uid (8, its lowest
--       bit tells "kept")
-- ARGV  per key: verb (t take, k keep, r release), now and window in seconds,
--       limit (4 bytes each), uid (8, lowest bit 0)
-- Returns per key: 0 done as asked or counted now, 1 was counted, 2 over
local out = {}
for i = 1, #KEYS do
  local key = KEYS[i]
  local verb, now, window, limit, uid = struct.unpack('>c1I4I4I4c8', ARGV[i])
  local kept = string.sub(uid, 1, 7) .. string.char(string.byte(uid, 8) + 1)
  local all = redis.call('GET', key) or ''
  local first, last, mine, is_kept = 1, #all, nil, false
  while first <= last and struct.unpack('>I4', all, first) + window <= now do
    first = first + 12
  end
  for at = first, last, 12 do
    local id = string.sub(all, at + 4, at + 11)
    if id == uid or id == kept then
      mine, is_kept = at, id == kept
      break
    end
  end
  out[i] = 0
  if verb == 't' then
    if mine then
      out[i] = 1
    elseif (last - first + 1) / 12 >= limit then
      out[i] = 2
    else
      redis.call('SET', key, string.sub(all, first) .. struct.pack('>I4', now)
        .. uid, 'EX', window)
    end
  elseif verb == 'k' then
    if not mine then
      redis.call('SET', key, string.sub(all, first) .. struct.pack('>I4', now)
        .. kept, 'EX', window)
    elseif not is_kept then
      redis.call('SETRANGE', key, mine + 10, string.sub(kept, 8))
    end
  elseif mine and not is_kept then
    local rest = string.sub(all, first, mine - 1) .. string.sub(all, mine + 12)
    if rest == '' then
      redis.call('DEL', key)
    else
      redis.call('SET', key, rest, 'KEEPTTL')
    end
  end
end
return out
