#include "runtime/security.h"
#include "runtime/audit_log.h"
#include "runtime/clock.h"
#include "runtime/key_file.h"
#include "runtime/log.h"
#include "runtime/loop.h"
#include "runtime/metrics.h"
#include "runtime/zap.h"
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum {
	REQUESTS_PER_ROUND = 64, /* handshakes; then those who are in get their turn */
	LOOK_MS = 1000, /* how long a removed key works on */
	LOOK_SHARE =
		20, /* a look at a large directory takes at most so much of the loop's time: 1 in 20 */
	QUOTED_SIZE = 256,
};

/* One socket that is guarded, and its books. */
struct guarded {
	const char *name;
	struct metric *accepted, *unknown, *malformed, *forbidden;
};

struct security {
	struct security_options options;
	struct curve_pair own;
	bool has_own;
	struct curve_key peers[SECURITY_PEERS_MAX];
	size_t peer_key_count; /* 0: peers are dialled without keys; 1: all have the same */
	struct keyring *keyring; /* NULL: sockets are not guarded */
	struct socket *handler;
	struct message request;
	struct guarded guarded[SECURITY_SOCKETS_MAX];
	size_t guarded_count;
	struct metric *keys, *bad_files, *changes;
	bool is_taken; /* a look found that somebody lost a key, or rights */
	int64_t look_ms; /* when the directory is looked at next */
};

bool security_has(const char *setting)
{
	return setting != NULL && setting[0] != '\0';
}

/* ---- what is configured */

static size_t count_items(const char *list)
{
	char item[PATH_MAX];
	size_t count = 0;

	while (security_has(list) && config_list_next(&list, item, sizeof item)) {
		count++;
	}
	return count;
}

static int read_peer_keys(struct security *security, struct config_error *error)
{
	const char *cursor = security->options.peer_keys;
	size_t count = count_items(cursor);
	size_t peer_count = count_items(security->options.peers);
	char path[PATH_MAX];
	int r = 0;

	if (count > SECURITY_PEERS_MAX || (count > 1 && count != peer_count)) {
		return config_fail(error,
			"[security] bridge_keys: %zu files for %zu bridges; one for all of them, "
			"or one each in the order of [edge] bridges",
			count, peer_count);
	}
	while (r == 0 && count > 0 && config_list_next(&cursor, path, sizeof path)) {
		r = key_file_read_public(path, &security->peers[security->peer_key_count++], error);
	}
	return r;
}

static int check_settings(const struct security_options *options, struct config_error *error)
{
	bool wants_own = security_has(options->authorized) || security_has(options->peer_keys);

	if (wants_own && !security_has(options->key_file)) {
		return config_fail(error,
			"[security] key_file is missing: the other keys are of no use without our "
			"own; \"till keygen\" makes one");
	}
	if (!wants_own && security_has(options->key_file)) {
		return config_fail(error,
			"[security] key_file alone lets nobody in and asks nobody for a key: "
			"%s is missing",
			options->peers != NULL ? "authorized or bridge_keys" : "authorized");
	}
	return 0;
}

static int read_all(struct security *security, struct config_error *error)
{
	const struct security_options *options = &security->options;

	int r = check_settings(options, error);
	if (r == 0 && security_has(options->key_file)) {
		r = key_file_read_pair(options->key_file, &security->own, error);
		security->has_own = r == 0;
	}
	if (r == 0) {
		r = read_peer_keys(security, error);
	}
	if (r == 0 && security_has(options->authorized)) {
		r = keyring_open(options->authorized, &security->keyring, error);
	}
	return r;
}

int security_check(const struct security_options *options, struct config_error *error)
{
	struct security *security = calloc(1, sizeof *security);
	if (security == NULL) {
		config_fail(error, "out of memory");
		return -ENOMEM;
	}
	security->options = *options;
	int r = read_all(security, error);
	security_free(security);
	return r;
}

/* ---- the ZAP handler */

static struct guarded *guarded_named(struct security *security, const char *name)
{
	for (size_t i = 0; i < security->guarded_count; i++) {
		if (strcmp(security->guarded[i].name, name) == 0) {
			return &security->guarded[i];
		}
	}
	return NULL;
}

static void refuse_key(const struct zap_request *request, struct guarded *guarded)
{
	char key[QUOTED_SIZE];
	char address[QUOTED_SIZE];

	metric_add(request->is_curve ? guarded->unknown : guarded->malformed, 1);
	log_line(LOG_WARNING, "a key that is not authorized was refused",
		"socket=%s address=%s key=%s", guarded->name,
		log_quote(request->address, strlen(request->address), address, sizeof address),
		log_quote(request->key.text, strlen(request->key.text), key, sizeof key));
}

/* May a known key come to this socket? */
static bool is_admitted(
	const struct security *security, const struct guarded *guarded, const char *key)
{
	const struct security_options *options = &security->options;
	const struct key_holder *holder = keyring_find(security->keyring, key);

	return options->admits == NULL || options->admits(options->owner, guarded->name, holder);
}

