/*
 * A table of zones by name, filled as they are asked for.
 */
#include "base/zone.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

enum {
	NAME_MAX_BYTES = 64,
	PATH_MAX_BYTES = 512,
	ZONES_SLOTS = 2048, /* a power of two */
	ZONES_MAX = 1024,   /* tzdata has about 600 names */
};

#define SYSTEM_FOLDER "/usr/share/zoneinfo"

struct known {
	char *name;        /* owned; NULL: the slot is free */
	struct zone *zone; /* owned; NULL: there is none of this name */
};

struct zones {
	struct known slots[ZONES_SLOTS];
	struct known *last; /* the one asked for last, or NULL */
	size_t count;
};

struct zones *zones_new(void)
{
	return mem_array(1, sizeof(struct zones));
}

static void forget_all(struct zones *zones)
{
	for (size_t i = 0; i < ZONES_SLOTS; i++) {
		mem_free(zones->slots[i].name);
		zone_free(zones->slots[i].zone);
	}
	*zones = (struct zones){ .count = 0 };
}

void zones_free(struct zones *zones)
{
	if (zones != NULL) {
		forget_all(zones);
		mem_free(zones);
	}
}

/* Names come from outside: nothing that leads out of the folder, and not the
 * copies there that count leap seconds. */
static bool is_name(struct span name)
{
	if (name.len == 0 || name.len > NAME_MAX_BYTES ||
		(name.len > 6 && memcmp(name.ptr, "right/", 6) == 0)) {
		return false;
	}
	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];
		bool is_letter =
			(c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');

		if (!is_letter &&
			(i == 0 || c == '\0' ||
				strchr("0123456789_+-/", c) == NULL)) {
			return false;
		}
	}
	return true;
}

static struct zone *read_zone(struct span name)
{
	const char *folder = getenv("TZDIR");
	char path[PATH_MAX_BYTES];
	struct err err = { 0 };
	struct zone *z = NULL;
	struct buf file;

	if (fmt_into(path, sizeof(path), "%s/%.*s",
		    folder == NULL ? SYSTEM_FOLDER : folder, (int)name.len,
		    name.ptr) != 0) {
		return NULL;
	}
	buf_init(&file, ZONE_FILE_MAX_BYTES);
	if (buf_read_file(&file, path, &err) != 0 ||
		zone_parse(&z, (struct span){ file.data, file.len }) != 0) {
		z = NULL;
	}
	buf_release(&file);
	return z;
}

struct zone *zones_get(struct zones *zones, struct span name)
{
	uint32_t hash = 2166136261U; /* FNV-1a */
	struct known *k;

	if (!is_name(name)) {
		return NULL;
	}
	if (zones->last != NULL && span_is(name, zones->last->name)) {
		return zones->last->zone;
	}
	for (size_t i = 0; i < name.len; i++) {
		hash = (hash ^ (unsigned char)name.ptr[i]) * 16777619U;
	}
	if (zones->count == ZONES_MAX) {
		forget_all(zones); /* somebody makes names up */
	}
	do {
		k = zones->slots + (hash++ & (ZONES_SLOTS - 1));
	} while (k->name != NULL && !span_is(name, k->name));
	if (k->name == NULL) {
		k->name = mem_dup(name.ptr, name.len);
		k->zone = read_zone(name);
		zones->count++;
	}
	zones->last = k;
	return k->zone;
}
