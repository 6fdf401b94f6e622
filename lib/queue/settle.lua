-- Ends claims, or parts of them.  A receipt that is not in flight any more, or a
-- part that was settled before, changes nothing and is counted.
--
-- KEYS leases, delayed, dead, feedback
-- ARGV prefix, attempts, feedback length, then for each item
--        receipt, part ("n/of" or ''), action [, feedback], what the action needs
--      done:  d
--      later: n due ms                      the task as it was, same attempt
--      retry: r reason, after ms, origin, bytes
--      dead:  x reason, origin, bytes       no bytes: those of the entry
--      An action followed by f has a count and that many names and values for
--      the feedback stream behind it.
-- Returns {settled, late, delayed, dead}.
local prefix, limit = ARGV[1], tonumber(ARGV[2])
local _, delayed, dead, feedback = unpack(KEYS)
local now_ms = math.floor(clock_us() / 1000)
local settled, late, delays, deaths = 0, 0, 0, 0
local at = 4
local plain = {}   -- worker: fields that are simply done
local workers = {} -- worker: true

local function next_arg()
	at = at + 1
	return ARGV[at - 1]
end

local first = call('ZRANGE', delayed, 0, 0, 'WITHSCORES')[2]
local earliest = first and tonumber(first) or math.huge

local function delay(worker, due_ms, e)
	call('ZADD', delayed, due_ms, entry_format(e))
	delays = delays + 1
	if tonumber(due_ms) < earliest then
		earliest = tonumber(due_ms)
		wake(prefix, worker)
	end
end

local function carry_out(item, e)
	if item.fields then
		call('XADD', feedback, 'MAXLEN', '~', ARGV[3], '*',
			'at_ms', whole(now_ms), 'uid', e.uid, unpack(item.fields))
	end
	if item.action == 'n' then
		e.origin = 'n'
		delay(item.worker, item.due_ms, e)
		return
	end
	if item.action == 'd' then
		return
	end
	if item.bytes ~= '' then
		e.bytes = item.bytes
		e.origin = item.origin
	end
	entry_ended(e, now_ms, item.receipt, item.part or '-', item.reason)
	if item.action == 'r' and e.attempt <= limit then
		delay(item.worker, whole(now_ms + item.after_ms), e)
	else
		bury(dead, e, now_ms,
			item.action == 'r' and 'attempts-exhausted' or item.reason)
		deaths = deaths + 1
	end
end

local function settle(item)
	local hash = prefix .. 'inflight:' .. item.worker
	local entry = call('HGET', hash, item.field)
	local parts = prefix .. 'parts:' .. item.receipt
	if not entry or
		(item.part and call('SETBIT', parts, item.part, 1) == 1) then
		late = late + 1
		return
	end
	carry_out(item, entry_parse(entry))
	settled = settled + 1
	if not item.part then
		call('HDEL', hash, item.field)
	elseif call('BITCOUNT', parts) >= item.of then
		call('HDEL', hash, item.field)
		call('DEL', parts)
	end
end

while at <= #ARGV do
	local item = { receipt = next_arg() }
	item.worker, item.field = string.match(item.receipt, '^([^:]+):(.+)$')
	item.part, item.of = string.match(next_arg(), '^(%d+)/(%d+)$')
	item.of = tonumber(item.of)
	item.action = next_arg()
	if string.sub(item.action, 2) == 'f' then
		item.action = string.sub(item.action, 1, 1)
		item.fields = {}
		for i = 1, tonumber(next_arg()) do
			item.fields[i] = next_arg()
		end
	end
	if item.action == 'n' then
		item.due_ms = next_arg()
	elseif item.action ~= 'd' then
		item.reason = next_arg()
		item.after_ms = item.action == 'r' and tonumber(next_arg()) or nil
		item.origin = next_arg()
		item.bytes = next_arg()
	end
	workers[item.worker] = true
	if item.action == 'd' and not item.part and not item.fields then
		plain[item.worker] = plain[item.worker] or {}
		table.insert(plain[item.worker], item.field)
	else
		settle(item)
	end
end
for worker, fields in pairs(plain) do
	local n = call('HDEL', prefix .. 'inflight:' .. worker, unpack(fields))
	settled = settled + n
	late = late + #fields - n
end
for worker in pairs(workers) do
	local full = prefix .. 'full:' .. worker
	local most = call('GET', full)
	if most and call('HLEN', prefix .. 'inflight:' .. worker) <= tonumber(most) then
		call('DEL', full)
		wake(prefix, worker)
	end
end
return { settled, late, delays, deaths }
