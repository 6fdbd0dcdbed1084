/* store_check.h - `till verify store`: walks a stopped store and says whether all is whole. Returns the exit code. */
#pragma once

int store_check_folder(const char *folder);
