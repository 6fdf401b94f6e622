-- Takes or renews a worker's name on a queue.
--
-- KEYS worker:<worker>
-- ARGV token, life ms, token of a holder known to be dead or ''
-- Returns {1}, or {0, token of who has it, ms it has left}.
local holder = call('GET', KEYS[1])
if holder and holder ~= ARGV[1] and holder ~= ARGV[3] then
	return { 0, holder, call('PTTL', KEYS[1]) }
end
call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return { 1 }
