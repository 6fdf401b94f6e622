-- Tries every command that changes something in the scripts of a worker, so that
-- none of them is refused half-way through.
--
-- KEYS probe:<worker>, which is left empty
-- Returns the names of those that our user may not use.
local key = KEYS[1]
local refused = {}

local function try(name, ...)
	local reply = redis.pcall(name, ...)
	local text = type(reply) == 'table' and reply.err or ''
	if string.find(text, 'NOPERM', 1, true) or string.find(text, "can't run", 1, true)
		or string.find(text, 'permission', 1, true) then
		refused[#refused + 1] = name
	end
end

try('SET', key, '0', 'PX', 1000)
try('SETBIT', key, 0, 1)
try('PEXPIRE', key, 1000)
try('DEL', key)
try('HSET', key, 'f', 'v')
try('HDEL', key, 'f')
try('ZADD', key, 1, 'm')
try('ZREM', key, 'm')
try('LPUSH', key, 'x')
try('RPOP', key)
try('XADD', key, '*', 'f', 'v')
redis.pcall('DEL', key)
for _, name in ipairs({ 'TIME', 'GET', 'LLEN', 'PTTL', 'HLEN', 'BITCOUNT' }) do
	try(name, name ~= 'TIME' and key or nil)
end
try('HGET', key, 'f')
try('HMGET', key, 'f')
try('HKEYS', key)
try('ZRANGE', key, 0, 0)
try('ZRANGEBYSCORE', key, 0, 0)
return refused
