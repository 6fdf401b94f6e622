
-- Put between entry.lua and the scripts that look for tasks by their id.

local function base64url_decode(text)
	local bits, held, out = 0, 0, {}
	for i = 1, #text do
		local c = string.sub(text, i, i)
		c = c == '-' and '+' or c == '_' and '/' or c
		local at = string.find(BASE64, c, 1, true)
		if not at then
			break
		end
		bits, held = bits * 64 + at - 1, held + 6
		if held >= 8 then
			held = held - 8
			local byte = math.floor(bits / 2 ^ held)
			out[#out + 1] = string.char(byte)
			bits = bits - byte * 2 ^ held
		end
	end
	return table.concat(out)
end

local function object(text)
	local ok, value = pcall(cjson.decode, text)
	return ok and type(value) == 'table' and value or {}
end

-- The longest stretch of `id' that no producer escapes: what to look for before
-- anything is parsed.
local function plain_part(id)
	local longest = ''
	for part in string.gmatch(id, '[%w_.:-]+') do
		longest = #part > #longest and part or longest
	end
	return longest
end

-- Is this the task with that id, signed or not?
local function task_is(bytes, id, part)
	if string.find(bytes, part, 1, true) and object(bytes).id == id then
		return true
	end
	if not string.find(bytes, '"jws"', 1, true) then
		return false
	end
	local jws = object(bytes).jws
	local payload = type(jws) == 'string' and
		string.match(jws, '^[^.]*%.([^.]*)%.')
	return payload ~= nil and payload ~= false and
		object(base64url_decode(payload)).id == id
end
