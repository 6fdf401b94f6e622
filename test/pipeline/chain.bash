# For tests of whole chains: one configuration, a Redis and a mock vendor for the file.
#
#	chain_up            Redis, mock, push.conf with apps `shop' and `bank'
#	chain_tasks N       N tasks on standard output, each straight to one device
#	chain_push FILE Q   one LPUSH a line
#	chain [ARG...]      the ten programs in a shell pipeline; ARGs are push-pop's;
#	                    what push-ack passed on ends in `passed', its results in `results'
#	chain_is_settled    nothing is queued, in flight or delayed
#	received            what the vendors took: token and name a line
#	vendors_take MS     from now on, the vendors answer after so long

load ../helper.bash
[ ! -f "$BATS_FILE_TMPDIR/push.conf" ] || export PUSH_CONFIG=$BATS_FILE_TMPDIR/push.conf

chain_up() {
	redis_up "$@"
	mock_up
	printf 'a-secret-made-for-tests-only-0123456789' >"$BATS_FILE_TMPDIR/bank.secret"
	chain_conf >"$BATS_FILE_TMPDIR/push.conf"
}

chain_conf() {
	cat <<-END
		{
		  "redis": "$REDIS_URL",
		  "queues": ["push:high", "push:normal", "push:low"],
		  "worker": "w1",
		  "apps": {
		    "shop": {
		      "auth": "optional",
		      "apns": {"key_file": "$MOCK_KEYS/AuthKey_MOCKKEY001.p8", "key_id": "MOCKKEY001",
		               "team_id": "MOCKTEAM01", "topic": "com.example.shop"},
		      "fcm": {"service_account_file": "$MOCK_KEYS/service-account.json"}
		    },
		    "bank": {
		      "auth": "required",
		      "keys": {"k1": {"alg": "HS256", "secret_file": "bank.secret"}},
		      "apns": {"key_file": "$MOCK_KEYS/AuthKey_MOCKKEY001.p8", "key_id": "MOCKKEY001",
		               "team_id": "MOCKTEAM01", "topic": "com.example.bank"}
		    }
		  },
		  "risk": {"stopped_campaigns": ["stopped"], "blocked_users": ["blocked"]},
		  "fatigue": {"rules": [{"category": "marketing", "limit": 3, "per": "24h"}]},
		  "apns": {"production": "https://127.0.0.1:$MOCK_APNS_PORT", "ca_file": "$MOCK_KEYS/ca.pem"},
		  "fcm": {"url": "https://127.0.0.1:$MOCK_FCM_PORT",
		          "token_url": "https://127.0.0.1:$MOCK_OAUTH_PORT/token", "ca_file": "$MOCK_KEYS/ca.pem"}
		}
	END
}

# Every other one is for a phone of Apple's.
chain_tasks() {
	awk -v n="$1" 'BEGIN {
		for (i = 0; i < n; i++) {
			if (i % 2)
				device = sprintf("{\"platform\":\"ios\",\"token\":\"a1%062x\"}", i)
			else
				device = sprintf("{\"platform\":\"android\",\"token\":\"t-%d\"}", i)
			printf "{\"id\":\"task-%d\",\"app\":\"shop\",\"user\":\"u-%d\",\"device\":%s," \
				"\"message\":{\"notification\":{\"title\":\"订单 %d\",\"body\":\"已发货 on its way\"}}}\n", \
				i, i % 1000, device, i
		}
	}'
}

chain_push() {
	LC_ALL=C awk -v q="$2" '{
		printf "*3\r\n$5\r\nLPUSH\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n", length(q), q, length($0), $0
	}' "$1" | rcli --pipe >/dev/null
}

chain() {
	push-pop --once "$@" 2>>chain.err | push-auth 2>>chain.err | push-risk 2>>chain.err |
		push-lookup 2>>chain.err | push-dedupe 2>>chain.err | push-fatigue 2>>chain.err |
		push-apns 2>>chain.err | push-fcm 2>>chain.err |
		push-ack --results "$PWD/results" 2>>chain.err | tee passed |
		push-stats --report --format json >report 2>>chain.err
}

# Looked at as a whole: one key after the other, a task on its way from one to
# another would be missed.
chain_is_settled() {
	local queue
	for queue in push:high push:normal push:low; do
		[ "$(rcli EVAL 'return redis.call("LLEN", KEYS[1]) +
			redis.call("LLEN", KEYS[2]) + redis.call("ZCARD", KEYS[3]) +
			#redis.call("KEYS", ARGV[1])' 3 "$queue" "{$queue}:redeliver" \
			"{$queue}:delayed" "{$queue}:inflight:*")" = 0 ] || return 1
	done
}

vendors_take() {
	mock_control "{\"apns\": {\"delay_ms\": $1}, \"fcm\": {\"delay_ms\": $1}}"
}

received() {
	jq -r 'select(.vendor != "oauth" and .status == 200) | "\(.vendor) \(.token)"' "$MOCK_RECEIVED"
}
