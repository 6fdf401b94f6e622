-- One chunk of the dead letters: counted, given out again, or dropped.
--
-- Chunks are counted from the oldest letter, the right end, which does not move
-- when new ones come.
--
-- KEYS dead, redeliver
-- ARGV action (count, replay, drop), letters to pass over, letters to look at,
--      reason or '', id or '' (the task's or the queue's)
-- Returns {looked at, chosen, of these unreadable and left}.
local dead, redeliver = KEYS[1], KEYS[2]
local action, skip, count = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local reason, id = ARGV[4], ARGV[5]
local GONE = 'gone'
local part = plain_part(id)
local now_ms = math.floor(clock_us() / 1000)

local function bytes_of(letter)
	if type(letter.raw) == 'string' then
		return letter.raw
	end
	return type(letter.raw_base64) == 'string' and
		base64url_decode(letter.raw_base64) or nil
end

local function is_chosen(letter)
	if reason ~= '' and letter.reason ~= reason then
		return false
	end
	return id == '' or letter.uid == id or
		task_is(bytes_of(letter) or '', id, part)
end

local function history_text(letter)
	local lines = {}
	for _, h in ipairs(type(letter.history) == 'table' and letter.history or {}) do
		lines[#lines + 1] = whole(h.at_ms) .. '|' .. h.receipt .. '|' ..
			(h.part and whole(h.part) or '-') .. '|' .. h.why
	end
	lines[#lines + 1] = whole(now_ms) .. '|-|-|replayed'
	return table.concat(lines, ',')
end

-- The uid stays: what was delivered under it is not sent again, what it has
-- reserved is not held against it.  Its age is counted from now.
local function entry_of(letter)
	local bytes = bytes_of(letter)
	if not bytes or type(letter.uid) ~= 'string' or letter.uid == '' or
		string.find(letter.uid, '%s') then
		return nil
	end
	local ok, entry = pcall(function()
		return entry_format({
			attempt = 1, first = whole(now_ms), uid = letter.uid,
			origin = letter.kind == 'device' and 'd' or
				letter.kind == 'whole' and 'w' or 't',
			history = history_text(letter), bytes = bytes,
		})
	end)
	return ok and entry or nil
end

if action == 'drop' then
	-- A write that is allowed when memory is full; those behind it are too.
	call('LTRIM', dead, 0, -1)
end

local letters = call('LRANGE', dead, -(skip + count), -(skip + 1))
local chosen, refused, gone = 0, 0, 0
for i = #letters, 1, -1 do
	local letter = object(letters[i])
	if is_chosen(letter) then
		chosen = chosen + 1
		local entry = action == 'replay' and entry_of(letter)
		if action == 'replay' and not entry then
			refused = refused + 1
		elseif action ~= 'count' then
			if entry then
				call('LPUSH', redeliver, entry)
			end
			call('LSET', dead, -(skip + #letters - i + 1), GONE)
			gone = gone + 1
		end
	end
end
if gone > 0 then
	call('LREM', dead, -gone, GONE)
end
return { #letters, chosen, refused }
