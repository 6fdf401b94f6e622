-- One chunk of a queue's tasks: those with an id are looked for, and taken away
-- or made due.
--
-- A list is read from the end where tasks come in, delayed from its latest: what
-- moves meanwhile moves towards what is still to be read.
--
-- KEYS ready, redeliver, delayed
-- ARGV where (ready, redeliver, delayed), entries to pass over, to look at, id
-- Returns {looked at, found, how many to pass over next}.
local where, skip, count = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local id = ARGV[4]
local part = plain_part(id)
local GONE = 'gone'
local found, taken = 0, 0
local list

local function bytes_of(entry)
	return string.sub(entry, (string.find(entry, '\n', 1, true) or 0) + 1)
end

if where == 'ready' then
	list = call('LRANGE', KEYS[1], skip, skip + count - 1)
	for i, bytes in ipairs(list) do
		if task_is(bytes, id, part) then
			call('LSET', KEYS[1], skip + i - 1, GONE)
			taken = taken + 1
		end
	end
	if taken > 0 then
		call('LREM', KEYS[1], taken, GONE)
	end
	return { #list, taken, skip + #list - taken }
end

if where == 'redeliver' then
	list = call('LRANGE', KEYS[2], skip, skip + count - 1)
	for _, entry in ipairs(list) do
		found = found + (task_is(bytes_of(entry), id, part) and 1 or 0)
	end
	return { #list, found, skip + #list }
end

-- Due now, so that the chain ends it and gives back what it holds.
list = call('ZRANGE', KEYS[3], skip, skip + count - 1, 'REV', 'WITHSCORES')
for i = 1, #list, 2 do
	if task_is(bytes_of(list[i]), id, part) and list[i + 1] ~= '0' then
		call('ZADD', KEYS[3], 0, list[i])
		taken = taken + 1
	end
end
return { #list / 2, taken, skip + #list / 2 - taken }
