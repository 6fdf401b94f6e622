-- How a queue stands, all of it at one instant.  Changes nothing.
--
-- KEYS ready, leases, redeliver, delayed, dead
-- ARGV prefix, marks to look at, at most
-- Returns {now ms, ready, redeliver, delayed, of these due, due of the first or -1,
--   dead, next ready task or '', {worker, in flight, claimed ms of the oldest,
--   deadline of that or -1, is live} ...}.
local prefix, most = ARGV[1], tonumber(ARGV[2])
local ready, leases, redeliver, delayed, dead = unpack(KEYS)
local now_ms = math.floor(clock_us() / 1000)

local names, deadlines = {}, {}
local marks = call('ZRANGE', leases, 0, most - 1, 'WITHSCORES')
for i = 1, #marks, 2 do
	local owner, claim = string.match(marks[i], '^(%S+) (%S+)')
	if not deadlines[owner] then
		names[#names + 1] = owner
		deadlines[owner] = {}
	end
	deadlines[owner][claim] = marks[i + 1]
end
table.sort(names)

local workers = {}
for _, owner in ipairs(names) do
	local fields = call('HKEYS', prefix .. 'inflight:' .. owner)
	local oldest
	for _, field in ipairs(fields) do
		local claim = string.match(field, '^%w+')
		if not oldest or claim < oldest then
			oldest = claim
		end
	end
	if oldest then
		workers[#workers + 1] = {
			owner, #fields, math.floor(from_base36(oldest) / 1000),
			tonumber(deadlines[owner][oldest] or -1),
			call('EXISTS', prefix .. 'worker:' .. owner),
		}
	end
end

return {
	now_ms, call('LLEN', ready), call('LLEN', redeliver),
	call('ZCARD', delayed), call('ZCOUNT', delayed, '-inf', now_ms),
	tonumber(call('ZRANGE', delayed, 0, 0, 'WITHSCORES')[2] or -1),
	call('LLEN', dead), call('LINDEX', ready, -1) or '', workers,
}
