#include "aggregator/web/web.h"
#include "aggregator/desk/queries.h"
#include "aggregator/web/console.h"
#include "aggregator/web/watchers.h"
#include "aggregator/web/web_metrics.h"
#include "runtime/clock.h"
#include "runtime/loop.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/resource.h>

enum {
	/* Of those that ask: each may hold 32 KiB beside its body. Scrapers and probes have theirs. */
	CONNECTIONS_MAX = 128,
	REQUEST_MS_MAX = 10000,
	BODIES_SIZE_MAX = CONNECTIONS_MAX * QUERY_SIZE_MAX,
	HEADERS_MAX = 12,
	RETRY_AFTER_S = 1, /* of what is not ready */
	REFUSAL_SIZE_MAX = 4096,
	DATA_ROUTES = 3,
	/* libzmq ends the program when it finds no file descriptor for a socket: clients may have half of them, less these. */
	DESCRIPTORS_SPARED = 64,
};

struct web {
	struct web_options options;
	struct query_front front;
	struct http_route *routes; /* owned */
	struct http_site site;
	struct web_metrics *metrics;
	struct standing *standing;
	struct watchers *watchers;
};

/* ---- headers */

/* Nothing from elsewhere, nothing inline, no frames. Stylesheets and scripts are files of ours; charts are drawn. */
static const struct http_header always[] = {
	{"Content-Security-Policy",
		"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
		"connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; "
		"frame-ancestors 'none'"},
	{"X-Content-Type-Options", "nosniff"},
	{"Referrer-Policy", "no-referrer"},
	{"Cross-Origin-Resource-Policy", "same-origin"},
	{"Cross-Origin-Opener-Policy", "same-origin"},
};

struct headers {
	struct http_header items[HEADERS_MAX];
	size_t count;
};

static void add_header(struct headers *headers, const char *name, const char *value)
{
	assert(headers->count < HEADERS_MAX);
	headers->items[headers->count++] = (struct http_header){name, value};
}

static struct headers begin_headers(void)
{
	struct headers headers = {.count = 0};

	for (size_t i = 0; i < sizeof always / sizeof always[0]; i++) {
		headers.items[headers.count++] = always[i];
	}
	return headers;
}

static void respond(
	struct http_request *request, struct http_response response, const struct headers *headers)
{
	response.headers = headers->items;
	response.header_count = headers->count;
	http_request_answer(request, &response);
}

/* ---- refusing */

static void refuse(struct http_request *request, const struct web_refusal *refusal)
{
	struct headers headers = begin_headers();
	struct complaint complaint;
	struct buffer body;

	buffer_init(&body, REFUSAL_SIZE_MAX);
	complaint_set(&complaint, refusal->reason, "", "%s", refusal->words);
	query_encode_error(&complaint, ENCODING_JSON, &body);
	if (refusal->wants_token) {
		add_header(&headers, "WWW-Authenticate", "Bearer");
	}
	if (refusal->status == 429 || refusal->status == 503) {
		add_header(&headers, "Retry-After", "1");
	}
	respond(request,
		(struct http_response){
			.status = refusal->status,
			.type = "application/json",
			.body = body.bytes,
			.body_size = body.error == 0 ? body.size : 0,
		},
		&headers);
	buffer_deinit(&body);
}

static enum reason reason_of_status(unsigned status)
{
	switch (status) {
	case 408:
		return REASON_TIMEOUT;
	case 413:
		return REASON_TOO_LARGE;
	case 500:
		return REASON_INTERNAL;
	case 503:
		return REASON_NOT_READY;
	default:
		return REASON_BAD_REQUEST;
	}
}

/* What the server refuses by itself. */
static void write_refusal(void *owner, unsigned status, const char *words, FILE *out)
{
	struct complaint complaint;
	struct buffer body;
	(void)owner;

	buffer_init(&body, REFUSAL_SIZE_MAX);
	complaint_set(&complaint, reason_of_status(status), "", "%s", words);
	query_encode_error(&complaint, ENCODING_JSON, &body);
	if (body.error == 0) {
		fwrite(body.bytes, 1, body.size, out);
	}
	buffer_deinit(&body);
}

/* ---- who asks */

static struct web_said said_by(const struct http_request *request)
{
	return (struct web_said){
		.host = http_request_header(request, "Host"),
		.origin = http_request_header(request, "Origin"),
		.site = http_request_header(request, "Sec-Fetch-Site"),
		.authorization = http_request_header(request, "Authorization"),
	};
}

