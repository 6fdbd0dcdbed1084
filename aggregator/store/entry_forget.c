#include "aggregator/store/entry_forget.h"
#include "aggregator/store/basket.h"
#include "aggregator/store/changed_rows.h"
#include "aggregator/store/table_rows.h"

enum entry_fate entry_forget(
	struct entry_sweep *sweep, struct slice key, struct slice value, struct buffer *ret_value)
{
	switch (key.size == 0 ? 0 : key.bytes[0]) {
	case ENTRY_BASKET:
		return basket_forget(sweep->forgotten, key, value, ret_value);
	case ENTRY_CHANGED_ROW:
		return changed_row_forget(sweep->forgotten, key, value, ret_value);
	case ENTRY_TABLE_ROW:
		return table_row_forget(sweep, key, value, ret_value);
	case ENTRY_TRUNCATION: /* names a table */
	default:
		return ENTRY_STAYS;
	}
}
