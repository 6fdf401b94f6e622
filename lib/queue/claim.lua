-- Claims up to `max' entries for one worker: what is due in delayed, then
-- redeliver, then the ready list.  Takes leases that have run out back first.
--
-- KEYS ready, inflight:<worker>, leases, redeliver, delayed, dead, seq,
--      full:<worker>, worker:<worker>
-- ARGV prefix, worker, token, token life ms, lease ms, max, window, wake step,
--      attempts, uid prefix
-- Returns {0, who has the name} when another process has taken it; else {1,
-- in flight now, ms until the next delayed entry or lease (-1: none), is full,
-- claim, entries that came back, tasks that are new, for each that came back the
-- devices that it comes without}; their places count through, from 0.
local prefix, worker, token = ARGV[1], ARGV[2], ARGV[3]
local lease_ms, max, window = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local wake_step = tonumber(ARGV[8])
local ready, inflight, leases, redeliver, delayed, dead, seq, full, name =
	unpack(KEYS)
local REAP_MOST = 32
-- Marks of claims that were settled in time stay until their deadline; nobody
-- need wake for each of them.
local LEASE_GRAIN_MS = 250

-- Fails here, with nothing done, when producers use the name for another type.
call('LLEN', ready)

local holder = call('GET', name)
if holder and holder ~= token then
	return { 0, holder }
end
call('SET', name, token, 'PX', ARGV[4])

local now_us = clock_us()
local now_ms = math.floor(now_us / 1000)

-- A mark is <worker> <claim> <entries that came back> <new tasks>.
local function reap(mark, to)
	local owner, claim, old, new = string.match(mark, '^(%S+) (%S+) (%d+) (%d+)$')
	local fields = {}
	for i = 1, old + new do
		fields[i] = claim .. (i <= tonumber(old) and '.' or '-') .. (i - 1)
	end
	local entries = call('HMGET', prefix .. 'inflight:' .. owner, unpack(fields))
	for i, entry in ipairs(entries) do
		if entry then
			take_back(to, owner, fields[i], entry, 'lease-lost')
		end
	end
	call('ZREM', leases, mark)
end

local marks = call('ZRANGEBYSCORE', leases, '-inf', now_ms, 'LIMIT', 0, REAP_MOST)
for _, mark in ipairs(marks) do
	reap(mark, {
		prefix = prefix, redeliver = redeliver, dead = dead, now_ms = now_ms,
		limit = tonumber(ARGV[9]), uid_prefix = ARGV[10],
	})
end

local held = call('HLEN', inflight)
local room = math.min(max, window - held)
local old, new = {}, {}
local claim = ''

if room > 0 then
	old = call('ZRANGEBYSCORE', delayed, '-inf', now_ms, 'LIMIT', 0, room)
	if #old > 0 then
		call('ZREM', delayed, unpack(old))
	end
	if #old < room then
		for _, entry in ipairs(call('RPOP', redeliver, room - #old) or {}) do
			old[#old + 1] = entry
		end
	end
	if #old < room then
		new = call('RPOP', ready, room - #old) or {}
	end
end

local count = #old + #new
if count > 0 then
	-- Follows the clock, so that a server that has forgotten its last moments
	-- does not give a receipt or uid twice.
	local n = math.max(now_us, tonumber(call('GET', seq) or 0) + 1)
	call('SET', seq, whole(n))
	claim = base36(n)
	local hash = {}
	for i = 1, #old do
		hash[2 * i - 1] = claim .. '.' .. (i - 1)
		hash[2 * i] = old[i]
	end
	for i = 1, #new do
		local place = #old + i
		hash[2 * place - 1] = claim .. '-' .. (place - 1)
		hash[2 * place] = new[i]
	end
	call('HSET', inflight, unpack(hash))
	call('ZADD', leases, now_ms + lease_ms,
		worker .. ' ' .. claim .. ' ' .. #old .. ' ' .. #new)
end

local apart = {}
for i = 1, #old do
	apart[i] = apart_of(prefix, old[i])
end

local is_full = 0
if count == 0 and window - held <= 0 then
	is_full = 1
	call('SET', full, math.max(0, held - wake_step), 'PX', 60000)
end

local next_ms = -1
local function look_at(key, grain_ms)
	local first = call('ZRANGE', key, 0, 0, 'WITHSCORES')[2]
	if first then
		local ms = tonumber(first) - now_ms
		ms = ms <= 0 and 0 or math.max(ms, grain_ms)
		next_ms = next_ms < 0 and ms or math.min(next_ms, ms)
	end
end
if is_full == 0 then
	look_at(delayed, 0)
end
look_at(leases, LEASE_GRAIN_MS)

return { 1, held + count, next_ms, is_full, claim, old, new, apart }