/* NULL: it was refused. */
static const struct key_holder *admit(const struct web *web, struct http_request *request)
{
	const struct web_access *access = web->options.access;
	const struct web_said said = said_by(request);
	const struct key_holder *holder = NULL;
	struct web_refusal refusal;

	if (web_knows_host(access, &said, &refusal)) {
		holder = web_holder(access, &said, &refusal);
	}
	if (holder == NULL) {
		refuse(request, &refusal);
	}
	return holder;
}

static void on_admit(void *owner, struct http_request *request)
{
	(void)admit(owner, request);
}

/* ---- queries */

static const char *type_of(enum encoding encoding)
{
	return encoding == ENCODING_JSON ? "application/json" : "application/msgpack";
}

static bool type_is(const char *type, const char *name)
{
	size_t size = strlen(name);

	return type != NULL && strncasecmp(type, name, size) == 0 &&
	       (type[size] == '\0' || type[size] == ';' || type[size] == ' ');
}

/* A form of another's page can't say these. */
static bool is_typed(const struct http_request *request, enum encoding encoding)
{
	return type_is(http_request_header(request, "Content-Type"), type_of(encoding));
}

static int on_reply(void *owner, struct slice address, const struct query_reply *reply)
{
	struct headers headers = begin_headers();
	struct http_request *request;
	char seconds[24];
	unsigned status = web_status_of(reply->reason);
	(void)owner;

	memcpy(&request, address.bytes, sizeof request);
	if (status == 429 || status == 503) {
		uint64_t wait_s = (reply->retry_after_ms + 999) / 1000;
		snprintf(seconds, sizeof seconds, "%llu",
			(unsigned long long)(wait_s > 0 ? wait_s : RETRY_AFTER_S));
		add_header(&headers, "Retry-After", seconds);
	}
	respond(request,
		(struct http_response){
			.status = status,
			.type = type_of(reply->encoding),
			.body = reply->bytes.bytes,
			.body_size = reply->bytes.size,
		},
		&headers);
	return 0;
}

static void ask(struct web *web, struct http_request *request, const struct key_holder *holder,
	struct slice query)
{
	const struct asker asker = {
		.user_id = "",
		.holder = holder,
		.peer = peer_name_of_address(http_request_peer(request)),
	};
	const struct asked asked = {
		.front = &web->front,
		.asker = &asker,
		.address = slice_of(&request, sizeof request),
		.request = query,
	};
	int r = queries_take(web->options.queries, &asked, loop_now_ms(web->options.loop));
	if (r < 0) { /* without memory for the words of a refusal */
		refuse(request,
			&(struct web_refusal){
				.status = 500, .reason = REASON_INTERNAL, .words = strerror(-r)});
	}
}

static void on_query(void *owner, struct http_request *request)
{
	static const struct web_refusal untyped = {.status = 415,
		.reason = REASON_BAD_REQUEST,
		.words = "Content-Type is application/json or application/msgpack, as the body is"};
	struct web *web = owner;
	const struct key_holder *holder = admit(web, request);
	struct slice body;

	if (holder == NULL) {
		return; /* and the request is answered: it is no more */
	}
	body.bytes = http_request_body(request, &body.size);
	if (!is_typed(request, encoding_of(body))) {
		refuse(request, &untyped);
	} else {
		ask(web, request, holder, body);
	}
}

static void on_views(void *owner, struct http_request *request)
{
	struct web *web = owner;
	const struct key_holder *holder = admit(web, request);

	if (holder != NULL) {
		ask(web, request, holder, slice_of_text("{\"query\":\"views\"}"));
	}
}

/* ---- events */

/* NULL: all of them are fit to be asked. */
static const struct web_refusal *judge_watch(const char *const *queries, size_t count)
{
	static const struct web_refusal too_many = {
		400, REASON_BAD_REQUEST, "at most 32 queries at once: q=…&q=…", false};
	static const struct web_refusal no_json = {400, REASON_BAD_REQUEST,
		"each q is a query as JSON, like the body of /query", false};

	if (count > WATCHED_MAX) {
		return &too_many;
	}
	for (size_t i = 0; i < count; i++) {
		if (encoding_of(slice_of_text(queries[i])) != ENCODING_JSON) {
			return &no_json;
		}
	}
	return NULL;
}

static const struct web_refusal *refusal_of_watch(int r)
{
	static const struct web_refusal full = {503, REASON_BUSY,
		"as many look at live answers as may at once ([http] live_clients)", false};
	static const struct web_refusal queries = {503, REASON_BUSY,
		"as many different queries are looked at live as may be at once", false};
	static const struct web_refusal memory = {500, REASON_INTERNAL, "out of memory", false};

	return r == WATCHERS_E_FULL ? &full : r == WATCHERS_E_QUERIES ? &queries : &memory;
}

