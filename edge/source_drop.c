#include "edge/source_drop.h"
#include "edge/drop.h"
#include "edge/file_settings.h"
#include "runtime/log.h"
#include "runtime/loop.h"
#include "runtime/metrics.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

enum {
	SERIES_MS = 100,
	COUNT_MS = 60000, /* between counts of what lies in done/ and failed/ */
	COUNT_ROUND = 500, /* names of them in one round */
};

struct drop_config {
	char *dir;
	char *format;
	char *delimiter;
	char *map;
	char *set;
	char *kind;
	char *repeated_files;
	int64_t settle_ms;
	int64_t poll_ms;
	int64_t batch_events;
};

#define AT(member) offsetof(struct drop_config, member)

static const struct config_option keys[] = {
	{"source", "dir", CONFIG_TEXT, AT(dir), NULL, 0, 0,
		"the folder; done/ and failed/ are made in it"},
	{"source", "format", CONFIG_TEXT, AT(format), "", 0, 0,
		"of the files: ndjson, csv, msgpack; empty: by each file's ending"},
	{"source", "delimiter", CONFIG_TEXT, AT(delimiter), "", 0, 0,
		"between cells of CSV; \"tab\" is one; empty: a comma, a tab in .tsv"},
	{"source", "map", CONFIG_LIST, AT(map), "", 0, 0,
		"which column is which field: order_id=Invoice,quantity=Quantity"},
	{"source", "set", CONFIG_LIST, AT(set), "", 0, 0,
		"fields that every event gets: channel=store,currency=EUR"},
	{"source", "kind", CONFIG_TEXT, AT(kind), "", 0, 0,
		"of the events: order, cart, view; empty: as they say"},
	{"source", "repeated_files", CONFIG_TEXT, AT(repeated_files), "skip", 0, 0,
		"a file whose very content was counted before: skip, count"},
	{"source", "settle", CONFIG_DURATION, AT(settle_ms), "2s", 0, 3600000,
		"a file that did not change for so long is whole"},
	{"source", "poll", CONFIG_DURATION, AT(poll_ms), "2s", 100, 3600000,
		"between looks at the folder where nothing tells that it changed"},
	{"source", "batch_events", CONFIG_INTEGER, AT(batch_events), "2000", 1, FRAME_EVENTS_MAX,
		"lines that are read and committed at once, at most"},
	{0},
};

static const struct config_schema drop_config_schema = {
	.options = keys,
	.target_size = sizeof(struct drop_config),
};

struct source_drop {
	struct file_settings settings;
	struct drop_folder *folder;
	struct drop *drop;
	struct port *port;
	struct loop *loop;
	int watch_fd; /* -1: there is no inotify here */
	int64_t wall_ms;
	int64_t series_ms;
	int64_t count_ms; /* when what lies in done/ is counted next */
	char name[64];
	char *edge; /* owned */
	struct {
		struct metric *active, *waiting, *ignored, *stuck, *bytes, *too_long, *changed;
		struct metric *done, *failed, *repeated;
		struct metric *kept_files[DROP_PLACES], *kept_bytes[DROP_PLACES];
	} series;
};

/* ---- configuration */

static const char *given(const char *text)
{
	return text == NULL ? "" : text;
}

static int read_settings(const struct drop_config *config, struct file_settings *settings,
	struct config_error *error)
{
	const struct file_options file = {.format = given(config->format),
		.delimiter = given(config->delimiter),
		.map = given(config->map),
		.set = given(config->set),
		.kind = given(config->kind),
		.events_max = config->batch_events};

	return file_settings_read(&file, settings, error);
}

static bool skips_repeated(const struct drop_config *config)
{
	return strcmp(config->repeated_files, "skip") == 0;
}

static int check(void *target, bool insecure, struct config_error *error)
{
	const struct drop_config *config = target;
	struct file_settings settings;

	(void)insecure;
	if (!skips_repeated(config) && strcmp(config->repeated_files, "count") != 0) {
		return config_fail(error, "repeated_files: \"%s\" is neither skip nor count",
			config->repeated_files);
	}
	int r = read_settings(config, &settings, error);
	if (r == 0) {
		file_settings_deinit(&settings);
	}
	return r;
}

/* ---- what happens, for people */

static void tell(void *owner, const struct drop_told *told)
{
	const struct source_drop *source = owner;
	char file[1100];
	char why[300];

	log_quote(told->name, strlen(told->name), file, sizeof file);
	log_quote(given(told->text), strlen(given(told->text)), why, sizeof why);
	switch (told->news) {
	case DROP_NEWS_OVER:
		log_line(LOG_INFO, "a dropped file is through",
			"source=%s file=%s outcome=%s lines=%llu accepted=%llu", source->name, file,
			why, (unsigned long long)told->a, (unsigned long long)told->b);
		break;
	case DROP_NEWS_UNREADABLE:
		log_line(LOG_ERROR, "a dropped file can't be read", "source=%s file=%s error=%s",
			source->name, file, why);
		break;
	case DROP_NEWS_CHANGED:
		log_line(LOG_WARNING, "a dropped file changed while it was read",
			"source=%s file=%s", source->name, file);
		break;
	case DROP_NEWS_WAITS:
		log_line(LOG_ERROR, "a report can't be written: its file waits",
			"source=%s file=%s error=%s", source->name, file, why);
		break;
	case DROP_NEWS_FORGOTTEN:
		log_line(LOG_ERROR,
			"the position in a dropped file is damaged: it is read again from its "
			"beginning",
			"source=%s file=%s", source->name, file);
		break;
	case DROP_NEWS_LISTING:
		log_line(LOG_ERROR, "the folder can't be listed", "source=%s error=%s",
			source->name, why);
		break;
	}
}

