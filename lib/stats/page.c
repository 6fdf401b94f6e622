/* Embedded by scripts/embed, so that the program needs no files. */
#include "stats/page.h"

extern const char asset_index_html[];
extern const size_t asset_index_html_len;
extern const char asset_page_css[];
extern const size_t asset_page_css_len;
extern const char asset_page_js[];
extern const size_t asset_page_js_len;

bool page_find(const char *path, struct page_file *out)
{
	const struct page_file files[] = {
		{ "/", "text/html; charset=utf-8",
			{ asset_index_html, asset_index_html_len } },
		{ "/page.css", "text/css; charset=utf-8",
			{ asset_page_css, asset_page_css_len } },
		{ "/page.js", "text/javascript; charset=utf-8",
			{ asset_page_js, asset_page_js_len } },
	};

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		if (strcmp(path, files[i].path) == 0) {
			*out = files[i];
			return true;
		}
	}
	return false;
}
