/* Finds the factor by which no two known names share a slot. */
#include "record/names.h"

#include "base/err.h"

enum { TRIES = 100000 /* a few dozen are usual */ };

/* False when two of them share a slot. */
static bool fill_slots(struct names *n, size_t count)
{
	memset(n->slots, NAMES_MAX, sizeof(n->slots));
	for (size_t i = 0; i < count; i++) {
		unsigned char *slot = &n->slots[names_slot(
			n, n->rows[i].head, n->rows[i].len)];

		if (*slot != NAMES_MAX) {
			return false;
		}
		*slot = (unsigned char)i;
	}
	return true;
}

void names_init(struct names *n, const char *const *list, size_t count)
{
	*n = (struct names){ .factor = UINT64_C(0x9e3779b97f4a7c15) };
	if (count > NAMES_MAX) {
		BUG("%zu known names are too many", count);
	}
	for (size_t len = 1; len < sizeof(n->own) / sizeof(n->own[0]); len++) {
		memset(&n->own[len], 0xff, len);
	}
	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(list[i]);

		if (len > NAMES_MAX_BYTES) {
			BUG("the known name '%s' is too long", list[i]);
		}
		n->rows[i].len = len;
		memcpy(&n->rows[i].head, list[i],
			len < sizeof(uint64_t) ? len : sizeof(uint64_t));
		if (len > sizeof(uint64_t)) {
			memcpy(&n->rows[i].tail,
				list[i] + len - sizeof(uint64_t),
				sizeof(uint64_t));
		}
	}
	n->rows[NAMES_MAX].len = SIZE_MAX;
	for (unsigned tries = 0; !fill_slots(n, count); tries++) {
		if (tries == TRIES) {
			BUG("known names begin with the same eight bytes");
		}
		n->factor = n->factor * UINT64_C(6364136223846793005) + 2;
	}
}