/* ---- opening */

struct series_row {
	struct metric **metric;
	enum metric_type type;
	const char *name;
	const char *more; /* a label beside the source's; "" */
	const char *help;
};

static int add_series(struct source_drop *source, struct metrics *metrics)
{
	static const char files[] = "till_edge_drop_files_total";
	static const char files_help[] = "files that are through, by outcome";
	static const char kept[] = "till_edge_drop_kept_files";
	static const char kept_help[] =
		"files that lie in done/ and failed/, reports too: yours to clear away";
	static const char bytes[] = "till_edge_drop_kept_bytes";
	static const char bytes_help[] = "their size";
	const struct series_row rows[] = {
		{&source->series.active, METRIC_GAUGE, "till_edge_drop_files_active", "",
			"files at work"},
		{&source->series.waiting, METRIC_GAUGE, "till_edge_drop_files_waiting", "",
			"files seen and not begun, at most 20,000"},
		{&source->series.ignored, METRIC_GAUGE, "till_edge_drop_files_ignored", "",
			"files whose name does not say what they are"},
		{&source->series.stuck, METRIC_GAUGE, "till_edge_drop_files_stuck", "",
			"files that can't be read on, or whose report can't be written"},
		{&source->series.bytes, METRIC_COUNTER, "till_edge_drop_read_bytes_total", "",
			"bytes of files that were brought into the spool"},
		{&source->series.too_long, METRIC_COUNTER, "till_edge_drop_lines_too_long_total",
			"", "lines over 256 KiB, which became dead letters"},
		{&source->series.changed, METRIC_COUNTER, "till_edge_drop_changed_total", "",
			"times that a file changed while it was read"},
		{&source->series.done, METRIC_COUNTER, files, ",outcome=\"done\"", files_help},
		{&source->series.failed, METRIC_COUNTER, files, ",outcome=\"failed\"", files_help},
		{&source->series.repeated, METRIC_COUNTER, files, ",outcome=\"repeated\"",
			files_help},
		{&source->series.kept_files[DROP_PLACE_DONE], METRIC_GAUGE, kept, ",place=\"done\"",
			kept_help},
		{&source->series.kept_files[DROP_PLACE_FAILED], METRIC_GAUGE, kept,
			",place=\"failed\"", kept_help},
		{&source->series.kept_bytes[DROP_PLACE_DONE], METRIC_GAUGE, bytes,
			",place=\"done\"", bytes_help},
		{&source->series.kept_bytes[DROP_PLACE_FAILED], METRIC_GAUGE, bytes,
			",place=\"failed\"", bytes_help},
	};
	char label[160];
	char labels[200];

	metrics_label(label, sizeof label, "source", source->name, strlen(source->name));
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		snprintf(labels, sizeof labels, "%s%s", label, rows[i].more);
		*rows[i].metric =
			metrics_add(metrics, rows[i].type, rows[i].name, labels, rows[i].help);
		if (*rows[i].metric == NULL) {
			return -ENOMEM;
		}
	}
	return 0;
}

static bool takes_more(void *owner)
{
	const struct source_drop *source = owner;

	return port_takes_more(source->port);
}

static int submit(void *owner, const struct submission *submission)
{
	const struct source_drop *source = owner;

	return port_submit(source->port, submission, source->wall_ms);
}

static int remember(void *owner, struct slice key, struct slice value)
{
	const struct source_drop *source = owner;

	return drop_remember(source->drop, key, value);
}

static int on_watch(void *owner)
{
	struct source_drop *source = owner;
	char events[16384];

	while (read(source->watch_fd, events, sizeof events) == (ssize_t)sizeof events) {
	}
	drop_wake(source->drop);
	return 0;
}

static int watch(struct source_drop *source, const char *dir)
{
	source->watch_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (source->watch_fd < 0) { /* the poll finds it out */
		return 0;
	}
	(void)inotify_add_watch(source->watch_fd, dir, IN_CLOSE_WRITE | IN_MOVED_TO | IN_ATTRIB);
	return loop_add_fd(source->loop, source->watch_fd, on_watch, source);
}

