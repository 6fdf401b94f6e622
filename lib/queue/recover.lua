-- A worker that has just started takes back what its name still has in flight, or
-- leaves it to those who have it (`leave').
--
-- KEYS inflight:<worker>, redeliver, dead, seq
-- ARGV prefix, worker, attempts, uid prefix, take or leave
-- Returns {how many were taken back, the newest claim there was}.
local list = ARGV[5] == 'take' and in_flight(KEYS[1]) or {}
for _, item in ipairs(list) do
	take_back({
		prefix = ARGV[1], redeliver = KEYS[2], dead = KEYS[3],
		now_ms = math.floor(clock_us() / 1000), limit = tonumber(ARGV[3]),
		uid_prefix = ARGV[4],
	}, ARGV[2], item.field, item.entry, 'worker-restarted')
end
return { #list, base36(tonumber(call('GET', KEYS[4]) or 0)) }
