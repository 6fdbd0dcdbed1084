#include "aggregator/entry_forget.h"

enum entry_fate entry_forget(const struct forgotten *forgotten, struct slice key,
	struct slice value, struct buffer *ret_value)
{
	(void)forgotten;
	(void)value;
	(void)ret_value;
	switch (key.size == 0 ? 0 : key.bytes[0]) {
	default:
		return ENTRY_STAYS;
	}
}
