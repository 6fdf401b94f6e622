/* Requests to be used again. */
#include "vendor/request_shelf.h"

#include "base/mem.h"

enum {
	SPARE_MAX = 64,
	OUT_MAX = 256,
};

struct request *request_shelf_take(struct request_shelf *s)
{
	struct request *req = s->spare;

	s->out++;
	if (req == NULL) {
		req = mem_alloc(sizeof(*req));
		request_init(req);
		return req;
	}
	s->spare = req->next;
	s->spare_count--;
	return req;
}

static void discard(struct request *req)
{
	request_release(req);
	mem_free(req);
}

void request_shelf_put(struct request_shelf *s, struct request *req)
{
	s->out--;
	if (s->spare_count == SPARE_MAX) {
		discard(req);
		return;
	}
	req->next = s->spare;
	s->spare = req;
	s->spare_count++;
}

bool request_shelf_is_short(const struct request_shelf *s)
{
	return s->out > OUT_MAX;
}

void request_shelf_release(struct request_shelf *s)
{
	while (s->spare != NULL) {
		struct request *req = s->spare;

		s->spare = req->next;
		discard(req);
	}
	s->spare_count = 0;
}