/* Each query that is looked at is one that is asked. */
static int64_t charge_watch(struct web *web, const struct http_request *request, size_t count)
{
	const struct asker asker = {.peer = peer_name_of_address(http_request_peer(request))};
	int64_t now_ms = loop_now_ms(web->options.loop), wait_ms = 0;

	for (size_t i = 0; i < count && wait_ms == 0; i++) {
		wait_ms = queries_charge(web->options.queries, &asker, now_ms);
	}
	return wait_ms;
}

static void begin_watch(struct web *web, struct http_request *request, const struct watch *watch)
{
	static const struct web_refusal busy = {429, REASON_BUSY,
		"you ask for more than you may in a second; ask again later", false};
	int64_t now_ms = loop_now_ms(web->options.loop);

	if (charge_watch(web, request, watch->count) > 0) {
		refuse(request, &busy);
		return;
	}
	int r = watchers_add(web->watchers, request, watch, now_ms);
	if (r != 0) {
		web_metrics_add_refused_watch(web->metrics);
		refuse(request, refusal_of_watch(r));
	} else {
		loop_wake(web->options.loop);
	}
}

static void on_events(void *owner, struct http_request *request)
{
	struct web *web = owner;
	const struct key_holder *holder = admit(web, request);
	const char *queries[WATCHED_MAX];
	struct headers headers = begin_headers();

	if (holder == NULL) {
		return;
	}
	size_t count = http_request_arguments(request, "q", queries, WATCHED_MAX);
	const struct web_refusal *refusal = judge_watch(queries, count);
	if (refusal != NULL) {
		refuse(request, refusal);
	} else if (strcmp(http_request_method(request), "GET") !=
		   0) { /* HEAD: it would never end */
		respond(request, (struct http_response){.status = 200, .type = "text/event-stream"},
			&headers);
	} else {
		add_header(&headers, "X-Accel-Buffering", "no"); /* nginx would keep them */
		begin_watch(web, request,
			&(struct watch){holder, queries, count, headers.items, headers.count});
	}
}

static int ask_standing(void *owner, const struct key_holder *holder, struct slice query,
	struct query_reply *ret_reply)
{
	const struct web *web = owner;
	const struct asker asker = {.user_id = "", .holder = holder};

	return queries_ask(web->options.queries, &asker, query, ret_reply);
}

static int64_t now_us(void *owner)
{
	(void)owner;
	return clock_monotonic_us();
}

static int64_t spent_us(void *owner)
{
	(void)owner;
	return clock_thread_us();
}

static int tick(void *owner, int64_t now_ms, int64_t *ret_wait_ms)
{
	struct web *web = owner;
	bool has_changed = false;

	int r = standing_turn(web->standing, &has_changed, ret_wait_ms);
	return r == 0 ? watchers_turn(web->watchers, has_changed, now_ms, ret_wait_ms) : r;
}

void web_moved(struct web *web)
{
	if (web != NULL) {
		standing_moved(web->standing);
	}
}

/* ---- the console's files */

static const struct console_asset *find_asset(const char *path)
{
	for (size_t i = 0; i < console_asset_count; i++) {
		if (strcmp(console_assets[i].path, path) == 0) {
			return &console_assets[i];
		}
	}
	return NULL;
}

/* As browsers say it; a client that says it with q=0 is no browser. */
static bool takes_gzip(const char *accepted)
{
	return accepted != NULL && strstr(accepted, "gzip") != NULL;
}

static bool is_known(const char *if_none_match, const char *etag)
{
	return if_none_match != NULL && strstr(if_none_match, etag) != NULL;
}

static void on_asset(void *owner, struct http_request *request)
{
	struct web *web = owner;
	const struct console_asset *asset = find_asset(http_request_path(request));
	const struct web_said said = said_by(request);
	bool packs = takes_gzip(http_request_header(request, "Accept-Encoding"));
	struct headers headers = begin_headers();
	struct web_refusal refusal;

	assert(asset != NULL); /* each has a route */
	if (!web_knows_host(web->options.access, &said, &refusal)) {
		refuse(request, &refusal);
		return;
	}
	const struct console_content *content = packs ? &asset->gzip : &asset->plain;
	bool has_it = is_known(http_request_header(request, "If-None-Match"), content->etag);
	add_header(&headers, "Cache-Control", "no-cache");
	add_header(&headers, "ETag", content->etag);
	add_header(&headers, "Vary", "Accept-Encoding");
	if (packs && !has_it) {
		add_header(&headers, "Content-Encoding", "gzip");
	}
	respond(request,
		(struct http_response){
			.status = has_it ? 304 : 200,
			.type = asset->type,
			.body = has_it ? NULL : content->bytes,
			.body_size = has_it ? 0 : content->size,
		},
		&headers);
}

