-- Finds what a claim took whose answer never arrived: entries of this worker
-- newer than the last claim it knows of.  Their lease begins anew.
--
-- KEYS inflight:<worker>, leases
-- ARGV worker, last claim known, lease ms, prefix
-- Returns {field, entry, the devices that it comes without, ...} in the order of
-- the claims.
local worker, last, prefix = ARGV[1], ARGV[2], ARGV[4]
local due_ms = math.floor(clock_us() / 1000) + ARGV[3]
local reply, olds, news = {}, {}, {}

for _, item in ipairs(in_flight(KEYS[1])) do
	if item.claim > last then
		local is_old = string.find(item.field, '.', 1, true)
		local counts = is_old and olds or news
		reply[#reply + 1] = item.field
		reply[#reply + 1] = item.entry
		reply[#reply + 1] = is_old and apart_of(prefix, item.entry) or ''
		olds[item.claim] = olds[item.claim] or 0
		news[item.claim] = news[item.claim] or 0
		counts[item.claim] = counts[item.claim] + 1
	end
end
-- Nothing of such a claim was settled, so its mark is the one it made.
for claim, old in pairs(olds) do
	call('ZADD', KEYS[2], due_ms,
		worker .. ' ' .. claim .. ' ' .. old .. ' ' .. news[claim])
end
return reply
