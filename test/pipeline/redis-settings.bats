# What push-pop says at its start about a Redis in which a queue may be lost.
load ../helper.bash

setup() {
	redis_up
}

pop() { # URL
	stage '' push-pop --redis "$1" --queue push:q --once
	[ "$status" -eq 0 ]
}

says() { # LEVEL TEXT
	jq -es --arg level "$1" --arg text "$2" \
		'any(.[]; .level == $level and (.text | contains($text)))' "$stderr_file" && return
	cat "$stderr_file"
	return 1
}

is_silent() {
	[ ! -s "$stderr_file" ] && return
	cat "$stderr_file"
	return 1
}

@test "a Redis that keeps and evicts nothing away is passed over in silence" {
	rcli CONFIG SET appendonly yes
	rcli CONFIG SET maxmemory-policy noeviction
	pop "$REDIS_URL"
	is_silent
}

@test "no append-only file: in memory only, or snapshots" {
	pop "$REDIS_URL"
	says warn "in memory only"
	rcli CONFIG SET save "3600 1"
	pop "$REDIS_URL"
	says warn "since its last snapshot"
	rcli CONFIG SET appendonly yes
	rcli CONFIG SET appendfsync no
	pop "$REDIS_URL"
	says warn "half a minute"
}

@test "eviction: of anything, or of what expires" {
	rcli CONFIG SET appendonly yes
	rcli CONFIG SET maxmemory-policy allkeys-lru
	pop "$REDIS_URL"
	says warn "a whole queue may vanish"
	rcli CONFIG SET maxmemory-policy volatile-ttl
	pop "$REDIS_URL"
	says warn "marks against repeats may vanish"
}

@test "who may not ask CONFIG asks INFO, and who may not ask either says so" {
	rcli CONFIG SET maxmemory-policy allkeys-lru
	rcli ACL SETUSER some on nopass '~*' '&*' +@all -config
	pop "$REDIS_URL?user=some&password_file=$(printf x >pw; echo "$PWD/pw")"
	says warn "writes no append-only file"
	says warn "a whole queue may vanish"
	rcli ACL SETUSER some -info
	pop "$REDIS_URL?user=some&password_file=$PWD/pw"
	says info "cannot check whether Redis keeps the queue on disk"
	[ "$(grep -c '"warn"' "$stderr_file")" -eq 0 ]
}
