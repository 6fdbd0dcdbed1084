/* The aggregator's memory holds few streams, so that it forgets them and reads them again, which otherwise takes tens of thousands;
 * the linker puts this in front of the real one (--wrap). */
#include "aggregator/books/streams.h"

enum { KEPT_MAX = 6 };

int __real_streams_new(const struct streams_options *options, struct streams **ret_streams);
int __wrap_streams_new(const struct streams_options *options, struct streams **ret_streams);

int __wrap_streams_new(const struct streams_options *options, struct streams **ret_streams)
{
	struct streams_options few = *options;

	few.kept_max = KEPT_MAX;
	return __real_streams_new(&few, ret_streams);
}
