/* Replies of hiredis' own shape, made by the functions that its reader calls. */
#include "net/redis_arena.h"

#include <string.h>

#include <hiredis/hiredis.h>

#include "base/err.h"
#include "base/mem.h"

/* What the reader tells createArray() has changed its type. */
#if HIREDIS_MAJOR > 0
typedef size_t element_count;
#else
typedef int element_count;
#endif

enum {
	BLOCK_BYTES = 16 * 1024,
	/* No list that we ask for comes near; what says it has more is no Redis. */
	ELEMENTS_MAX = 16 * 1024 * 1024,
};

struct redis_arena_block {
	struct redis_arena_block *older; /* owned */
	size_t size;
	size_t used;
	max_align_t bytes[];
};

/* One element; the first member is what everybody else sees. */
struct node {
	redisReply reply;
	struct redis_arena *arena;
};

static void *take(struct redis_arena *a, size_t size)
{
	struct redis_arena_block *block = a->blocks;
	char *at;

	size = (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) *
	       sizeof(max_align_t);
	if (block == NULL || size > block->size - block->used) {
		size_t room = size > BLOCK_BYTES ? size : BLOCK_BYTES;

		block = mem_alloc(sizeof(*block) + room);
		*block = (struct redis_arena_block){ .older = a->blocks,
			.size = room };
		a->blocks = block;
	}
	at = (char *)block->bytes + block->used;
	block->used += size;
	return at;
}

/* Frees the blocks but for the oldest, which is emptied. */
static void take_back(struct redis_arena *a)
{
	struct redis_arena_block *block = a->blocks;

	while (block != NULL && block->older != NULL) {
		struct redis_arena_block *older = block->older;

		mem_free(block);
		block = older;
	}
	if (block != NULL) {
		block->used = 0;
	}
	a->blocks = block;
}

/* A new element in its place: in the array that is being read, or a reply. */
static redisReply *node_new(const redisReadTask *task)
{
	struct redis_arena *a = task->privdata;
	struct node *node = take(a, sizeof(*node));

	*node = (struct node){ .reply = { .type = task->type }, .arena = a };
	if (task->parent == NULL) {
		a->replies++;
	} else {
		redisReply *list = task->parent->obj;

		list->element[task->idx] = &node->reply;
	}
	return &node->reply;
}

/* --- what the reader calls --- */

static void *create_string(const redisReadTask *task, char *text, size_t len)
{
	redisReply *reply = node_new(task);

	reply->str = take(task->privdata, len + 1);
	memcpy(reply->str, text, len);
	reply->str[len] = '\0';
	reply->len = len;
	return reply;
}

static void *create_array(const redisReadTask *task, element_count count)
{
	redisReply *reply;
	size_t size = (size_t)count * sizeof(*reply->element);

	if (count > ELEMENTS_MAX) {
		return NULL; /* the reader gives up */
	}
	reply = node_new(task);
	if (count > 0) {
		reply->element = take(task->privdata, size);
		memset(reply->element, 0, size);
		reply->elements = (size_t)count;
	}
	return reply;
}

static void *create_integer(const redisReadTask *task, long long n)
{
	redisReply *reply = node_new(task);

	reply->integer = n;
	return reply;
}

static void *create_nil(const redisReadTask *task)
{
	redisReply *reply = node_new(task);

	/* The task is for a string or an array. */
	reply->type = REDIS_REPLY_NIL;
	return reply;
}

/* What only RESP3 has, which we never ask for: taken whole, and refused by whoever
 * looks at its type. */
#if HIREDIS_MAJOR > 0
static void *create_double(
	const redisReadTask *task, double n, char *text, size_t len)
{
	(void)n;
	return create_string(task, text, len);
}

static void *create_bool(const redisReadTask *task, int is_true)
{
	return create_integer(task, is_true);
}
#endif

/* Always a whole reply, perhaps one that was not read to its end. */
static void free_object(void *reply)
{
	redis_arena_free(reply);
}

void redis_arena_serve(struct redis_arena *a, redisContext *c)
{
	static redisReplyObjectFunctions functions = {
		.createString = create_string,
		.createArray = create_array,
		.createInteger = create_integer,
		.createNil = create_nil,
#if HIREDIS_MAJOR > 0
		.createDouble = create_double,
		.createBool = create_bool,
#endif
		.freeObject = free_object,
	};

#if HIREDIS_MAJOR > 0
	/* It would free what is ours to free. */
	(void)redisSetPushCallback(c, NULL);
#endif
	c->reader->fn = &functions;
	c->reader->privdata = a;
}

void redis_arena_free(redisReply *reply)
{
	struct node *node = (struct node *)reply;

	if (node == NULL) {
		return;
	}
	if (node->arena->replies == 0) {
		BUG("a reply was freed twice");
	}
	node->arena->replies--;
	if (node->arena->replies == 0) {
		take_back(node->arena);
	}
}

void redis_arena_release(struct redis_arena *a)
{
	take_back(a);
	mem_free(a->blocks);
	a->blocks = NULL;
}
