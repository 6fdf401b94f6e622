/* No text breaks the reader of push.conf, and a refusal says why. */
#include <stdint.h>
#include <stdlib.h>

#include "record/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf *conf = NULL;
	struct err err = { 0 };

	if (conf_parse(&conf, (const char *)data, size, &err) == 0) {
		(void)conf_app(conf, span_of("shop"));
		(void)conf_text(conf, "redis", NULL);
		conf_free(conf);
	} else if (!err.is_usage || err.text[0] == '\0') {
		abort();
	}
	return 0;
}
