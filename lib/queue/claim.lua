-- Claims up to `max' entries for one worker: what is due in delayed, then
-- redeliver, then the ready list.  Takes leases that have run out back first.
--
-- KEYS ready, inflight:<worker>, leases, redeliver, delayed, dead, seq,
--      full:<worker>, worker:<worker>
-- ARGV prefix, worker, token, token life ms, lease ms, max, window, wake step,
--      attempts, uid prefix
-- Returns {0, who has the name} when another process has taken it; else {1,
-- in flight now, ms until the next delayed entry or lease (-1: none), is full,
-- claim, entry...}; the place of an entry in its receipt counts from 0.
local prefix, worker, token = ARGV[1], ARGV[2], ARGV[3]
local lease_ms, max, window = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local wake_step, limit = tonumber(ARGV[8]), tonumber(ARGV[9])
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

for _, mark in ipairs(call('ZRANGEBYSCORE', leases, '-inf', now_ms,
	'LIMIT', 0, REAP_MOST)) do
	local owner, claim, count = string.match(mark, '^(%S+) (%S+) (%d+)$')
	local hash = prefix .. 'inflight:' .. owner
	local fields = {}
	for i = 1, tonumber(count) do
		fields[i] = claim .. '-' .. (i - 1)
	end
	for i, entry in ipairs(call('HMGET', hash, unpack(fields))) do
		if entry then
			local receipt = owner .. ':' .. fields[i]
			call('HDEL', hash, fields[i])
			call('DEL', prefix .. 'parts:' .. receipt)
			take_back({ dead = dead, redeliver = redeliver }, entry, now_ms,
				receipt, 'lease-lost', limit)
		end
	end
	call('ZREM', leases, mark)
end

local held = call('HLEN', inflight)
local room = math.min(max, window - held)
local entries = {}
local claim = ''

if room > 0 then
	local due = call('ZRANGEBYSCORE', delayed, '-inf', now_ms, 'LIMIT', 0, room)
	if #due > 0 then
		call('ZREM', delayed, unpack(due))
		for _, entry in ipairs(due) do
			entries[#entries + 1] = entry
		end
	end
	if #entries < room then
		for _, entry in ipairs(call('RPOP', redeliver, room - #entries) or {}) do
			entries[#entries + 1] = entry
		end
	end
	local fresh = #entries
	if #entries < room then
		for _, bytes in ipairs(call('RPOP', ready, room - #entries) or {}) do
			entries[#entries + 1] = bytes
		end
	end
	if #entries > 0 then
		-- Follows the clock, so that a server that has forgotten its last
		-- moments does not give a receipt or uid twice.
		local n = math.max(now_us, tonumber(call('GET', seq) or 0) + 1)
		call('SET', seq, whole(n))
		claim = base36(n)
		local pairs_ = {}
		for i = 1, #entries do
			if i > fresh then
				entries[i] = '1 ' .. whole(now_ms) .. ' ' .. ARGV[10] ..
					claim .. '-' .. (i - 1) .. ' t -\n' .. entries[i]
			end
			pairs_[2 * i - 1] = claim .. '-' .. (i - 1)
			pairs_[2 * i] = entries[i]
		end
		call('HSET', inflight, unpack(pairs_))
		call('ZADD', leases, now_ms + lease_ms,
			worker .. ' ' .. claim .. ' ' .. #entries)
	end
end

local is_full = 0
if #entries == 0 and window - held <= 0 then
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

local reply = { 1, held + #entries, next_ms, is_full, claim }
for i = 1, #entries do
	reply[5 + i] = entries[i]
end
return reply
