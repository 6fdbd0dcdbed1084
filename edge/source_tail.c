#include "edge/source_tail.h"
#include "edge/file_settings.h"
#include "edge/tail.h"
#include "edge/tail_disk_posix.h"
#include "runtime/log.h"
#include "runtime/loop.h"
#include "runtime/metrics.h"
#include <errno.h>
#include <stdlib.h>

struct tail_config {
	char *path;
	char *format;
	char *delimiter;
	char *map;
	char *set;
	char *kind;
	char *rotated;
	char *start;
	int64_t poll_ms;
	int64_t settle_ms;
	int64_t forget_ms;
	int64_t batch_events;
};

enum { SERIES_MS = 100 };

#define AT(member) offsetof(struct tail_config, member)
#define DAY_MS (INT64_C(24) * 3600 * 1000)

static const struct config_option keys[] = {
	{"source", "path", CONFIG_LIST, AT(path), NULL, 0, 0,
		"files to follow, globs allowed: /var/log/pos/*.ndjson"},
	{"source", "format", CONFIG_TEXT, AT(format), "", 0, 0,
		"of the files: ndjson, csv; empty: by the ending of path"},
	{"source", "delimiter", CONFIG_TEXT, AT(delimiter), "", 0, 0,
		"between cells of CSV; \"tab\" is one; empty: a comma, a tab in .tsv"},
	{"source", "map", CONFIG_LIST, AT(map), "", 0, 0,
		"which column is which field: order_id=Invoice,quantity=Quantity"},
	{"source", "set", CONFIG_LIST, AT(set), "", 0, 0,
		"fields that every event gets: channel=store,currency=EUR"},
	{"source", "kind", CONFIG_TEXT, AT(kind), "", 0, 0,
		"of the events: order, cart, view; empty: as they say"},
	{"source", "rotated", CONFIG_TEXT, AT(rotated), "", 0, 0,
		"glob of what path was before it was rotated; empty: the names logrotate gives"},
	{"source", "start", CONFIG_TEXT, AT(start), "beginning", 0, 0,
		"where files that are there at the very first start are read from: beginning, end"},
	{"source", "poll", CONFIG_DURATION, AT(poll_ms), "1s", 100, 3600000,
		"between looks at the files where nothing tells that they changed"},
	{"source", "settle", CONFIG_DURATION, AT(settle_ms), "5s", 0, 3600000,
		"a rotated file that is silent for so long ends where it ends"},
	{"source", "forget", CONFIG_DURATION, AT(forget_ms), "30d", 60000, 3650 * DAY_MS,
		"how long the position in a file that is not there any more is kept"},
	{"source", "batch_events", CONFIG_INTEGER, AT(batch_events), "2000", 1, FRAME_EVENTS_MAX,
		"lines that are read and committed at once, at most"},
	{0},
};

static const struct config_schema tail_config_schema = {
	.options = keys,
	.target_size = sizeof(struct tail_config),
};

struct source_tail {
	struct file_settings settings;
	struct tail_disk_posix *disk;
	struct tail *tail;
	struct port *port;
	struct loop *loop;
	int64_t wall_ms;
	int64_t series_ms; /* when the metrics were set: that walks over all files */
	char name[64];
	struct {
		struct metric *files, *open, *missing, *stuck, *lag, *bytes, *rotations,
			*truncations, *lost_bytes, *lost_files, *too_long;
	} series;
};

/* ---- configuration */

static const char *given(const char *text)
{
	return text == NULL ? "" : text;
}

static int read_settings(const struct tail_config *config, struct file_settings *settings,
	struct config_error *error)
{
	const struct file_options file = {.format = given(config->format),
		.delimiter = given(config->delimiter),
		.map = given(config->map),
		.set = given(config->set),
		.kind = given(config->kind),
		.name = given(config->path),
		.events_max = config->batch_events};

	return file_settings_read(&file, settings, error);
}

static bool starts_at_end(const struct tail_config *config)
{
	return strcmp(config->start, "end") == 0;
}

static int check(void *target, bool insecure, struct config_error *error)
{
	const struct tail_config *config = target;
	struct file_settings settings;

	(void)insecure;
	if (!starts_at_end(config) && strcmp(config->start, "beginning") != 0) {
		return config_fail(
			error, "start: \"%s\" is neither beginning nor end", config->start);
	}
	if (*given(config->rotated) != '\0' && strpbrk(config->path, "*?[,") != NULL) {
		return config_fail(error, "rotated: only with one path that is no glob");
	}
	int r = read_settings(config, &settings, error);
	if (r < 0) {
		return r;
	}
	if (settings.rules.format == LINE_MSGPACK) {
		r = config_fail(error, "format: a file that is written on is ndjson or csv");
	}
	file_settings_deinit(&settings);
	return r;
}

/* ---- what happens, for people */

