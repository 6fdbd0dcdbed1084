#include "cli/plant.h"

#include "cli/http_get.h"
#include "runtime/clock.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	READY_TIMEOUT_MS = 30000,
	STOP_TIMEOUT_MS = 8000,
	HTTP_TIMEOUT_MS = 2000,
	TREE_FDS_MAX = 16,
	CHILD_BROKER = 0,
	CHILD_BRIDGE,
	CHILD_AGGREGATOR,
	CHILD_FIRST_EDGE,
	OPTIONS_MAX = 8,
	OPTION_SIZE = CHILD_PATH_SIZE,
};

static const char *const edge_ids[PLANT_EDGES_MAX] = {"berlin", "hamburg", "leipzig", "bremen",
	"dresden", "essen", "kassel", "mainz", "trier", "ulm", "jena", "bonn", "aachen", "bochum",
	"erfurt", "fulda", "gera", "halle", "kiel", "luebeck", "munich", "rostock", "siegen",
	"worms"};

const char *plant_edge_id(size_t index)
{
	return edge_ids[index];
}

/* "-o TEXT" arguments of a child, built before it is started. */
struct option_list {
	size_t count;
	char texts[OPTIONS_MAX][OPTION_SIZE];
};

__attribute__((format(printf, 2, 3))) static void add_option(
	struct option_list *options, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(options->texts[options->count++], OPTION_SIZE, format, arguments);
	va_end(arguments);
}

static int start(struct plant *plant, const char *program, const char *name,
	const struct option_list *options)
{
	struct child_spec spec = {.program = program, .name = name, .folder = plant->folder};
	struct child *child = &plant->children[plant->child_count];

	for (size_t i = 0; i < options->count; i++) {
		spec.arguments[i * 2] = "-o";
		spec.arguments[i * 2 + 1] = options->texts[i];
	}
	snprintf(child->name, sizeof child->name, "%s", program);
	int r = child_start(&spec, child);
	if (r == 0) {
		plant->child_count++;
		r = child_wait_ready(child, READY_TIMEOUT_MS);
	}
	return r;
}

static int start_broker(struct plant *plant)
{
	struct option_list options = {.count = 0};

	add_option(&options, "devbroker.partitions=%d", PLANT_PARTITIONS);
	return start(plant, "till-devbroker", "", &options);
}

static int start_bridge(struct plant *plant)
{
	struct option_list options = {.count = 0};

	add_option(&options, "bridge.listen=tcp://127.0.0.1:0");
	add_option(&options, "bridge.brokers=%s", plant->children[CHILD_BROKER].bootstrap);
	add_option(&options, "bridge.partitions=%d", PLANT_PARTITIONS);
	add_option(&options, "http.listen=127.0.0.1:0");
	return start(plant, "till-bridge", "", &options);
}

/* Records say who bought what, in a demo too: they are for whoever can read this file. */
static int write_admin_token(const struct plant *plant)
{
	uint64_t random[2];
	char path[CHILD_PATH_SIZE];

	int r = random_bytes(random, sizeof random);
	if (r < 0) {
		return r;
	}
	snprintf(path, sizeof path, "%s/" PLANT_ADMIN_TOKEN, plant->folder);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0) {
		return -errno;
	}
	int size = dprintf(fd, "%016" PRIx64 "%016" PRIx64 "\n", random[0], random[1]);
	return close(fd) < 0 || size < 0 ? -EIO : 0;
}

static int start_aggregator(struct plant *plant)
{
	struct option_list options = {.count = 0};

	add_option(&options, "aggregator.data=%s/totals", plant->folder);
	add_option(&options, "aggregator.brokers=%s", plant->children[CHILD_BROKER].bootstrap);
	add_option(&options, "aggregator.listen=tcp://127.0.0.1:0");
	add_option(&options, "aggregator.publish=tcp://127.0.0.1:0");
	/* Who looks at the console for a minute sees baskets, too. */
	add_option(&options, "aggregator.basket_horizon=10s");
	add_option(&options, "http.listen=127.0.0.1:0");
	add_option(&options, "http.admin_token_file=%s/" PLANT_ADMIN_TOKEN, plant->folder);
	return start(plant, "till-aggregator", "", &options);
}

static int start_edge(struct plant *plant, const char *id)
{
	struct option_list options = {.count = 0};

	add_option(&options, "edge.id=%s", id);
	add_option(&options, "edge.data=%s/edge-%s", plant->folder, id);
	add_option(&options, "edge.listen=tcp://127.0.0.1:0");
	add_option(&options, "edge.bridges=%s", plant->children[CHILD_BRIDGE].listen);
	add_option(&options, "http.listen=127.0.0.1:0");
	return start(plant, "till-edge", id, &options);
}