static int make_drop(struct source_drop *source, const struct drop_config *config)
{
	struct pairs_error error;
	const struct drop_options options = {.rules = source->settings.rules,
		.has_format = *given(config->format) != '\0',
		.has_delimiter = *given(config->delimiter) != '\0',
		.skip_repeated = skips_repeated(config),
		.folder = source->folder,
		.port = {source, takes_more, submit, tell},
		.edge = source->edge,
		.source = source->name,
		.settle_ms = config->settle_ms,
		.poll_ms = config->poll_ms};

	int r = drop_new(&options, &source->drop, &error);
	if (r == 0) {
		r = port_each_mark(source->port, source, remember);
	}
	if (r == 0) {
		r = drop_resume(source->drop);
	}
	return r == 0 ? watch(source, config->dir) : r;
}

static void *close_drop(void *owner)
{
	struct source_drop *source = owner;

	if (source == NULL) {
		return NULL;
	}
	if (source->watch_fd >= 0) {
		loop_remove_fd(source->loop, source->watch_fd);
		close(source->watch_fd);
	}
	drop_free(source->drop);
	drop_folder_free(source->folder);
	file_settings_deinit(&source->settings);
	free(source->edge);
	free(source);
	return NULL;
}

static struct source_drop *new_source(const struct source_options *options)
{
	struct source_drop *source = calloc(1, sizeof *source);

	if (source != NULL) {
		source->port = options->port;
		source->loop = options->loop;
		source->watch_fd = -1;
		source->edge = strdup(options->edge);
		snprintf(source->name, sizeof source->name, "%s", options->name);
	}
	return source;
}

static int open_drop(
	const struct source_options *options, void **ret_source, struct source_error *error)
{
	const struct drop_config *config = options->config;
	struct config_error why = {.text = ""};
	struct source_drop *source = new_source(options);

	if (source == NULL || source->edge == NULL) {
		close_drop(source);
		return -ENOMEM;
	}
	int r = read_settings(config, &source->settings, &why);
	if (r == 0) {
		r = drop_folder_new(config->dir, &source->folder);
	}
	if (r == 0) {
		r = add_series(source, options->metrics);
	}
	if (r == 0) {
		r = make_drop(source, config);
	}
	if (r < 0) {
		snprintf(error->text, sizeof error->text, "dir %.100s: %.100s", config->dir,
			why.text[0] != '\0' ? why.text : strerror(-r));
		close_drop(source);
		return r;
	}
	*ret_source = source;
	return 0;
}

/* ---- running */

static void set_series(struct source_drop *source)
{
	const struct drop_counts *counts = drop_counts(source->drop);
	struct drop_gauges gauges = drop_gauges(source->drop);

	metric_set(source->series.active, gauges.active);
	metric_set(source->series.waiting, (double)gauges.waiting);
	metric_set(source->series.ignored, (double)gauges.ignored);
	metric_set(source->series.stuck, gauges.stuck);
	metric_set(source->series.bytes, (double)counts->bytes_read);
	metric_set(source->series.too_long, (double)counts->lines_too_long);
	metric_set(source->series.changed, (double)counts->changed);
	metric_set(source->series.done, (double)counts->done);
	metric_set(source->series.failed, (double)counts->failed);
	metric_set(source->series.repeated, (double)counts->repeated);
}

static void count_kept(struct source_drop *source, int64_t now_ms)
{
	struct drop_census census[DROP_PLACES];

	if (now_ms < source->count_ms) {
		return;
	}
	int r = drop_folder_count(source->folder, COUNT_ROUND, census);
	if (r == 0) {
		return;
	}
	source->count_ms = now_ms + COUNT_MS;
	for (int place = DROP_PLACE_DONE; r == 1 && place < DROP_PLACES; place++) {
		metric_set(source->series.kept_files[place], (double)census[place].files);
		metric_set(source->series.kept_bytes[place], (double)census[place].bytes);
	}
}

static int poll_drop(void *owner, int64_t now_ms, int64_t wall_ms, int64_t *ret_wait_ms)
{
	struct source_drop *source = owner;

	source->wall_ms = wall_ms;
	int r = drop_poll(source->drop, now_ms, wall_ms, ret_wait_ms);
	count_kept(source, now_ms);
	if (now_ms - source->series_ms >= SERIES_MS) {
		source->series_ms = now_ms;
		set_series(source);
	}
	return r;
}

static void acknowledge(void *owner, uint64_t ticket, const struct submission_result *result)
{
	struct source_drop *source = owner;

	drop_settled(source->drop, ticket, result->outcome == SUBMISSION_TAKEN);
}

static void stop_drop(void *owner)
{
	struct source_drop *source = owner;

	drop_stop(source->drop);
}

static void describe(const void *owner, FILE *out)
{
	const struct source_drop *source = owner;
	const char *name = drop_trouble(source->drop);

	if (name != NULL) {
		fprintf(out, "source %s: %s can't be read on, or its report not written\n",
			source->name, name);
	}
}

const struct source_type source_drop_type = {
	.name = "drop",
	.schema = &drop_config_schema,
	.check = check,
	.open = open_drop,
	.poll = poll_drop,
	.acknowledge = acknowledge,
	.stop = stop_drop,
	.close = close_drop,
	.describe = describe,
};
