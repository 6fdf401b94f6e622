-- Finds what a claim took whose answer never arrived: entries of this worker
-- newer than the last claim it knows of.  Their lease begins anew.
--
-- KEYS inflight:<worker>, leases
-- ARGV worker, last claim known, lease ms
-- Returns {field, entry, ...} in the order of the claims.
local worker, last = ARGV[1], ARGV[2]
local inflight, leases = KEYS[1], KEYS[2]
local now_ms = math.floor(clock_us() / 1000)
local list, counts = {}, {}

local all = call('HGETALL', inflight)
for i = 1, #all, 2 do
	local claim, place = string.match(all[i], '^(%w+)-(%d+)$')
	if claim > last then
		list[#list + 1] = {
			claim = claim, place = tonumber(place), field = all[i],
			entry = all[i + 1],
		}
		counts[claim] = math.max(counts[claim] or 0, place + 1)
	end
end
table.sort(list, function(a, b)
	if a.claim ~= b.claim then
		return a.claim < b.claim
	end
	return a.place < b.place
end)
for claim, count in pairs(counts) do
	call('ZADD', leases, now_ms + ARGV[3],
		worker .. ' ' .. claim .. ' ' .. whole(count))
end
local reply = {}
for _, item in ipairs(list) do
	reply[#reply + 1] = item.field
	reply[#reply + 1] = item.entry
end
return reply