static int make_folder(struct plant *plant, const char *folder)
{
	const char *place = getenv("TMPDIR");

	plant->keeps_folder = folder != NULL;
	if (folder != NULL) {
		snprintf(plant->folder, sizeof plant->folder, "%s", folder);
		return mkdir(folder, 0755) == 0 || errno == EEXIST ? 0 : -errno;
	}
	snprintf(plant->folder, sizeof plant->folder, "%s/till-demo-XXXXXX",
		place != NULL ? place : "/tmp");
	if (mkdtemp(plant->folder) == NULL) {
		plant->folder[0] = '\0';
		return -errno;
	}
	return 0;
}

static void say_failed(const struct plant *plant, const char *command, int r)
{
	const struct child *child =
		&plant->children[plant->child_count > 0 ? plant->child_count - 1 : 0];

	if (r == -EINTR) {
		return;
	}
	if (r == -ENOENT) {
		child = &plant->children[plant->child_count];
		say(command, "no program %s beside this one, in libexec/till or on PATH",
			child->name);
		return;
	}
	say(command, "%s did not start: %s", child->name, r == -ECHILD ? "it ended" : strerror(-r));
	child_show_log(child);
}

int plant_start(struct plant *plant, const char *command, const char *folder, size_t edges)
{
	sigset_t signals;

	*plant = (struct plant){.edge_count = edges};
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals,
		NULL); /* child_wait_ready looks for them; the loop takes them later */
	int r = make_folder(plant, folder);
	r = r == 0 ? write_admin_token(plant) : r;
	if (r < 0) {
		say(command, "%s: %s", folder != NULL ? folder : "a temporary folder",
			strerror(-r));
		return r;
	}
	r = start_broker(plant);
	r = r == 0 ? start_bridge(plant) : r;
	r = r == 0 ? start_aggregator(plant) : r;
	for (size_t i = 0; r == 0 && i < edges; i++) {
		r = start_edge(plant, edge_ids[i]);
	}
	if (r < 0) {
		say_failed(plant, command, r);
	}
	return r;
}

static int remove_entry(const char *path, const struct stat *stat, int type, struct FTW *walk)
{
	(void)stat;
	(void)type;
	(void)walk;
	return remove(path);
}

/* Those that feed are stopped first, so that nobody complains of a peer that is gone. */
void plant_stop(struct plant *plant)
{
	if (plant->child_count > CHILD_FIRST_EDGE) {
		child_stop_all(plant->children + CHILD_FIRST_EDGE,
			plant->child_count - CHILD_FIRST_EDGE, STOP_TIMEOUT_MS);
		plant->child_count = CHILD_FIRST_EDGE;
	}
	child_stop_all(plant->children, plant->child_count, STOP_TIMEOUT_MS);
	plant->child_count = 0;
	if (!plant->keeps_folder && plant->folder[0] != '\0') {
		(void)nftw(plant->folder, remove_entry, TREE_FDS_MAX, FTW_DEPTH | FTW_PHYS);
		plant->folder[0] = '\0';
	}
}

const struct child *plant_broker(const struct plant *plant)
{
	return &plant->children[CHILD_BROKER];
}

const struct child *plant_aggregator(const struct plant *plant)
{
	return &plant->children[CHILD_AGGREGATOR];
}

const struct child *plant_edge(const struct plant *plant, size_t index)
{
	return &plant->children[CHILD_FIRST_EDGE + index];
}

const struct child *plant_find_ended(struct plant *plant)
{
	for (size_t i = 0; i < plant->child_count; i++) {
		if (!child_is_running(&plant->children[i])) {
			return &plant->children[i];
		}
	}
	return NULL;
}

/* The sum over the series of a family in Prometheus' text. */
static double sum_metric(const char *text, const char *name)
{
	size_t size = strlen(name);
	double sum = 0;

	for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, name, size) == 0 && (line[size] == '{' || line[size] == ' ')) {
			const char *end = line + strcspn(line, "\n");
			while (end > line && end[-1] != ' ') {
				end--;
			}
			sum += strtod(end, NULL);
		}
	}
	return sum;
}

int64_t plant_unsent_events(const struct plant *plant)
{
	static struct http_answer answer; /* large */
	double sum = 0;

	for (size_t i = 0; i < plant->edge_count; i++) {
		int r = http_get(plant_edge(plant, i)->http, "/metrics", HTTP_TIMEOUT_MS, &answer);
		if (r < 0 || answer.status != 200) {
			return -1;
		}
		sum += sum_metric(answer.body, "till_edge_spool_events");
	}
	return (int64_t)sum;
}
