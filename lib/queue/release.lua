-- Gives a worker's name up, if it is still ours.
--
-- KEYS worker:<worker>
-- ARGV token
if call('GET', KEYS[1]) == ARGV[1] then
	return call('DEL', KEYS[1])
end
return 0
