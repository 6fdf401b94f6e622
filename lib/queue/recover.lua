-- A worker that has just started takes back what its name still has in flight.
--
-- KEYS inflight:<worker>, redeliver, dead
-- ARGV prefix, worker, attempts
-- Returns how many there were.
local prefix, worker, limit = ARGV[1], ARGV[2], tonumber(ARGV[3])
local inflight, redeliver, dead = unpack(KEYS)
local now_ms = math.floor(clock_us() / 1000)
local list = {}

local all = call('HGETALL', inflight)
for i = 1, #all, 2 do
	local claim, place = string.match(all[i], '^(%w+)-(%d+)$')
	list[#list + 1] = {
		claim = claim, place = tonumber(place), field = all[i],
		entry = all[i + 1],
	}
end
table.sort(list, function(a, b)
	if a.claim ~= b.claim then
		return a.claim < b.claim
	end
	return a.place < b.place
end)
for _, item in ipairs(list) do
	local receipt = worker .. ':' .. item.field
	call('HDEL', inflight, item.field)
	call('DEL', prefix .. 'parts:' .. receipt)
	take_back({ dead = dead, redeliver = redeliver }, item.entry, now_ms,
		receipt, 'worker-restarted', limit)
end
return #list
