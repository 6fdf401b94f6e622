/* Where records come from and go back to: their memory is used again. */
#include "base/mem.h"
#include "record/body.h"

enum { POOL_KEEPS = 4096 };

static void destroy(struct record *r)
{
	struct record_body *b = r->body;

	mem_free(b->own);
	buf_release(&b->facts);
	json_free(b->captured);
	buf_release(&b->members);
	mem_free(b->text);
	mem_free(b->arena.mem);
	mem_free(b);
	mem_free(r);
}

void record_pool_free(struct record_pool *pool)
{
	if (pool == NULL) {
		return;
	}
	while (pool->free != NULL) {
		struct record *r = pool->free;

		pool->free = r->next;
		destroy(r);
	}
	mem_free(pool->uid_seed);
	mem_free(pool);
}

struct record_pool *record_pool_new(size_t max_bytes, const char *uid_seed)
{
	struct record_pool *pool = mem_array(1, sizeof(*pool));

	pool->max_bytes = max_bytes;
	pool->replay_unix_us = 1; /* 0 would be "none" */
	pool->uid_seed = mem_text(uid_seed);
	members_names(&pool->members);
	return pool;
}

size_t record_line_max_bytes(const struct record_pool *pool)
{
	return pool->max_bytes * 2 + RECORD_MAX_BYTES;
}

struct record *pool_take(struct record_pool *pool)
{
	struct record *r = pool->free;

	if (r == NULL) {
		r = mem_array(1, sizeof(*r));
		r->body = mem_array(1, sizeof(*r->body));
		buf_init(&r->body->facts, SIZE_MAX);
		buf_init(&r->body->members, SIZE_MAX);
		r->body->pool = pool;
		return r;
	}
	pool->free = r->next;
	pool->free_count--;
	return r;
}

void record_free(struct record_pool *pool, struct record *r)
{
	if (r == NULL) {
		return;
	}
	/* A body swollen by a giant is not kept for the dwarfs. */
	if (pool->free_count >= POOL_KEEPS ||
		r->body->own_cap > RECORD_MAX_BYTES ||
		r->body->text_cap > RECORD_MAX_BYTES) {
		destroy(r);
		return;
	}
	r->next = pool->free;
	pool->free = r;
	pool->free_count++;
}
