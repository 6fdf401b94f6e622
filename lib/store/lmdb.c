/*
 * The only user of the LMDB library: opening, transactions, growth.
 *
 * LMDB forbids that a process opens one file twice (closing the second would
 * drop the locks of the first), but dedupe, fatigue and the registry may well
 * be in the same file; hence the one list of open files below.
 */
#include "store/lmdb.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include <lmdb.h>

#include "base/folder.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"

enum { MAP_BYTES = 64 * 1024 * 1024, FILE_MODE = 0660 };

struct lmdb {
	struct lmdb *next; /* in the list of open files */
	size_t users;      /* how often it is open here */
	dev_t device;
	ino_t inode;
	char *path; /* owned; for messages */
	MDB_env *env;
	MDB_dbi tables[LMDB_TABLES];
};

struct lmdb_tx {
	struct lmdb *file;
	MDB_txn *txn;
	bool is_write;
	MDB_cursor *cursor; /* of the walk; NULL: none yet */
	enum lmdb_table walked;
	int status; /* the first failure, or MDB_SUCCESS */
};

static struct lmdb *open_files;

/* --- opening --- */

struct options {
	char *path; /* owned */
	size_t map_bytes;
	unsigned flags;
};

static int option_parse(struct options *o, const char *text, struct err *err)
{
	if (strcmp(text, "sync=meta") == 0) {
		o->flags = MDB_NOMETASYNC;
	} else if (strcmp(text, "sync=full") == 0) {
		o->flags = 0;
	} else if (strcmp(text, "sync=none") == 0) {
		o->flags = MDB_NOSYNC;
	} else if (strncmp(text, "map=", 4) != 0 ||
		   num_parse_bytes(text + 4, &o->map_bytes) != 0) {
		return err_usage(err, 0,
			"unknown option '%s' of lmdb: expected "
			"sync=meta|full|none or map=BYTES",
			text);
	}
	return 0;
}

static int options_parse(struct options *o, const char *url, struct err *err)
{
	const char *path = url + strlen("lmdb:");
	size_t len = strcspn(path, "?");
	char *rest = mem_text(path + len + (path[len] == '?'));
	char *at = rest;
	int status = 0;

	*o = (struct options){
		.path = mem_dup(path, len),
		.map_bytes = MAP_BYTES,
		.flags = MDB_NOMETASYNC,
	};
	if (len == 0) {
		status = err_usage(err, 0, "lmdb: names no file");
	}
	while (status == 0 && *at != '\0') {
		size_t option_len = strcspn(at, "&");
		bool is_last = at[option_len] == '\0';

		at[option_len] = '\0';
		status = option_parse(o, at, err);
		at += option_len + !is_last;
	}
	mem_free(rest);
	return status;
}

/* What only a person can repair, as against a full disk. */
static bool is_usage(int status)
{
	return status == ENOENT || status == ENOTDIR || status == EACCES ||
	       status == EISDIR || status == EROFS || status == MDB_INVALID ||
	       status == MDB_VERSION_MISMATCH || status == EINVAL;
}

static int fail(const struct lmdb *l, int status, struct err *err)
{
	int (*set)(struct err *, int, const char *, ...) =
		is_usage(status) ? err_usage : err_set;

	return set(err, 0, "lmdb:%s: %s", l->path, mdb_strerror(status));
}

static int tables_open(struct lmdb *l)
{
	static const char *const names[LMDB_TABLES] = {
		[LMDB_STATE] = "state",
		[LMDB_DEVICES] = "devices",
		[LMDB_OWNERS] = "owners",
		[LMDB_SEGMENTS] = "segments",
	};
	MDB_txn *txn;
	int status = mdb_txn_begin(l->env, NULL, 0, &txn);

	/* More than once while another process makes it larger. */
	while (status == MDB_MAP_RESIZED) {
		status = mdb_env_set_mapsize(l->env, 0);
		if (status == MDB_SUCCESS) {
			status = mdb_txn_begin(l->env, NULL, 0, &txn);
		}
	}
	if (status != MDB_SUCCESS) {
		return status;
	}
	for (int i = 0; i < LMDB_TABLES && status == MDB_SUCCESS; i++) {
		status = mdb_dbi_open(txn, names[i], MDB_CREATE, l->tables + i);
	}
	if (status != MDB_SUCCESS) {
		mdb_txn_abort(txn);
		return status;
	}
	return mdb_txn_commit(txn);
}

