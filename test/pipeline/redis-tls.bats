# rediss://, where the programs were built with a hiredis that has TLS.
load redis.bash

setup() {
	stage '' push-pop --redis rediss://127.0.0.1:1 --queue push:q --once
	HAS_TLS=yes
	[[ $stderr != *"built without TLS"* ]] || HAS_TLS=no
}

teardown() {
	[ -z "${PORT:-}" ] || server_stop tls
	end_all
}

tls_up() {
	[ "$HAS_TLS" = yes ] || skip "these programs were built without hiredis_ssl"
	KEYS=$BATS_TEST_TMPDIR/keys
	"$ROOT/scripts/mock-certs" "$KEYS"
	PORT=$(free_ports 1)
	mkdir tls
	server_start tls redis-server --bind 127.0.0.1 --port 0 --tls-port "$PORT" --dir "$PWD/tls" \
		--tls-cert-file "$KEYS/cert.pem" --tls-key-file "$KEYS/key.pem" \
		--tls-ca-cert-file "$KEYS/ca.pem" --tls-auth-clients optional \
		--save "" --appendonly yes
	wait_until 20 tls_answers
}

tls_cli() {
	redis-cli --tls --cacert "$KEYS/ca.pem" -h 127.0.0.1 -p "$PORT" "$@"
}

tls_answers() {
	[ "$(tls_cli PING 2>/dev/null)" = PONG ]
}

@test "without TLS in the build it is refused in plain words" {
	[ "$HAS_TLS" = no ] || skip "these programs were built with it"
	[ "$status" -eq 100 ]
	logged "this program was built without TLS for Redis"
}

@test "tasks are claimed over TLS, at once when they come" {
	tls_up
	tls_cli LPUSH push:q '{"app":"shop"}' '{"app":"bank"}' >/dev/null
	start pop push-pop --redis "rediss://127.0.0.1:$PORT?ca_file=$KEYS/ca.pem" --queue push:q
	wait_for 2 pop.out
	tls_cli LPUSH push:q '{"app":"later"}' >/dev/null
	wait_for 3 pop.out 3
	stop pop
	[ "$status" -eq 0 ]
}

@test "a certificate that nobody vouches for is refused" {
	tls_up
	stage '' push-pop --redis "rediss://127.0.0.1:$PORT" --queue push:q --once
	[ "$status" -eq 111 ]
	logged "no TLS"
}

@test "a certificate for another name is refused" {
	tls_up
	stage '' push-pop --redis "rediss://127.0.0.2:$PORT?ca_file=$KEYS/ca.pem" --queue push:q --once
	[ "$status" -eq 111 ]
}

@test "a server that speaks no TLS is told in time" {
	[ "$HAS_TLS" = yes ] || skip "these programs were built without hiredis_ssl"
	local port
	port=$(free_ports 1)
	server_start plain redis-server --bind 127.0.0.1 --port "$port" --save ""
	wait_until 20 answers_at "$port"
	stage '' push-pop --redis "rediss://127.0.0.1:$port?timeout=300ms" --queue push:q --once
	server_stop plain
	[ "$status" -eq 111 ]
}