static void tell(void *owner, const struct tail_report *report)
{
	static const struct {
		enum log_level level;
		const char *message; /* with a and b where they mean something */
		const char *a, *b;
	} words[] = {
		[TAIL_NEWS_MISSING] = {LOG_WARNING, "a file to follow is not there", NULL, NULL},
		[TAIL_NEWS_FOUND] = {LOG_INFO, "following a file", "offset", NULL},
		[TAIL_NEWS_ROTATED] = {LOG_INFO, "a file was rotated", NULL, NULL},
		[TAIL_NEWS_CONTINUED] = {LOG_INFO, "a copy of a known file is read on", "offset",
			NULL},
		[TAIL_NEWS_TRUNCATED] = {LOG_INFO, "a file was emptied or written anew",
			"was_read_to", NULL},
		[TAIL_NEWS_LOST] = {LOG_ERROR, "bytes of a file went before they were read", "from",
			"to"},
		[TAIL_NEWS_UNREAD] = {LOG_ERROR, "a file was compressed before it was read", NULL,
			NULL},
		[TAIL_NEWS_TOO_LONG] = {LOG_WARNING, "a line is too long and becomes a dead letter",
			"offset", "size"},
		[TAIL_NEWS_STUCK] = {LOG_ERROR, "a file can't be read and waits", NULL, NULL},
		[TAIL_NEWS_DENIED] = {LOG_ERROR, "a file can't be opened", NULL, NULL},
		[TAIL_NEWS_FORGOTTEN] = {LOG_ERROR,
			"a position is damaged: its file is read again from its beginning", "inode",
			NULL},
		[TAIL_NEWS_LIMIT] = {LOG_ERROR, "too much to follow", "limit", NULL},
	};
	const struct source_tail *source = owner;
	char quoted[1024];
	char why[256] = "";
	char numbers[96] = "";
	int size = 0;

	if (words[report->news].a != NULL) {
		size = snprintf(numbers, sizeof numbers, " %s=%llu", words[report->news].a,
			(unsigned long long)report->a);
	}
	if (words[report->news].b != NULL) {
		snprintf(numbers + size, sizeof numbers - (size_t)size, " %s=%llu",
			words[report->news].b, (unsigned long long)report->b);
	}
	if (report->text != NULL) {
		char words_of[200];
		snprintf(why, sizeof why, " error=%s",
			log_quote(report->text, strlen(report->text), words_of, sizeof words_of));
	}
	log_line(words[report->news].level, words[report->news].message, "source=%s path=%s%s%s",
		source->name, log_quote(report->path, strlen(report->path), quoted, sizeof quoted),
		numbers, why);
}

/* ---- opening */

static int add_series(struct source_tail *source, struct metrics *metrics)
{
	const struct {
		struct metric **metric;
		enum metric_type type;
		const char *name;
		const char *help;
	} rows[] = {
		{&source->series.files, METRIC_GAUGE, "till_edge_tail_files",
			"files that are there and followed, rotated ones too"},
		{&source->series.open, METRIC_GAUGE, "till_edge_tail_files_open",
			"files held open"},
		{&source->series.missing, METRIC_GAUGE, "till_edge_tail_files_missing",
			"paths that are to be followed and where nothing is"},
		{&source->series.stuck, METRIC_GAUGE, "till_edge_tail_files_stuck",
			"files that can't be opened, or whose columns don't fit"},
		{&source->series.lag, METRIC_GAUGE, "till_edge_tail_lag_bytes",
			"bytes in files that are not in the spool yet"},
		{&source->series.bytes, METRIC_COUNTER, "till_edge_tail_read_bytes_total",
			"bytes of files that were brought into the spool"},
		{&source->series.rotations, METRIC_COUNTER, "till_edge_tail_rotations_total",
			"times that another file stood at a path"},
		{&source->series.truncations, METRIC_COUNTER, "till_edge_tail_truncations_total",
			"times that a file was emptied or written anew"},
		{&source->series.lost_bytes, METRIC_COUNTER, "till_edge_tail_lost_bytes_total",
			"bytes that were seen and went before they were read"},
		{&source->series.lost_files, METRIC_COUNTER, "till_edge_tail_lost_files_total",
			"files that were compressed before they were read"},
		{&source->series.too_long, METRIC_COUNTER, "till_edge_tail_lines_too_long_total",
			"lines over 256 KiB, which became dead letters"},
	};
	char label[160];

	metrics_label(label, sizeof label, "source", source->name, strlen(source->name));
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		*rows[i].metric =
			metrics_add(metrics, rows[i].type, rows[i].name, label, rows[i].help);
		if (*rows[i].metric == NULL) {
			return -ENOMEM;
		}
	}
	return 0;
}

static bool takes_more(void *owner)
{
	const struct source_tail *source = owner;

	return port_takes_more(source->port);
}