static int env_open(struct lmdb *l, const struct options *o)
{
	int dead;
	int status = mdb_env_create(&l->env);

	if (status == MDB_SUCCESS) {
		status = mdb_env_set_maxdbs(l->env, LMDB_TABLES);
	}
	if (status == MDB_SUCCESS) {
		status = mdb_env_set_mapsize(l->env, o->map_bytes);
	}
	if (status == MDB_SUCCESS) {
		status = mdb_env_open(
			l->env, l->path, MDB_NOSUBDIR | o->flags, FILE_MODE);
	}
	if (status == MDB_SUCCESS) {
		/* Frees what killed processes were reading. */
		status = mdb_reader_check(l->env, &dead);
	}
	return status == MDB_SUCCESS ? tables_open(l) : status;
}

static struct lmdb *find_open(const char *path)
{
	struct stat st;
	struct lmdb *l = open_files;

	if (stat(path, &st) != 0) {
		return NULL;
	}
	while (l != NULL && (l->device != st.st_dev || l->inode != st.st_ino)) {
		l = l->next;
	}
	return l;
}

int lmdb_open(struct lmdb **out, const char *url, struct err *err)
{
	struct options o;
	struct lmdb *l = NULL;
	struct stat st = { .st_dev = 0 };
	int status = options_parse(&o, url, err);

	if (status == 0) {
		l = find_open(o.path);
	}
	if (status != 0 || l != NULL) {
		mem_free(o.path);
		if (l != NULL) {
			l->users++;
			*out = l;
		}
		return status;
	}
	l = mem_array(1, sizeof(*l));
	l->path = o.path;
	status = env_open(l, &o);
	if (status == MDB_SUCCESS && stat(l->path, &st) != 0) {
		status = errno;
	}
	if (status != MDB_SUCCESS) {
		(void)fail(l, status, err);
		lmdb_close(l);
		return -1;
	}
	l->device = st.st_dev;
	l->inode = st.st_ino;
	l->users = 1;
	l->next = open_files;
	open_files = l;
	*out = l;
	return 0;
}

int lmdb_check(const char *url, struct err *err)
{
	struct options o;
	int failed = options_parse(&o, url, err);

	/* The folder may be one that the service makes when it starts. */
	if (failed == 0 && !folder_can_hold(o.path)) {
		log_warn("there is no folder for the file '%s'", o.path);
	}
	mem_free(o.path);
	return failed;
}

void lmdb_close(struct lmdb *l)
{
	struct lmdb **at = &open_files;

	if (l == NULL || l->users > 1) {
		if (l != NULL) {
			l->users--;
		}
		return;
	}
	while (*at != NULL && *at != l) {
		at = &(*at)->next;
	}
	if (*at != NULL) {
		*at = l->next;
	}
	mdb_env_close(l->env); /* accepts NULL */
	mem_free(l->path);
	mem_free(l);
}

/* --- transactions --- */

static int grow(struct lmdb *l)
{
	MDB_envinfo info;
	int status = mdb_env_info(l->env, &info);

	return status == MDB_SUCCESS
		       ? mdb_env_set_mapsize(l->env, info.me_mapsize * 2)
		       : status;
}

static int try_once(struct lmdb *l, bool is_write, lmdb_work *work, void *self)
{
	struct lmdb_tx tx = { .file = l, .is_write = is_write };
	int status =
		mdb_txn_begin(l->env, NULL, is_write ? 0 : MDB_RDONLY, &tx.txn);

	if (status != MDB_SUCCESS) {
		return status;
	}
	work(self, &tx);
	mdb_cursor_close(tx.cursor); /* accepts NULL */
	if (tx.status == MDB_SUCCESS && is_write) {
		return mdb_txn_commit(tx.txn);
	}
	mdb_txn_abort(tx.txn);
	return tx.status;
}

