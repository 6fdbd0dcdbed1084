#include "runtime/http_internal.h"
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Where chunks are made is the connection's memory; this is for clients of HTTP/1.0, who get none. */
enum { STREAM_BLOCK_SIZE = 4096 };

bool answer_is_set(const struct answer *answer)
{
	return answer->response != NULL;
}

static bool has_header(const struct http_header *headers, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (strcasecmp(headers[i].name, name) == 0) {
			return true;
		}
	}
	return false;
}

static void add_headers(struct MHD_Response *response, const char *type,
	const struct http_header *headers, size_t count)
{
	(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	if (!has_header(headers, count, MHD_HTTP_HEADER_CACHE_CONTROL)) {
		(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	}
	for (size_t i = 0; i < count; i++) {
		(void)MHD_add_response_header(response, headers[i].name, headers[i].value);
	}
}

void answer_set(struct answer *answer, const struct http_response *response)
{
	char *body = malloc(response->body_size + 1);
	if (body == NULL) {
		return;
	}
	if (response->body_size > 0) {
		memcpy(body, response->body, response->body_size);
	}
	answer->response =
		MHD_create_response_from_buffer(response->body_size, body, MHD_RESPMEM_MUST_FREE);
	if (answer->response == NULL) {
		free(body);
		return;
	}
	answer->status = response->status;
	answer->body = body;
	answer->body_size = response->body_size;
	add_headers(answer->response, response->type, response->headers, response->header_count);
}

void answer_set_stream(struct answer *answer, const struct http_stream *stream,
	ssize_t (*read)(void *owner, uint64_t position, char *bytes, size_t size), void *owner)
{
	answer->response = MHD_create_response_from_callback(
		MHD_SIZE_UNKNOWN, STREAM_BLOCK_SIZE, read, owner, NULL);
	if (answer->response != NULL) {
		answer->status = MHD_HTTP_OK;
		add_headers(answer->response, stream->type, stream->headers, stream->header_count);
	}
}

static char *write_refusal(const struct http_server_options *options, unsigned status,
	const char *words, size_t *ret_size)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, ret_size);
	if (out == NULL) {
		return NULL;
	}
	if (options->write_refusal != NULL) {
		options->write_refusal(options->owner, status, words, out);
	} else {
		fprintf(out, "%s\n", words);
	}
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

void answer_refuse(struct answer *answer, const struct http_server_options *options,
	unsigned status, const char *words, const struct http_header *header)
{
	struct http_header headers[2];
	struct http_response response = {.status = status, .headers = headers};
	char *text = write_refusal(options, status, words, &response.body_size);
	if (text == NULL) {
		return;
	}
	response.body = text;
	response.type =
		options->refusal_type != NULL ? options->refusal_type : "text/plain; charset=utf-8";
	if (header != NULL) {
		headers[response.header_count++] = *header;
	}
	if (status == MHD_HTTP_SERVICE_UNAVAILABLE) {
		headers[response.header_count++] =
			(struct http_header){MHD_HTTP_HEADER_RETRY_AFTER, "1"};
	}
	answer_set(answer, &response);
	free(text);
}

void answer_clear(struct answer *answer)
{
	if (answer->response != NULL) {
		MHD_destroy_response(answer->response);
	}
	*answer = (struct answer){0};
}

static enum MHD_Result write_header(
	void *out, enum MHD_ValueKind kind, const char *name, const char *value)
{
	(void)kind;
	fprintf(out, "%s: %s\r\n", name, value);
	return MHD_YES;
}

char *answer_text(const struct answer *answer, size_t *ret_size)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, ret_size);
	if (out == NULL) {
		return NULL;
	}
	fprintf(out, "HTTP/1.1 %u %s\r\n", answer->status,
		MHD_get_reason_phrase_for(answer->status));
	(void)MHD_get_response_headers(answer->response, write_header, out);
	fprintf(out, "Content-Length: %zu\r\nConnection: close\r\n\r\n", answer->body_size);
	fwrite(answer->body, 1, answer->body_size, out);
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}