static int answer(struct security *security)
{
	struct iovec frames[ZAP_REPLY_FRAMES];
	struct zap_request request;

	if (!zap_read(&security->request, &request)) {
		return 0;
	}
	struct guarded *guarded = guarded_named(security, request.socket);
	bool is_known = guarded != NULL && request.is_curve &&
			keyring_find(security->keyring, request.key.text) != NULL;
	bool is_let_in = is_known && is_admitted(security, guarded, request.key.text);
	if (is_let_in) {
		metric_add(guarded->accepted, 1);
	} else if (is_known) {
		security_forbidden(security, guarded->name, request.key.text, "connect");
	} else if (guarded != NULL) {
		refuse_key(&request, guarded);
	}
	zap_reply(&security->request, &request, is_let_in, frames);
	int r = socket_send(security->handler, frames, ZAP_REPLY_FRAMES);
	return r < 0 ? r : 0; /* > 0: that connection is gone */
}

static int on_request(void *owner)
{
	struct security *security = owner;
	int r = 0;

	for (int i = 0; r == 0 && i < REQUESTS_PER_ROUND; i++) {
		r = socket_receive(security->handler, &security->request);
		if (r == 0) {
			r = answer(security);
		} else if (r == SOCKET_E_TOO_MANY_FRAMES) {
			r = 0;
		}
	}
	return r < 0 ? r : 0;
}

/* ---- the directory */

/* Who wrote into the directory is not known; the change is in force whether it can be written down or not, for else a key that
 * was taken away would work on. */
static void write_down(const struct security *security, const char *action, const char *arguments,
	const char *result)
{
	const struct audit_entry entry = {.program = security->options.program,
		.who = "authorized",
		.action = action,
		.arguments = arguments};

	if (security_has(security->options.audit_file)) { /* else the log has it already */
		audit_end(security->options.audit_file, &entry, result);
	}
}

static void tell_change(const struct security *security, const char *message, const char *action,
	const struct key_holder *holder)
{
	char name[QUOTED_SIZE];
	char key[QUOTED_SIZE];
	char arguments[KEY_NAME_SIZE + QUOTED_SIZE];

	log_line(LOG_INFO, message, "name=%s key=%s",
		log_quote(holder->name, strlen(holder->name), name, sizeof name),
		log_quote(holder->key.text, strlen(holder->key.text), key, sizeof key));
	snprintf(arguments, sizeof arguments, "%s %s", holder->name, holder->key.text);
	write_down(security, action, arguments, "done");
}

static void on_added(void *owner, const struct key_holder *holder)
{
	tell_change(owner, "a key was added", "key-added", holder);
}

static void on_changed(void *owner, const struct key_holder *holder)
{
	struct security *security = owner;

	security->is_taken = true;
	tell_change(owner, "a key's rights were changed", "key-changed", holder);
}

static void on_removed(void *owner, const struct key_holder *holder)
{
	struct security *security = owner;

	security->is_taken = true;
	tell_change(owner, "a key was removed", "key-removed", holder);
}

static void on_ignored(void *owner, const char *why, bool is_old_kept)
{
	char quoted[1024];

	log_line(LOG_ERROR, "a file of keys is not followed", "why=%s in_force=%s",
		log_quote(why, strlen(why), quoted, sizeof quoted),
		is_old_kept ? "what_it_said_before" : "nothing");
	write_down(owner, "key-ignored", why,
		is_old_kept ? "refused: what it said before is in force"
			    : "refused: nobody gets in by it");
}

static int look(struct security *security, bool all_files)
{
	const struct keyring_listener listener = {
		security, on_added, on_changed, on_removed, on_ignored};

	security->is_taken = false;
	int r = keyring_refresh(security->keyring, all_files, &listener);
	metric_set(security->bad_files, (double)keyring_bad_count(security->keyring));
	if (r == KEYRING_E_CHANGED) {
		metric_add(security->changes, 1);
		metric_set(security->keys, (double)keyring_count(security->keyring));
		if (security->options.changed != NULL) {
			security->options.changed(security->options.owner);
		}
		if (security->is_taken && security->options.taken != NULL) {
			security->options.taken(security->options.owner);
		}
	}
	return r < 0 ? r : 0;
}

static int on_tick(void *owner, int64_t now_ms, int64_t *ret_wait_ms)
{
	struct security *security = owner;
	int r = 0;

	if (now_ms >= security->look_ms) {
		int64_t start_us = clock_monotonic_us();
		r = look(security, false);
		int64_t took_ms = (clock_monotonic_us() - start_us) / 1000;
		security->look_ms =
			now_ms + (LOOK_SHARE * took_ms > LOOK_MS ? LOOK_SHARE * took_ms : LOOK_MS);
	}
	*ret_wait_ms = security->look_ms - now_ms;
	return r;
}

static int on_hangup(void *owner)
{
	struct security *security = owner;

	log_line(LOG_INFO, "asked to look at the keys", "authorized=\"%s\"",
		security->options.authorized);
	return look(security, true);
}

