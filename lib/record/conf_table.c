/*
 * The table of everything that push.conf may hold.
 */
#include "record/conf.h"

#include <string.h>

/*
 * Types: text, int, bool, duration, file (one that is to be read), redis (URL
 * of one), store (URL of a place for state), any, object, map (any names), list
 * (of what the row path[] says), or words joined by | for a choice.
 */
/* clang-format off */
static const struct conf_row table[] = {
	{ "", "object", "the whole file" },
	{ "redis", "redis", "Redis of the queues and of every store that names none" },
	{ "queues", "list", "queues in order of priority, the first one first" },
	{ "queues[]", "text", "name of a list" },
	{ "worker", "text", "name of this worker; unique among those that run" },
	{ "counters", "text", "Unix socket of the collector" },

	{ "apps", "map", "the apps that may send" },
	{ "apps.*", "object", "one app" },
	{ "apps.*.auth", "required|optional|off", "must its tasks be signed" },
	{ "apps.*.keys", "map", "keys that sign its tasks, by key id" },
	{ "apps.*.keys.*", "object", "one key" },
	{ "apps.*.keys.*.alg", "HS256|ES256", "its algorithm" },
	{ "apps.*.keys.*.secret_file", "file", "HS256: file that holds the secret" },
	{ "apps.*.keys.*.public_key_file", "file", "ES256: PEM file of the public key" },
	{ "apps.*.platforms", "list", "platforms it may send to; absent: all, as with the next ones" },
	{ "apps.*.platforms[]", "ios|android", "platform" },
	{ "apps.*.priorities", "list", "priorities it may use" },
	{ "apps.*.priorities[]", "high|normal|low", "priority" },
	{ "apps.*.categories", "list", "categories it may use, and then must use one" },
	{ "apps.*.categories[]", "text", "category" },
	{ "apps.*.topics", "list", "FCM topics it may send to, alone or in a condition" },
	{ "apps.*.topics[]", "text", "topic, or its beginning and *" },
	{ "apps.*.channels", "list", "APNs channels it may send to" },
	{ "apps.*.channels[]", "text", "channel" },
	{ "apps.*.quota", "object", "how much it may send" },
	{ "apps.*.quota.limit", "int", "notifications at once" },
	{ "apps.*.quota.per", "duration", "the limit is given back evenly over this time" },
	{ "apps.*.quota.wait", "duration", "what is over waits so long for room; default: it is rejected" },
	{ "apps.*.apns", "object", "credentials for Apple" },
	{ "apps.*.apns.key_file", "file", "the .p8 signing key" },
	{ "apps.*.apns.key_id", "text", "its ten-character id" },
	{ "apps.*.apns.team_id", "text", "the developer team" },
	{ "apps.*.apns.certificate_file", "file", "a certificate instead of a key, PKCS #12 or PEM" },
	{ "apps.*.apns.certificate_key_file", "file", "its private key, if in another PEM file" },
	{ "apps.*.apns.password_file", "file", "file that holds the certificate's password" },
	{ "apps.*.apns.topic", "text", "the bundle id; default: the certificate's" },
	{ "apps.*.apns.environment", "production|sandbox", "where tokens without one belong" },
	{ "apps.*.apns.try_other_environment", "bool", "a token that is bad here is tried once in the other one" },
	{ "apps.*.apns.ambiguous", "resend|drop", "what may have been delivered is sent again, or not" },
	{ "apps.*.apns.shorten", "bool", "the body of what is too long for Apple is cut" },
	{ "apps.*.fcm", "object", "credentials for Google" },
	{ "apps.*.fcm.service_account_file", "file", "the service account's JSON key" },
	{ "apps.*.fcm.ambiguous", "resend|drop", "what may have been delivered is sent again, or not" },
	{ "apps.*.fcm.shorten", "bool", "the body of what is too long for Google is cut" },
	{ "apps.*.fcm.validate_only", "bool", "Google looks at what is sent and delivers nothing" },

	{ "pop", "object", "push-pop" },
	{ "pop.window", "int", "records claimed and not settled, at most" },
	{ "pop.batch", "int", "tasks claimed at once, at most" },
	{ "pop.lease", "duration", "how long a claim holds" },
	{ "pop.attempts", "int", "deliveries of one task before it is a dead letter" },

	{ "auth", "object", "push-auth" },
	{ "auth.max_age", "duration", "how old a signature may be" },
	{ "auth.skew", "duration", "how far clocks may differ" },
	{ "auth.store", "store", "where quotas are counted" },

	{ "risk", "object", "push-risk" },
	{ "risk.stops", "redis", "Redis where operators stop campaigns, apps and categories" },
	{ "risk.stopped_campaigns", "list", "campaigns whose kill switch is on" },
	{ "risk.stopped_campaigns[]", "text", "campaign" },
	{ "risk.stopped_apps", "list", "apps whose kill switch is on" },
	{ "risk.stopped_apps[]", "text", "app" },
	{ "risk.stopped_categories", "list", "categories whose kill switch is on" },
	{ "risk.stopped_categories[]", "text", "category" },
	{ "risk.blocked_users", "list", "users who get nothing" },
	{ "risk.blocked_users[]", "text", "user" },
	{ "risk.blocked_devices", "list", "devices that get nothing" },
	{ "risk.blocked_devices[]", "text", "device token" },
	{ "risk.blocked_words", "list", "patterns (PCRE2) that stop a text" },
	{ "risk.blocked_words[]", "text", "pattern" },
	{ "risk.blocked_links", "list", "sites that nothing may link to" },
	{ "risk.blocked_links[]", "text", "domain name, or domain name and path" },
	{ "risk.caseless", "bool", "patterns match upper and lower case alike" },
	{ "risk.surges", "list", "limits of what may be sent at once; all must allow" },
	{ "risk.surges[]", "object", "one limit" },
	{ "risk.surges[].app", "text", "only this app" },
	{ "risk.surges[].campaign", "text", "only this campaign" },
	{ "risk.surges[].category", "text", "only this category" },
	{ "risk.surges[].by", "campaign|app", "counted for each campaign of an app, the default, or each app" },
	{ "risk.surges[].limit", "int", "notifications at once" },
	{ "risk.surges[].per", "duration", "the limit is given back evenly over this time" },
	{ "risk.store", "store", "where surges are counted" },
	{ "risk.dry_run", "bool", "mark what would be stopped, and let it pass" },

	{ "lookup", "object", "push-lookup" },
	{ "lookup.store", "store", "where devices are kept" },

	{ "dedupe", "object", "push-dedupe" },
	{ "dedupe.store", "store", "where reservations are kept" },
	{ "dedupe.window", "duration", "how long a key is held" },
	{ "dedupe.rules", "list", "what is deduplicated otherwise; the first that applies decides" },
	{ "dedupe.rules[]", "object", "one rule" },
	{ "dedupe.rules[].app", "text", "only this app" },
	{ "dedupe.rules[].category", "text", "only this category" },
	{ "dedupe.rules[].priority", "high|normal|low", "only this priority" },
	{ "dedupe.rules[].by", "key|id|content|nothing", "what is compared; default key" },
	{ "dedupe.rules[].per", "device|user", "where; default device" },
	{ "dedupe.rules[].window", "duration", "how long a key is held" },

	{ "fatigue", "object", "push-fatigue" },
	{ "fatigue.store", "store", "where counts are kept" },
	{ "fatigue.rules", "list", "caps; all that match must allow" },
	{ "fatigue.rules[]", "object", "one cap" },
	{ "fatigue.rules[].app", "text", "only this app" },
	{ "fatigue.rules[].category", "text", "only this category" },
	{ "fatigue.rules[].priority", "high|normal|low", "only this priority" },
	{ "fatigue.rules[].limit", "int", "notifications a user may have" },
	{ "fatigue.rules[].per", "duration", "in a sliding window of this length" },
	{ "fatigue.exempt", "list", "categories that always pass" },
	{ "fatigue.exempt[]", "text", "category" },
	{ "fatigue.quiet_hours", "list", "when users are left alone; the first that applies decides" },
	{ "fatigue.quiet_hours[]", "object", "one stretch of the day" },
	{ "fatigue.quiet_hours[].app", "text", "only this app" },
	{ "fatigue.quiet_hours[].category", "text", "only this category" },
	{ "fatigue.quiet_hours[].priority", "high|normal|low", "only this priority" },
	{ "fatigue.quiet_hours[].from", "text", "its begin, such as \"22:00\"" },
	{ "fatigue.quiet_hours[].to", "text", "its end, such as \"08:00\"" },
	{ "fatigue.quiet_hours[].then", "suppress|defer", "drop, or keep until the end; default suppress" },
	{ "fatigue.quiet_hours[].spread", "duration", "deferred ones go over so long behind the end, not all at once; default 0s" },
	{ "fatigue.time_zone", "text", "of users of whom none is known; default UTC" },

	{ "apns", "object", "push-apns" },
	{ "apns.production", "text", "URL of the production service" },
	{ "apns.sandbox", "text", "URL of the sandbox service" },
	{ "apns.connections", "int", "connections a credential may open" },
	{ "apns.window", "int", "notifications in flight, at most" },
	{ "apns.timeout", "duration", "how long an answer may take" },
	{ "apns.rate", "int", "notifications a second with one credential, at most" },
	{ "apns.ramp", "duration", "how long the rate takes to rise from a tenth" },
	{ "apns.ca_file", "file", "certificates to trust instead of the system's" },

	{ "fcm", "object", "push-fcm" },
	{ "fcm.url", "text", "URL of the service" },
	{ "fcm.token_url", "text", "URL of the token endpoint instead of the service account's" },
	{ "fcm.connections", "int", "connections a credential may open" },
	{ "fcm.window", "int", "notifications in flight, at most" },
	{ "fcm.timeout", "duration", "how long an answer may take" },
	{ "fcm.rate", "int", "notifications a second with one credential, at most" },
	{ "fcm.ramp", "duration", "how long the rate takes to rise from a tenth" },
	{ "fcm.ca_file", "file", "certificates to trust instead of the system's" },

	{ "ack", "object", "push-ack" },
	{ "ack.results", "text", "file that gets every finished record" },
	{ "ack.attempts", "int", "attempts before a retry becomes a dead letter" },
	{ "ack.max_age", "duration", "age at which a retry becomes a dead letter" },

	{ "stats", "object", "push-stats" },
	{ "stats.listen", "text", "address and port of the HTTP server" },
	{ "stats.sla", "list", "how long things may take; the last that matches counts" },
	{ "stats.sla[]", "object", "one limit; what it does not name, it means all of" },
	{ "stats.sla[].of", "node|queue-wait|end-to-end", "what takes so long" },
	{ "stats.sla[].priority", "high|normal|low", "only this priority" },
	{ "stats.sla[].kind", "single|batch", "only this kind" },
	{ "stats.sla[].within", "duration", "the limit" },

	{ "sentry", "object", "push-sentry" },
	{ "sentry.dsn_file", "file", "file that holds the DSN" },
	{ "sentry.environment", "text", "environment of the events" },
	{ "sentry.level", "error|warn", "least level that is reported" },
	{ "sentry.ca_file", "file", "certificates to trust instead of the system's" },
	{ "sentry.every", "duration", "at most one event of a group in this time" },

	{ "run", "object", "push-run" },
	{ "run.chain", "list", "programs of the chain, in order" },
	{ "run.chain[]", "any", "name of a program, or an object" },
	{ "run.lanes", "map", "lanes: chains of their own, by name" },
	{ "run.lanes.*", "object", "one lane" },
	{ "run.lanes.*.queues", "list", "its queues in order of priority, instead of those of all" },
	{ "run.lanes.*.queues[]", "text", "name of a list" },
	{ "run.lanes.*.worker", "text", "name of its worker; default the worker's, a hyphen, the lane's" },
	{ "run.lanes.*.window", "int", "its records claimed and not settled, at most" },
	{ "run.restart", "duration", "how long to wait, at most, before a chain is started again" },
	{ "run.drain", "duration", "how long a chain may take to finish" },
	{ NULL, NULL, NULL },
};
/* clang-format on */

const struct conf_row *conf_table(void)
{
	return table;
}

const struct conf_row *conf_row(const char *path)
{
	for (const struct conf_row *row = table; row->path != NULL; row++) {
		if (strcmp(row->path, path) == 0) {
			return row;
		}
	}
	return NULL;
}