/* ---- making */

static void on_answered(void *owner, const struct http_exchange *exchange)
{
	const struct web *web = owner;

	web_metrics_add(
		web->metrics, exchange->path, find_asset(exchange->path) != NULL, exchange->status);
}

/* Where there are fewer descriptors, fewer may look. */
static unsigned limit_connections(size_t *watchers_max)
{
	struct rlimit limit;
	size_t room = SIZE_MAX;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
		room = (size_t)limit.rlim_cur / 2;
		room = room > 2 * DESCRIPTORS_SPARED ? room - DESCRIPTORS_SPARED
						     : DESCRIPTORS_SPARED;
	}
	if (room < CONNECTIONS_MAX + *watchers_max) {
		*watchers_max = *watchers_max < room / 2 ? *watchers_max : room / 2;
		return (unsigned)room;
	}
	return (unsigned)(CONNECTIONS_MAX + *watchers_max);
}

static void collect(void *owner)
{
	const struct web *web = owner;
	const struct standing_counts standing = standing_counts(web->standing);
	const struct watchers_counts watchers = watchers_counts(web->watchers);

	web_metrics_set(web->metrics, &standing, &watchers);
}

static int make_events(struct web *web)
{
	const struct standing_options standing = {
		.ask = ask_standing, .now_us = now_us, .spent_us = spent_us, .owner = web};
	int r = standing_new(&standing, &web->standing);
	const struct watchers_options watchers = {
		.standing = web->standing,
		.watchers_max = web->options.watchers_max,
		.write_alive = web->options.write_alive,
		.owner = web->options.owner,
	};
	if (r == 0) {
		r = watchers_new(&watchers, &web->watchers);
	}
	return r == 0 ? loop_add_tick(web->options.loop, tick, web) : r;
}

static int make_routes(struct web *web)
{
	unsigned connections_max = limit_connections(&web->options.watchers_max);
	struct http_route *routes = calloc(DATA_ROUTES + console_asset_count, sizeof *routes);
	if (routes == NULL) {
		return -ENOMEM;
	}
	web->routes = routes;
	routes[0] = (struct http_route){.method = "POST",
		.path = "/query",
		.body_max = QUERY_SIZE_MAX,
		.admit = on_admit,
		.handle = on_query,
		.owner = web};
	routes[1] = (struct http_route){
		.method = "GET", .path = "/views", .handle = on_views, .owner = web};
	routes[2] = (struct http_route){
		.method = "GET", .path = "/events", .handle = on_events, .owner = web};
	for (size_t i = 0; i < console_asset_count; i++) {
		const char *path = console_assets[i].path;
		routes[DATA_ROUTES + i] = (struct http_route){.method = "GET",
			.path = path,
			.handle = on_asset,
			.owner = web,
			.is_unlisted = strcmp(path, "/") != 0};
	}
	web->site = (struct http_site){
		.routes = routes,
		.route_count = DATA_ROUTES + console_asset_count,
		.tls = web->options.tls,
		.connections_max = connections_max,
		.connections_per_address_max = connections_max / 2,
		.request_ms_max = REQUEST_MS_MAX,
		.bodies_size_max = BODIES_SIZE_MAX,
		.refusal_type = "application/json",
		.write_refusal = write_refusal,
		.answered = on_answered,
		.owner = web,
	};
	return 0;
}

int web_new(const struct web_options *options, struct web **ret_web)
{
	struct web *web = calloc(1, sizeof *web);
	if (web == NULL) {
		return -ENOMEM;
	}
	web->options = *options;
	web->front = (struct query_front){on_reply, web};
	int r = make_routes(web);
	if (r == 0) {
		r = make_events(web);
	}
	if (r == 0) {
		r = web_metrics_new(options->metrics, collect, web, &web->metrics);
	}
	if (r < 0) {
		web_free(web);
		return r;
	}
	*ret_web = web;
	return 0;
}

struct web *web_free(struct web *web)
{
	if (web == NULL) {
		return NULL;
	}
	loop_remove_tick(web->options.loop, tick, web);
	web_metrics_free(web->metrics);
	watchers_free(web->watchers);
	standing_free(web->standing);
	free(web->routes);
	free(web);
	return NULL;
}

const struct http_site *web_site(const struct web *web)
{
	return &web->site;
}
