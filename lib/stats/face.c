/* Each path and its text. */
#include "stats/face.h"

#include "stats/expose.h"
#include "stats/page.h"
#include "stats/report.h"

enum { HTTP_OK = 200, HTTP_NOT_FOUND = 404, HTTP_UNAVAILABLE = 503 };

/* What is missing for the chain to be whole, a line each. */
static unsigned put_missing(const struct face *f, struct buf *out)
{
	if (f->depths != NULL && !f->depths->is_known) {
		buf_fmt(out, "queues: %s\n",
			f->depths->err.text[0] != '\0' ? f->depths->err.text
						       : "not asked yet");
	}
	for (size_t i = 0; f->live != NULL && i < live_count(f->live); i++) {
		if (live_now(f->live, i).processes == 0) {
			buf_fmt(out, "%s: no program reports\n",
				live_at(f->live, i)->name);
		}
	}
	if (out->len > 0) {
		return HTTP_UNAVAILABLE;
	}
	buf_text(out, "ok\n");
	return HTTP_OK;
}

unsigned face_get(const struct face *f, const char *path, const char **type,
	struct buf *body)
{
	struct page_file file;

	if (strcmp(path, "/metrics") == 0) {
		const struct expose_from from = { f->stats, f->live, f->depths,
			f->started_unix_ms };

		*type = EXPOSE_TYPE;
		expose(&from, body);
	} else if (strcmp(path, "/api/stats") == 0) {
		*type = "application/json";
		report_json(f->stats, f->live, f->depths, body);
	} else if (strcmp(path, "/api/history") == 0) {
		*type = "application/json";
		history_json(f->history, body);
	} else if (strcmp(path, "/healthz") == 0) {
		buf_text(body, "ok\n");
	} else if (strcmp(path, "/readyz") == 0) {
		return put_missing(f, body);
	} else if (page_find(path, &file)) {
		*type = file.type;
		buf_put(body, file.bytes.ptr, file.bytes.len);
	} else {
		return HTTP_NOT_FOUND;
	}
	return HTTP_OK;
}
