-- What the queue's scripts share: put in front of each of them.
--
-- An entry, as it stands in redeliver and in delayed:
--   <attempt> <first claim, ms> <uid> <origin> <history>\n<bytes>
-- `attempt' is the attempt that runs or comes next.  `origin' says what the
-- bytes are: t a task as it was pushed, n the same after it waited for its
-- not_before_ms, w a whole task that was let in and waits (for its quota, or the
-- rest of a segment), d a device record that a retry stored.  `history' is - or
-- <ms>|<receipt>|<part or ->|<why>, one an attempt that ended, by commas.
--
-- A receipt is <worker>:<field>, where <field> names the entry in the worker's
-- hash: <claim>.<place> for an entry as above, <claim>-<place> for the bytes of a
-- task in its first attempt, as they were pushed.  The uid of the latter is the
-- queue's prefix and the field, its first claim is <claim>: so that what is
-- most frequent costs nothing but moving it.

local call = redis.call

local function clock_us()
	local t = call('TIME')
	return t[1] * 1000000 + t[2]
end

local function whole(n)
	return string.format('%.0f', n)
end

local DIGITS = '0123456789abcdefghijklmnopqrstuvwxyz'

-- Ten digits last until the year 2085 and sort as text.
local function base36(n)
	local text = ''
	for _ = 1, 10 do
		local d = n % 36
		text = string.sub(DIGITS, d + 1, d + 1) .. text
		n = (n - d) / 36
	end
	return text
end

local function from_base36(text)
	local n = 0
	for i = 1, #text do
		n = n * 36 + string.find(DIGITS, string.sub(text, i, i), 1, true) - 1
	end
	return n
end

local function entry_parse(field, entry, uid_prefix)
	local claim, kind = string.match(field, '^(%w+)([-.])')
	if kind == '-' then
		return {
			attempt = 1, first = whole(math.floor(from_base36(claim) / 1000)),
			uid = uid_prefix .. field, origin = 't', history = '-',
			bytes = entry,
		}
	end
	local attempt, first, uid, origin, history, at =
		string.match(entry, '^(%d+) (%d+) (%S+) (%a) (%S+)\n()')
	return {
		attempt = tonumber(attempt), first = first, uid = uid,
		origin = origin, history = history, bytes = string.sub(entry, at),
	}
end

local function entry_format(e)
	return whole(e.attempt) .. ' ' .. e.first .. ' ' .. e.uid .. ' ' ..
		e.origin .. ' ' .. e.history .. '\n' .. e.bytes
end

local function entry_ended(e, now_ms, receipt, part, why)
	local line = whole(now_ms) .. '|' .. receipt .. '|' .. part .. '|' .. why
	e.history = e.history == '-' and line or e.history .. ',' .. line
	e.attempt = e.attempt + 1
end

local function is_utf8(s)
	local at, n = 1, #s
	while at <= n do
		local _, last = string.find(s, '^[%z\1-\127]+', at)
		if not last then
			_, last = string.find(s, '^[\194-\223][\128-\191]', at)
		end
		if not last then
			_, last = string.find(s, '^\224[\160-\191][\128-\191]', at)
		end
		if not last then
			_, last = string.find(s, '^[\225-\236\238\239][\128-\191][\128-\191]', at)
		end
		if not last then
			_, last = string.find(s, '^\237[\128-\159][\128-\191]', at)
		end
		if not last then
			_, last = string.find(s, '^\240[\144-\191][\128-\191][\128-\191]', at)
		end
		if not last then
			_, last = string.find(s, '^[\241-\243][\128-\191][\128-\191][\128-\191]', at)
		end
		if not last then
			_, last = string.find(s, '^\244[\128-\143][\128-\191][\128-\191]', at)
		end
		if not last then
			return false
		end
		at = last + 1
	end
	return true
end

local BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

local function base64(s)
	return (string.gsub(s, '..?.?', function(three)
		local a, b, c = string.byte(three, 1, 3)
		local n = a * 65536 + (b or 0) * 256 + (c or 0)
		local text = ''
		for shift = 18, 18 - 6 * #three, -6 do
			local d = math.floor(n / 2 ^ shift) % 64 + 1
			text = text .. string.sub(BASE64, d, d)
		end
		return text .. string.rep('=', 4 - #text)
	end))
end

local function history_json(history)
	local list = {}
	for ms, receipt, part, why in
		string.gmatch(history, '(%d+)|([^|]*)|([^|]*)|([^,]*)') do
		list[#list + 1] = '{"at_ms":' .. ms .. ',"receipt":' ..
			cjson.encode(receipt) ..
			(part == '-' and '' or ',"part":' .. part) ..
			',"why":' .. cjson.encode(why) .. '}'
	end
	return '[' .. table.concat(list, ',') .. ']'
end

-- What people and dead letters call an origin.
local function kind_name(origin)
	return origin == 'd' and 'device' or origin == 'w' and 'whole' or 'task'
end

-- Keeps an entry for a person: one line of JSON, newest at the left.  In the
-- history the attempt that just ended is the last.
local function bury(dead_key, e, now_ms, reason)
	local raw
	if is_utf8(e.bytes) then
		raw = '"raw":' .. cjson.encode(e.bytes)
	else
		raw = '"raw_base64":"' .. base64(e.bytes) .. '"'
	end
	call('LPUSH', dead_key, '{"uid":' .. cjson.encode(e.uid) ..
		',"reason":' .. cjson.encode(reason) ..
		',"attempts":' .. whole(e.attempt - 1) ..
		',"kind":"' .. kind_name(e.origin) .. '"' ..
		',"first_ms":' .. e.first .. ',"dead_ms":' .. whole(now_ms) ..
		',"history":' .. history_json(e.history) .. ',' .. raw .. '}')
end

-- Devices of a task whose records left it: for a retry, or to the dead letters.
-- Should the task come again, it comes without them.  Gone with the task.
local function apart_key(prefix, uid)
	return prefix .. 'apart:' .. uid
end

-- Those devices, by spaces, for an entry that comes back.
local function apart_of(prefix, entry)
	local uid, origin = string.match(entry, '^%d+ %d+ (%S+) (%a) ')
	return origin == 'd' and '' or
		table.concat(call('SMEMBERS', apart_key(prefix, uid)), ' ')
end

-- Takes an entry back from the worker that had it: to redeliver, behind what
-- was taken back before, or to the dead when it has had all its attempts.
local function take_back(to, worker, field, entry, why)
	local receipt = worker .. ':' .. field
	local e = entry_parse(field, entry, to.uid_prefix)
	call('HDEL', to.prefix .. 'inflight:' .. worker, field)
	call('DEL', to.prefix .. 'parts:' .. receipt)
	entry_ended(e, to.now_ms, receipt, '-', why)
	if e.attempt > to.limit then
		bury(to.dead, e, to.now_ms, 'attempts-exhausted')
		if e.origin ~= 'd' then
			call('DEL', apart_key(to.prefix, e.uid))
		end
	else
		call('LPUSH', to.redeliver, entry_format(e))
	end
end

-- What a worker has in flight, in the order in which it was claimed.
local function in_flight(inflight)
	local list = {}
	local all = call('HGETALL', inflight)
	for i = 1, #all, 2 do
		local claim, place = string.match(all[i], '^(%w+)[-.](%d+)$')
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
	return list
end

-- Leaves a token for a worker that waits; one is enough.
local function wake(key)
	if call('LLEN', key) == 0 then
		call('LPUSH', key, '1')
	end
	call('PEXPIRE', key, 60000)
end