int lmdb_transact(struct lmdb *l, bool is_write, lmdb_work *work, void *self,
	struct err *err)
{
	for (;;) {
		int dead = 0;
		int status = try_once(l, is_write, work, self);

		if (status == MDB_MAP_FULL) {
			status = grow(l);
		} else if (status == MDB_MAP_RESIZED) {
			status = mdb_env_set_mapsize(l->env, 0);
		} else if (status == MDB_READERS_FULL) {
			status = mdb_reader_check(l->env, &dead);
			if (status == MDB_SUCCESS && dead == 0) {
				status = MDB_READERS_FULL;
			}
		} else if (status == MDB_SUCCESS) {
			return 0;
		}
		if (status != MDB_SUCCESS) {
			/* The file was good once, so nothing is a usage
			 * failure any more. */
			return err_set(err, 0, "lmdb:%s: %s", l->path,
				mdb_strerror(status));
		}
	}
}

/* --- inside --- */

static MDB_val val_of(struct span s)
{
	union {
		const char *borrowed;
		void *data;
	} ptr = { .borrowed = s.ptr };

	return (MDB_val){ .mv_size = s.len, .mv_data = ptr.data };
}

static struct span span_of_val(const MDB_val *v)
{
	return (struct span){ v->mv_data, v->mv_size };
}

/* Notes a failure; true when it went well. */
static bool is_well(struct lmdb_tx *tx, int status)
{
	if (status != MDB_SUCCESS && status != MDB_NOTFOUND) {
		tx->status = status;
	}
	return status == MDB_SUCCESS;
}

bool lmdb_has_failed(const struct lmdb_tx *tx)
{
	return tx->status != MDB_SUCCESS;
}

bool lmdb_get(struct lmdb_tx *tx, enum lmdb_table table, struct span key,
	struct span *value)
{
	MDB_val k = val_of(key);
	MDB_val v;

	if (lmdb_has_failed(tx) ||
		!is_well(tx,
			mdb_get(tx->txn, tx->file->tables[table], &k, &v))) {
		return false;
	}
	*value = span_of_val(&v);
	return true;
}

void lmdb_put(struct lmdb_tx *tx, enum lmdb_table table, struct span key,
	struct span value)
{
	MDB_val k = val_of(key);
	MDB_val v = val_of(value);

	if (!lmdb_has_failed(tx)) {
		(void)is_well(tx,
			mdb_put(tx->txn, tx->file->tables[table], &k, &v, 0));
	}
}

bool lmdb_delete(struct lmdb_tx *tx, enum lmdb_table table, struct span key)
{
	MDB_val k = val_of(key);

	return !lmdb_has_failed(tx) &&
	       is_well(tx, mdb_del(tx->txn, tx->file->tables[table], &k, NULL));
}

static bool walk(struct lmdb_tx *tx, MDB_val *k, MDB_cursor_op op,
	struct span *key, struct span *value)
{
	MDB_val v;

	if (!is_well(tx, mdb_cursor_get(tx->cursor, k, &v, op))) {
		return false;
	}
	*key = span_of_val(k);
	*value = span_of_val(&v);
	return true;
}

bool lmdb_first(struct lmdb_tx *tx, enum lmdb_table table, struct span from,
	struct span *key, struct span *value)
{
	MDB_val k = val_of(from);
	int status = MDB_SUCCESS;

	if (lmdb_has_failed(tx)) {
		return false;
	}
	if (tx->cursor != NULL && tx->walked != table) {
		mdb_cursor_close(tx->cursor);
		tx->cursor = NULL;
	}
	if (tx->cursor == NULL) {
		status = mdb_cursor_open(
			tx->txn, tx->file->tables[table], &tx->cursor);
	} else if (!tx->is_write) {
		/* Forgets where it is: it would look around there first, at keys
		 * that are not in the processor's cache. */
		status = mdb_cursor_renew(tx->txn, tx->cursor);
	}
	if (!is_well(tx, status)) {
		return false;
	}
	tx->walked = table;
	return walk(
		tx, &k, from.len > 0 ? MDB_SET_RANGE : MDB_FIRST, key, value);
}

bool lmdb_next(struct lmdb_tx *tx, struct span *key, struct span *value)
{
	MDB_val k;

	return !lmdb_has_failed(tx) && walk(tx, &k, MDB_NEXT, key, value);
}
