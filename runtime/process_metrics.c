#include "runtime/process_metrics.h"
#include <dirent.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

static void write_head(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void write_cpu(FILE *out)
{
	struct rusage usage;

	if (getrusage(RUSAGE_SELF, &usage) < 0) {
		return;
	}
	struct timeval total;
	timeradd(&usage.ru_utime, &usage.ru_stime, &total);
	write_head(out, "process_cpu_seconds_total", "counter", "CPU time used, in seconds");
	fprintf(out, "process_cpu_seconds_total %lld.%06ld\n", (long long)total.tv_sec,
		(long)total.tv_usec);
}

static void write_memory(FILE *out)
{
	uint64_t pages = 0, resident_pages = 0;

	FILE *in = fopen("/proc/self/statm", "re");
	if (in == NULL) {
		return;
	}
	bool known = fscanf(in, "%" SCNu64 " %" SCNu64, &pages, &resident_pages) == 2;
	fclose(in);
	if (!known) {
		return;
	}
	uint64_t page_size = (uint64_t)sysconf(_SC_PAGESIZE);
	write_head(out, "process_resident_memory_bytes", "gauge", "memory in use, in bytes");
	fprintf(out, "process_resident_memory_bytes %" PRIu64 "\n", resident_pages * page_size);
	write_head(out, "process_virtual_memory_bytes", "gauge", "address space in use, in bytes");
	fprintf(out, "process_virtual_memory_bytes %" PRIu64 "\n", pages * page_size);
}

static void write_files(FILE *out)
{
	struct rlimit limit;
	unsigned count = 0;

	DIR *folder = opendir("/proc/self/fd");
	if (folder == NULL) {
		return;
	}
	for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
		count += entry->d_name[0] != '.';
	}
	closedir(folder);
	write_head(out, "process_open_fds", "gauge", "open file descriptors");
	fprintf(out, "process_open_fds %u\n", count - 1); /* but the one that counted */
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		write_head(out, "process_max_fds", "gauge", "most file descriptors it may have");
		fprintf(out, "process_max_fds %llu\n", (unsigned long long)limit.rlim_cur);
	}
}

/* The 22nd field of /proc/self/stat, counted behind the name, which may hold anything but ends at the last ")". */
static bool read_start_ticks(uint64_t *ret_ticks)
{
	char text[1024];

	FILE *in = fopen("/proc/self/stat", "re");
	if (in == NULL) {
		return false;
	}
	size_t size = fread(text, 1, sizeof text - 1, in);
	fclose(in);
	text[size] = '\0';
	const char *at = strrchr(text, ')');
	for (int field = 2; at != NULL && field < 22; field++) {
		at = strchr(at + 1, ' ');
	}
	return at != NULL && sscanf(at, " %" SCNu64, ret_ticks) == 1;
}

static bool read_boot_time(uint64_t *ret_seconds)
{
	char line[256];
	bool found = false;

	FILE *in = fopen("/proc/stat", "re");
	if (in == NULL) {
		return false;
	}
	while (!found && fgets(line, sizeof line, in) != NULL) {
		found = sscanf(line, "btime %" SCNu64, ret_seconds) == 1;
	}
	fclose(in);
	return found;
}

static void write_start(FILE *out)
{
	uint64_t ticks = 0, boot_seconds = 0;

	if (!read_start_ticks(&ticks) || !read_boot_time(&boot_seconds)) {
		return;
	}
	uint64_t per_second = (uint64_t)sysconf(_SC_CLK_TCK);
	write_head(out, "process_start_time_seconds", "gauge", "start, in seconds since the epoch");
	fprintf(out, "process_start_time_seconds %" PRIu64 "\n", boot_seconds + ticks / per_second);
}

void process_metrics_write(FILE *out)
{
	write_cpu(out);
	write_memory(out);
	write_files(out);
	write_start(out);
	write_head(out, "till_build_info", "gauge", "always 1; the label is the version");
	fprintf(out, "till_build_info{version=\"%s\"} 1\n", TILL_VERSION);
}
