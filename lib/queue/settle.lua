-- Ends claims, or parts of them, of one worker.  A receipt that is not in flight
-- any more, or a part that was settled before, changes nothing and is counted.
--
-- KEYS inflight:<worker>, full:<worker>, wake:<worker>, delayed, dead, feedback
-- ARGV prefix, worker, attempts, feedback length, uid prefix, N, N fields that
--      are simply done, then for each other item
--        field, part ("n/of" or ''), action [, feedback], what the action needs
--      done:  d
--      later: n due ms                      the task as it was, same attempt
--      retry: r reason, after ms, origin, bytes
--      wait:  w reason, after ms, origin, bytes   the same attempt
--      anew:  a reason, after ms, origin, bytes   the first attempt
--      too old: o as a retry, but it becomes a dead letter
--      dead:  x reason, origin, bytes       no bytes: those of the entry
--      The origin d has the device's digest behind it when the record is a part.
--      An action followed by f has a count and that many names and values for
--      the feedback stream behind it.
-- Returns {settled, late, delayed, dead}.
local prefix, worker, limit = ARGV[1], ARGV[2], tonumber(ARGV[3])
local inflight, full, waker, delayed, dead, feedback = unpack(KEYS)
local plain = tonumber(ARGV[6])
local now_ms = math.floor(clock_us() / 1000)
local settled, late, delays, deaths = 0, 0, 0, 0
local at = 7 + plain

-- Longer than any task takes; the end of the task ends it.
local APART_MS = 7 * 86400 * 1000

local function next_arg()
	at = at + 1
	return ARGV[at - 1]
end

local first = call('ZRANGE', delayed, 0, 0, 'WITHSCORES')[2]
local earliest = first and tonumber(first) or math.huge

local function delay(due_ms, e)
	call('ZADD', delayed, due_ms, entry_format(e))
	delays = delays + 1
	if tonumber(due_ms) < earliest then
		earliest = tonumber(due_ms)
		wake(waker)
	end
end

local function carry_out(item, e)
	if item.told then
		call('XADD', feedback, 'MAXLEN', '~', ARGV[4], '*',
			'at_ms', whole(now_ms), 'uid', e.uid, unpack(item.told))
	end
	if item.action == 'n' then
		e.origin = 'n'
		delay(item.due_ms, e)
		return
	end
	if item.action == 'd' then
		return
	end
	if item.bytes ~= '' then
		e.bytes = item.bytes
		e.origin = item.origin
	end
	if item.device ~= '' then
		call('SADD', apart_key(prefix, e.uid), item.device)
		call('PEXPIRE', apart_key(prefix, e.uid), APART_MS)
	end
	if item.action == 'a' then
		e.attempt, e.first, e.history = 1, whole(now_ms), '-'
	end
	if item.action == 'w' or item.action == 'a' then
		delay(whole(now_ms + item.after_ms), e)
		return
	end
	entry_ended(e, now_ms, item.receipt, item.part or '-', item.reason)
	if item.action == 'r' and e.attempt <= limit then
		delay(whole(now_ms + item.after_ms), e)
	else
		bury(dead, e, now_ms, item.action == 'r' and 'attempts-exhausted' or
			item.action == 'o' and 'too-old' or item.reason)
		deaths = deaths + 1
	end
end

local function settle(item)
	local entry = call('HGET', inflight, item.field)
	local parts = prefix .. 'parts:' .. item.receipt
	if not entry or
		(item.part and call('SETBIT', parts, item.part, 1) == 1) then
		late = late + 1
		return
	end
	local e = entry_parse(item.field, entry, ARGV[5])
	local uid = e.uid
	carry_out(item, e)
	settled = settled + 1
	if not item.part then
		call('HDEL', inflight, item.field)
	elseif call('BITCOUNT', parts) >= item.of then
		call('HDEL', inflight, item.field)
		call('DEL', parts, apart_key(prefix, uid))
	end
end

local function next_item()
	local item = { field = next_arg() }
	item.receipt = worker .. ':' .. item.field
	item.part, item.of = string.match(next_arg(), '^(%d+)/(%d+)$')
	item.of = tonumber(item.of)
	item.action = next_arg()
	if string.sub(item.action, 2) == 'f' then
		item.action = string.sub(item.action, 1, 1)
		item.told = {}
		for i = 1, tonumber(next_arg()) do
			item.told[i] = next_arg()
		end
	end
	if item.action == 'n' then
		item.due_ms = next_arg()
	elseif item.action ~= 'd' then
		item.reason = next_arg()
		item.after_ms = item.action ~= 'x' and tonumber(next_arg()) or nil
		item.origin, item.device = string.match(next_arg(), '^(%a)(.*)$')
		item.bytes = next_arg()
	end
	return item
end

if plain > 0 then
	settled = call('HDEL', inflight, unpack(ARGV, 7, 6 + plain))
	late = plain - settled
end
while at <= #ARGV do
	settle(next_item())
end

local most = call('GET', full)
if most and call('HLEN', inflight) <= tonumber(most) then
	call('DEL', full)
	wake(waker)
end
return { settled, late, delays, deaths }
