/* sources.h - all sources of one edge: the table of their types, what is configured, and those that run. One thread. */
#pragma once
#include "edge/source.h"
#include "runtime/program.h"
#include <stdio.h>

struct desk;
struct sources;

enum {
	/* Each may hold some MiB; and the desk's ports are few. */
	SOURCES_DECLARED_MAX = 32,
	SOURCE_NAME_SIZE = 40 + 1, /* as names of sections are limited */
};

/* ---- what is configured: sections [source.NAME], each beginning with `type` */

struct source_declaration {
	char name[SOURCE_NAME_SIZE];
	const struct source_type *type; /* NULL: not said yet */
	void *config; /* owned; what the type's schema fills */
};
struct source_declarations {
	struct source_declaration of[SOURCES_DECLARED_MAX];
	size_t count;
};

/* For config_section: 0 or -EINVAL with the error set. */
int source_declare(struct source_declarations *declarations, const char *section, const char *key,
	const char *value, struct config_error *error);
/* For config_section: was this key's value, as it stands in the section, a secret? */
bool source_declared_is_secret(
	const struct source_declarations *declarations, const char *section, const char *key);
/* All is read: what is required is there, and each type's own check. */
int source_declarations_check(
	struct source_declarations *declarations, bool insecure, struct config_error *error);
void source_declarations_print(const struct source_declarations *declarations, FILE *out);
void source_declarations_deinit(struct source_declarations *declarations);
/* The keys of every type, for --help. */
void source_types_print_help(FILE *out);

/* ---- those that run */

struct sources_options {
	const char *edge;
	struct desk *desk; /* all borrowed */
	struct loop *loop;
	struct context *context;
	struct metrics *metrics;
	struct security *security; /* may be NULL */
};

int sources_new(const struct sources_options *options, struct sources **ret_sources);
/* Closes them all. */
struct sources *sources_free(struct sources *sources);
/* Opens one. `label` names it in dead letters and keys the marks: "zmq", "mqtt:shop". 0 or -errno with the error set. */
int sources_open(struct sources *sources, const struct source_type *type, const char *name,
	const void *config, struct source_error *error);
int sources_open_declared(struct sources *sources, const struct source_declarations *declarations,
	struct source_error *error);
/* The earliest wait of all. 0 or a negative errno that ends the program. */
int sources_poll(struct sources *sources, int64_t now_ms, int64_t wall_ms, int64_t *ret_wait_ms);
void sources_stop(struct sources *sources);
bool sources_are_stopped(const struct sources *sources);
/* What those of this type listen on; ends with NULL. */
const char *const *sources_endpoints(const struct sources *sources, const struct source_type *type);
/* The declared ones that listen, for the ready line; ends with name NULL. */
void sources_list(
	const struct sources *sources, struct program_source list[SOURCES_DECLARED_MAX + 1]);
/* Lines for /readyz. */
void sources_describe(const struct sources *sources, FILE *out);
/* Sets the series that are read and not counted. */
void sources_collect(struct sources *sources);