/* ---- making */

static int add_metrics(struct security *security)
{
	struct metrics *metrics = security->options.metrics;

	security->keys = metrics_add(
		metrics, METRIC_GAUGE, "till_keys_authorized", "", "public keys that are let in");
	security->bad_files = metrics_add(metrics, METRIC_GAUGE, "till_key_files_bad", "",
		"files of keys that are not followed: what they said before is in force");
	security->changes = metrics_add(metrics, METRIC_COUNTER, "till_key_changes_total", "",
		"looks at the directory of keys that found a change");
	if (security->changes == NULL) {
		return -ENOMEM;
	}
	metric_set(security->keys, (double)keyring_count(security->keyring));
	return 0;
}

static int open_handler(struct security *security)
{
	const struct security_options *options = &security->options;

	int r = socket_new(options->context, SOCKET_ROUTER, NULL, &security->handler);
	if (r == 0) {
		r = socket_bind(security->handler, "inproc://zeromq.zap.01", NULL);
	}
	if (r == 0) {
		r = loop_add_socket(options->loop, security->handler, on_request, security);
	}
	if (r == 0) {
		r = loop_add_tick(options->loop, on_tick, security);
	}
	if (r == 0) {
		loop_on_hangup(options->loop, on_hangup, security);
	}
	return r;
}

int security_new(const struct security_options *options, struct security **ret_security,
	struct config_error *error)
{
	struct security *security = calloc(1, sizeof *security);
	if (security == NULL) {
		return -ENOMEM;
	}
	security->options = *options;
	int r = read_all(security, error);
	if (r == 0 && security->keyring != NULL) {
		r = add_metrics(security);
	}
	if (r == 0 && security->keyring != NULL) {
		r = open_handler(security);
	}
	if (r < 0) {
		security_free(security);
		return r;
	}
	*ret_security = security;
	return 0;
}

struct security *security_free(struct security *security)
{
	if (security == NULL) {
		return NULL;
	}
	if (security->handler != NULL) {
		loop_on_hangup(security->options.loop, NULL, NULL);
		loop_remove_tick(security->options.loop, on_tick, security);
		loop_remove_socket(security->options.loop, security->handler);
	}
	message_clear(&security->request);
	socket_free(security->handler);
	keyring_free(security->keyring);
	curve_pair_forget(&security->own);
	free(security);
	return NULL;
}

/* ---- sockets */

static struct metric *add_result(struct security *security, const char *socket, const char *result)
{
	char labels[128];

	snprintf(labels, sizeof labels, "socket=\"%s\",result=\"%s\"", socket, result);
	return metrics_add(security->options.metrics, METRIC_COUNTER, "till_key_handshakes_total",
		labels, "peers that showed a key, by what became of them");
}

static void open_books(struct security *security, const char *socket)
{
	char labels[64];

	assert(security->guarded_count < SECURITY_SOCKETS_MAX);
	struct guarded *guarded = &security->guarded[security->guarded_count++];
	snprintf(labels, sizeof labels, "socket=\"%s\"", socket);
	*guarded = (struct guarded){
		.name = socket,
		.accepted = add_result(security, socket, "accepted"),
		.unknown = add_result(security, socket, "unknown_key"),
		.malformed = add_result(security, socket, "malformed"),
		.forbidden = metrics_add(security->options.metrics, METRIC_COUNTER,
			"till_key_forbidden_total", labels,
			"messages of known keys that asked for what they may not have"),
	};
}

void security_guard(struct security *security, const char *socket, struct socket_options *options)
{
	if (security == NULL || security->keyring == NULL) {
		return;
	}
	open_books(security, socket);
	options->curve_secret_key = security->own.secret_key.text;
	options->curve_domain = socket;
}

void security_dial(const struct security *security, size_t peer, struct socket_options *options)
{
	if (security == NULL || security->peer_key_count == 0) {
		return;
	}
	const struct curve_key *key = &security->peers[peer < security->peer_key_count ? peer : 0];
	options->curve_secret_key = security->own.secret_key.text;
	options->curve_public_key = security->own.public_key.text;
	options->curve_server_key = key->text;
}

const struct keyring *security_keyring(const struct security *security)
{
	return security != NULL ? security->keyring : NULL;
}

void security_forbidden(
	struct security *security, const char *socket, const char *user_id, const char *wish)
{
	char key[QUOTED_SIZE];
	char name[QUOTED_SIZE];

	struct guarded *guarded = security != NULL ? guarded_named(security, socket) : NULL;
	if (guarded == NULL) {
		return;
	}
	const struct key_holder *holder = keyring_find(security->keyring, user_id);
	const char *known = holder != NULL ? holder->name : "";
	metric_add(guarded->forbidden, 1);
	log_line(LOG_WARNING, "a key asked for what it may not have",
		"socket=%s wish=%s name=%s key=%s", socket, wish,
		log_quote(known, strlen(known), name, sizeof name),
		log_quote(user_id, strlen(user_id), key, sizeof key));
}
