-- A worker that has just started takes back what its name still has in flight.
--
-- KEYS inflight:<worker>, redeliver, dead
-- ARGV prefix, worker, attempts, uid prefix
-- Returns how many there were.
local list = in_flight(KEYS[1])
for _, item in ipairs(list) do
	take_back({
		prefix = ARGV[1], redeliver = KEYS[2], dead = KEYS[3],
		now_ms = math.floor(clock_us() / 1000), limit = tonumber(ARGV[3]),
		uid_prefix = ARGV[4],
	}, ARGV[2], item.field, item.entry, 'worker-restarted')
end
return #list
