/* report_file.h - a till's closing report by order: a CSV whose first line names order_id and amount, in any place. */
#pragma once
#include "cli/receipts.h"

/* Settled. -1 to go on, else the exit code, the reason said in the name of `command`. */
int report_file_read(const char *command, const char *path, struct receipts *receipts);
