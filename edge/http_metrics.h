/* http_metrics.h - the series of one source of type http, labelled with its name. One thread. */
#pragma once
#include "runtime/http_server.h"

struct http_metrics;
struct metrics;

int http_metrics_new(struct metrics *metrics, const char *name, struct http_metrics **ret_set);
struct http_metrics *http_metrics_free(struct http_metrics *set);
void http_metrics_add(struct http_metrics *set, const struct http_exchange *exchange);
void http_metrics_set(struct http_metrics *set, const struct http_server_counts *counts);
