/* Puts the scripts together from the files embedded at build time. */
#include "queue/script.h"

#include <stddef.h>
#include <string.h>

#include "base/mem.h"

extern const char asset_entry_lua[];
extern const size_t asset_entry_lua_len;
extern const char asset_claim_lua[];
extern const size_t asset_claim_lua_len;
extern const char asset_hold_lua[];
extern const size_t asset_hold_lua_len;
extern const char asset_release_lua[];
extern const size_t asset_release_lua_len;
extern const char asset_recover_lua[];
extern const size_t asset_recover_lua_len;
extern const char asset_resume_lua[];
extern const size_t asset_resume_lua_len;
extern const char asset_settle_lua[];
extern const size_t asset_settle_lua_len;
extern const char asset_inspect_lua[];
extern const size_t asset_inspect_lua_len;
extern const char asset_letters_lua[];
extern const size_t asset_letters_lua_len;
extern const char asset_task_lua[];
extern const size_t asset_task_lua_len;
extern const char asset_cancel_lua[];
extern const size_t asset_cancel_lua_len;

static struct span own_text(enum script_name name)
{
	switch (name) {
	case SCRIPT_CLAIM:
		return (struct span){ asset_claim_lua, asset_claim_lua_len };
	case SCRIPT_HOLD:
		return (struct span){ asset_hold_lua, asset_hold_lua_len };
	case SCRIPT_RELEASE:
		return (struct span){ asset_release_lua,
			asset_release_lua_len };
	case SCRIPT_RECOVER:
		return (struct span){ asset_recover_lua,
			asset_recover_lua_len };
	case SCRIPT_RESUME:
		return (struct span){ asset_resume_lua, asset_resume_lua_len };
	case SCRIPT_SETTLE:
		return (struct span){ asset_settle_lua, asset_settle_lua_len };
	case SCRIPT_INSPECT:
		return (struct span){ asset_inspect_lua,
			asset_inspect_lua_len };
	case SCRIPT_LETTERS:
		return (struct span){ asset_letters_lua,
			asset_letters_lua_len };
	case SCRIPT_CANCEL:
		return (struct span){ asset_cancel_lua, asset_cancel_lua_len };
	}
	BUG("no script %d", (int)name);
}

/* Appends a text at *at and moves it. */
static void put(char **at, struct span text)
{
	memcpy(*at, text.ptr, text.len);
	*at += text.len;
}

void script_init(struct script *s, enum script_name name)
{
	struct span entry = { asset_entry_lua, asset_entry_lua_len };
	struct span task = { asset_task_lua, asset_task_lua_len };
	struct span own = own_text(name);
	size_t len = entry.len + task.len + own.len;
	char *at;

	s->text = mem_alloc(len + 1);
	at = s->text;
	put(&at, entry);
	if (name == SCRIPT_LETTERS || name == SCRIPT_CANCEL) {
		put(&at, task);
	}
	put(&at, own);
	*at = '\0';
	redis_script_init(
		&s->call, (struct span){ s->text, (size_t)(at - s->text) });
}

void script_release(struct script *s)
{
	mem_free(s->text);
	s->text = NULL;
}