static int submit(void *owner, const struct submission *submission)
{
	const struct source_tail *source = owner;

	return port_submit(source->port, submission, source->wall_ms);
}

static int remember(void *owner, struct slice key, struct slice value)
{
	const struct source_tail *source = owner;

	return tail_remember(source->tail, key, value);
}

static int on_watch(void *owner)
{
	struct source_tail *source = owner;

	tail_disk_posix_drain(source->disk);
	tail_wake(source->tail);
	return 0;
}

static int make_tail(struct source_tail *source, const struct tail_config *config)
{
	struct pairs_error error;

	int r = tail_disk_posix_new(config->path, given(config->rotated), &source->disk);
	if (r < 0) {
		return r;
	}
	const struct tail_options tail = {.rules = source->settings.rules,
		.disk = tail_disk_posix_ops(source->disk),
		.port = {source, takes_more, submit, tell},
		.from_end = starts_at_end(config),
		.poll_ms = config->poll_ms,
		.settle_ms = config->settle_ms,
		.forget_ms = config->forget_ms};
	r = tail_new(&tail, &source->tail, &error);
	if (r == 0) {
		r = port_each_mark(source->port, source, remember);
	}
	int fd = tail_disk_posix_watch_fd(source->disk);
	if (r == 0 && fd >= 0) {
		r = loop_add_fd(source->loop, fd, on_watch, source);
	}
	return r;
}

static void *close_tail(void *owner)
{
	struct source_tail *source = owner;

	if (source == NULL) {
		return NULL;
	}
	tail_free(source->tail);
	if (source->disk != NULL && tail_disk_posix_watch_fd(source->disk) >= 0) {
		loop_remove_fd(source->loop, tail_disk_posix_watch_fd(source->disk));
	}
	tail_disk_posix_free(source->disk);
	file_settings_deinit(&source->settings);
	free(source);
	return NULL;
}

static int open_tail(
	const struct source_options *options, void **ret_source, struct source_error *error)
{
	const struct tail_config *config = options->config;
	struct config_error why = {.text = "out of memory"};
	struct source_tail *source = calloc(1, sizeof *source);

	if (source == NULL) {
		return -ENOMEM;
	}
	source->port = options->port;
	source->loop = options->loop;
	snprintf(source->name, sizeof source->name, "%s", options->name);
	int r = read_settings(config, &source->settings, &why);
	if (r == 0) {
		r = add_series(source, options->metrics);
	}
	if (r == 0) {
		r = make_tail(source, config);
	}
	if (r < 0) {
		snprintf(error->text, sizeof error->text, "%.200s",
			r == -EINVAL ? why.text : strerror(-r));
		close_tail(source);
		return r;
	}
	*ret_source = source;
	return 0;
}

/* ---- running */

static void set_series(struct source_tail *source)
{
	const struct tail_counts *counts = tail_counts(source->tail);
	struct tail_state state = tail_state(source->tail);

	metric_set(source->series.files, state.files);
	metric_set(source->series.open, state.open);
	metric_set(source->series.missing, state.missing);
	metric_set(source->series.stuck, state.stuck);
	metric_set(source->series.lag, (double)state.lag_bytes);
	metric_set(source->series.bytes, (double)counts->bytes_read);
	metric_set(source->series.rotations, (double)counts->rotations);
	metric_set(source->series.truncations, (double)counts->truncations);
	metric_set(source->series.lost_bytes, (double)counts->lost_bytes);
	metric_set(source->series.lost_files, (double)counts->lost_files);
	metric_set(source->series.too_long, (double)counts->lines_too_long);
}

static int poll_tail(void *owner, int64_t now_ms, int64_t wall_ms, int64_t *ret_wait_ms)
{
	struct source_tail *source = owner;

	source->wall_ms = wall_ms;
	int r = tail_poll(source->tail, now_ms, wall_ms, ret_wait_ms);
	if (now_ms - source->series_ms >= SERIES_MS) {
		source->series_ms = now_ms;
		set_series(source);
	}
	return r;
}

static void acknowledge(void *owner, uint64_t ticket, const struct submission_result *result)
{
	struct source_tail *source = owner;

	tail_settled(source->tail, ticket, result->outcome == SUBMISSION_TAKEN);
}

static void stop_tail(void *owner)
{
	struct source_tail *source = owner;

	tail_stop(source->tail);
}

static void describe(const void *owner, FILE *out)
{
	const struct source_tail *source = owner;
	const char *path = tail_trouble(source->tail);

	if (path != NULL) {
		fprintf(out, "source %s: %s can't be read\n", source->name, path);
	}
}

const struct source_type source_tail_type = {
	.name = "tail",
	.schema = &tail_config_schema,
	.check = check,
	.open = open_tail,
	.poll = poll_tail,
	.acknowledge = acknowledge,
	.stop = stop_tail,
	.close = close_tail,
	.describe = describe,
};
