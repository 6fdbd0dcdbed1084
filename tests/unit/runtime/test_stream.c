#include "../aggregator/scratch_dir.h"
#include "certificates.h"
#include "runtime/clock.h"
#include "runtime/loop.h"
#include "runtime/stream.h"
#include "runtime/tls.h"
#include <errno.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PATH_SIZE = 300, BULK_SIZE = 3 * 1024 * 1024, WRITE_MAX = 64 * 1024, CALM_MS = 60000 };

/* The other end: a thread that accepts one connection and does as its script says. */
struct peer {
	int listener;
	char port[8];
	pthread_t thread;
	SSL_CTX *context; /* NULL: plain */
	SSL *ssl;
	int fd;
	void (*script)(struct peer *peer);
	size_t received;
};

struct world {
	struct loop *loop;
	struct stream *stream;
	struct peer peer;
	char dir[SCRATCH_PATH_SIZE];
	char got[BULK_SIZE];
	size_t got_size;
	size_t stop_at; /* bytes: then the loop stops, without reading on */
	int calls;
	int rounds; /* then the loop stops; 0: when something else stops it */
};

/* ---- the peer */

static ssize_t peer_read(struct peer *peer, void *bytes, size_t size)
{
	return peer->ssl != NULL ? SSL_read(peer->ssl, bytes, (int)size)
				 : read(peer->fd, bytes, size);
}

static void peer_write(struct peer *peer, const void *bytes, size_t size)
{
	while (size > 0) {
		ssize_t sent = peer->ssl != NULL ? SSL_write(peer->ssl, bytes, (int)size)
						 : send(peer->fd, bytes, size, MSG_NOSIGNAL);
		if (sent <= 0) {
			return;
		}
		bytes = (const char *)bytes + sent;
		size -= (size_t)sent;
	}
}

static void *peer_run(void *argument)
{
	struct peer *peer = argument;

	peer->fd = accept(peer->listener, NULL, NULL);
	if (peer->fd < 0) {
		return NULL;
	}
	bool shaken = true;
	if (peer->context != NULL) {
		peer->ssl = SSL_new(peer->context);
		SSL_set_fd(peer->ssl, peer->fd);
		shaken = SSL_accept(peer->ssl) == 1;
	}
	if (shaken) {
		peer->script(peer);
	}
	SSL_free(peer->ssl);
	peer->ssl = NULL;
	close(peer->fd);
	return NULL;
}

static int listen_at_loopback(int backlog, char port[8])
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof address;

	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(listen(fd, backlog), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	snprintf(port, 8, "%u", ntohs(address.sin_port));
	return fd;
}

static void peer_start(struct peer *peer, void (*script)(struct peer *peer))
{
	peer->script = script;
	peer->listener = listen_at_loopback(8, peer->port);
	assert_int_equal(pthread_create(&peer->thread, NULL, peer_run, peer), 0);
}

static void peer_stop(struct peer *peer)
{
	if (peer->listener < 0) {
		return;
	}
	(void)shutdown(peer->listener, SHUT_RDWR); /* ends an accept that nobody came for */
	assert_int_equal(pthread_join(peer->thread, NULL), 0);
	close(peer->listener);
	SSL_CTX_free(peer->context);
	peer->context = NULL;
	peer->listener = -1;
}

/* ---- the scripts */

static void echo(struct peer *peer)
{
	char bytes[16 * 1024];
	ssize_t got = 0;

	while ((got = peer_read(peer, bytes, sizeof bytes)) > 0) {
		peer->received += (size_t)got;
		peer_write(peer, bytes, (size_t)got);
	}
}

static void send_bulk(struct peer *peer)
{
	static char bulk[BULK_SIZE];

	memset(bulk, 'b', sizeof bulk);
	peer_write(peer, bulk, sizeof bulk);
	(void)shutdown(peer->fd, SHUT_WR);
	(void)peer_read(peer, bulk, 1); /* until the other end goes */
}

/* Says its last words and closes its half; reads on, as a half-closed peer does. */
static void say_and_half_close(struct peer *peer)
{
	char byte;

	peer_write(peer, "bye", 3);
	if (peer->ssl != NULL) {
		SSL_shutdown(peer->ssl);
	}
	(void)shutdown(peer->fd, SHUT_WR);
	(void)peer_read(peer, &byte, 1);
}

/* Nothing follows, not even an end: whoever has read a part must be told of the rest. */
static void say_and_wait(struct peer *peer)
{
	char byte;

	peer_write(peer, "bye", 3);
	(void)peer_read(peer, &byte, 1);
}

static void close_at_once(struct peer *peer)
{
	(void)peer;
}

/* Not TLS, though the other end speaks it. */
static void send_garbage(struct peer *peer)
{
	char bytes[64];

	(void)peer_read(peer, bytes, sizeof bytes);
	peer_write(peer, "220 smtp.example ready\r\n", 24);
	(void)peer_read(peer, bytes, sizeof bytes);
}

/* ---- our end */

static int on_ready(void *owner)
{
	struct world *world = owner;
	size_t size = 0;

	world->calls++;
	while (world->got_size < world->stop_at &&
		stream_read(world->stream, world->got + world->got_size,
			world->stop_at - world->got_size, &size) == 0) {
		world->got_size += size;
	}
	bool enough = world->stop_at > 0 && world->got_size == world->stop_at;
	bool opened = world->stop_at == 0 && stream_state(world->stream) == STREAM_OPEN;
	if (enough || opened || stream_state(world->stream) == STREAM_ENDED) {
		loop_stop(world->loop);
	}
	return 0;
}

static int on_tick(void *owner, int64_t now_ms, int64_t *ret_wait_ms)
{
	struct world *world = owner;

	int r = stream_poll(world->stream, now_ms, ret_wait_ms);
	if (world->rounds > 0) {
		*ret_wait_ms = 1;
		if (--world->rounds == 0) {
			loop_stop(world->loop);
		}
	}
	return r;
}

static struct tls *make_trust(struct world *world, const char *ca, const char *own)
{
	char ca_path[PATH_SIZE] = "", certificate[PATH_SIZE] = "", key[PATH_SIZE] = "";
	struct tls_error error;
	struct tls *tls = NULL;

	if (ca != NULL) {
		snprintf(ca_path, sizeof ca_path, "%s/%s.pem", world->dir, ca);
	}
	if (own != NULL) {
		snprintf(certificate, sizeof certificate, "%s/%s.pem", world->dir, own);
		snprintf(key, sizeof key, "%s/%s.key", world->dir, own);
	}
	assert_int_equal(tls_new(
				 &(struct tls_options){
					 .ca = ca_path, .certificate = certificate, .key = key},
				 &tls, &error),
		0);
	return tls;
}

static void dial_host(struct world *world, const char *host, struct tls *tls, int64_t timeout_ms)
{
	struct stream_options options = {
		.loop = world->loop,
		.host = host,
		.port = world->peer.port,
		.tls = tls,
		.connect_timeout_ms = timeout_ms,
		.write_max = WRITE_MAX,
		.ready = on_ready,
		.owner = world,
	};

	assert_int_equal(stream_new(&options, clock_monotonic_ms(), &world->stream), 0);
	assert_int_equal(loop_add_tick(world->loop, on_tick, world), 0);
}

/* Runs until the stream is open, ended, or has read `stop_at` bytes. */
static void run(struct world *world, size_t stop_at)
{
	world->stop_at = stop_at;
	assert_int_equal(loop_run(world->loop), 0);
}

static void assert_ended(struct world *world, const char *words)
{
	char byte;
	size_t size;

	assert_int_equal(stream_state(world->stream), STREAM_ENDED);
	if (strstr(stream_error(world->stream), words) == NULL) {
		fail_msg("\"%s\" says nothing of \"%s\"", stream_error(world->stream), words);
	}
	assert_int_equal(stream_read(world->stream, &byte, 1, &size), STREAM_E_ENDED);
	assert_int_equal(stream_write(world->stream, "x", 1), STREAM_E_ENDED);
}

static int open_world(void **state)
{
	struct world *world = calloc(1, sizeof *world);

	assert_non_null(world);
	world->peer.listener = -1;
	assert_int_equal(loop_new(&world->loop), 0);
	scratch_make(world->dir);
	*state = world;
	return 0;
}

static int close_world(void **state)
{
	struct world *world = *state;

	loop_remove_tick(world->loop, on_tick, world);
	assert_null(stream_free(world->stream));
	peer_stop(&world->peer);
	assert_null(loop_free(world->loop));
	scratch_remove(world->dir);
	free(world);
	return 0;
}

/* ---- plain */

static void test_what_is_written_comes_back_from_an_echo(void **state)
{
	struct world *world = *state;

	peer_start(&world->peer, echo);
	dial_host(world, "127.0.0.1", NULL, CALM_MS);
	assert_int_equal(stream_state(world->stream), STREAM_CONNECTING);
	run(world, 0);
	assert_int_equal(stream_write(world->stream, "hello ", 6), 0);
	assert_int_equal(stream_write(world->stream, "till", 4), 0);
	run(world, 10);
	assert_memory_equal(world->got, "hello till", 10);
	assert_string_equal(stream_error(world->stream), "");
}

/* A name takes the way through the thread; the loop goes on meanwhile. */
static void test_a_name_is_looked_up_and_every_address_tried(void **state)
{
	struct world *world = *state;

	peer_start(&world->peer,
		echo); /* on IPv4 only: where localhost is ::1 too, that one is refused first */
	dial_host(world, "localhost", NULL, CALM_MS);
	run(world, 0);
	assert_int_equal(stream_state(world->stream), STREAM_OPEN);
}

static void test_a_name_that_does_not_exist_is_named(void **state)
{
	struct world *world = *state;

	snprintf(world->peer.port, sizeof world->peer.port, "1883");
	dial_host(world, "broker.invalid", NULL, CALM_MS);
	run(world, 0);
	assert_ended(world, "can't look up broker.invalid: ");
}

static void test_a_refused_connection_names_address_and_cause(void **state)
{
	struct world *world = *state;
	char words[64];

	close(listen_at_loopback(1, world->peer.port)); /* a port that is surely free */
	dial_host(world, "127.0.0.1", NULL, CALM_MS);
	run(world, 0);
	snprintf(words, sizeof words, "can't connect to 127.0.0.1:%s: Connection refused",
		world->peer.port);
	assert_ended(world, words);
}

/* A listener with a full queue drops what knocks: to us it is a host that does not answer. */
static void test_a_host_that_never_answers_is_given_up_in_time(void **state)
{
	struct world *world = *state;
	struct sockaddr_in address = {.sin_family = AF_INET};
	int knocking[4];
	int64_t wait_ms = 0;

	int listener = listen_at_loopback(0, world->peer.port);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	address.sin_port = htons((uint16_t)atoi(world->peer.port));
	for (int i = 0; i < 4; i++) {
		knocking[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)connect(knocking[i], (struct sockaddr *)&address, sizeof address);
	}
	dial_host(world, "127.0.0.1", NULL, 5000);
	int64_t now_ms = clock_monotonic_ms();
	assert_int_equal(stream_poll(world->stream, now_ms, &wait_ms), 0);
	assert_in_range(wait_ms, 1, 5000);
	assert_int_equal(stream_state(world->stream), STREAM_CONNECTING);
	assert_int_equal(stream_poll(world->stream, now_ms + 5001, &wait_ms), 0);
	assert_ended(world, "no answer in time");
	assert_int_equal(world->calls, 1);
	for (int i = 0; i < 4; i++) {
		close(knocking[i]);
	}
	close(listener);
}

static void test_a_half_closed_peer_is_heard_out(void **state)
{
	struct world *world = *state;

	peer_start(&world->peer, say_and_half_close);
	dial_host(world, "127.0.0.1", NULL, CALM_MS);
	run(world, 100);
	assert_int_equal(world->got_size, 3);
	assert_memory_equal(world->got, "bye", 3);
	assert_ended(world, "the peer closed the connection");
}

static void test_a_paused_stream_is_not_read_and_goes_on_later(void **state)
{
	struct world *world = *state;

	peer_start(&world->peer, send_bulk);
	dial_host(world, "127.0.0.1", NULL, CALM_MS);
	run(world, 1000);
	stream_pause(world->stream, true);
	world->rounds = 5;
	run(world, BULK_SIZE);
	assert_int_equal(world->got_size, 1000);
	stream_pause(world->stream, false);
	run(world, BULK_SIZE);
	assert_int_equal(world->got_size, BULK_SIZE);
	assert_int_equal(world->got[BULK_SIZE - 1], 'b');
}

static void test_the_write_buffer_is_bounded_and_takes_all_or_nothing(void **state)
{
	struct world *world = *state;
	static char bytes[WRITE_MAX];

	peer_start(&world->peer, echo);
	dial_host(world, "127.0.0.1", NULL, CALM_MS);
	assert_int_equal(stream_write(world->stream, bytes, WRITE_MAX - 1), 0);
	assert_int_equal(stream_write(world->stream, "ab", 2), STREAM_E_FULL);
	assert_int_equal(stream_write_room(world->stream), 1);
	assert_int_equal(stream_write(world->stream, "a", 1), 0);
	run(world, WRITE_MAX);
	assert_int_equal(world->got[WRITE_MAX - 1], 'a');
	assert_int_equal(stream_write_room(world->stream), WRITE_MAX);
}

/* The last words arrive although bytes lie unread here: a bare close would be a reset. */
static void test_finish_delivers_the_last_words(void **state)
{
	struct world *world = *state;

	peer_start(&world->peer, echo);
	dial_host(world, "127.0.0.1", NULL, CALM_MS);
	run(world, 0);
	assert_int_equal(stream_write(world->stream, "last words", 10), 0);
	stream_finish(world->stream);
	assert_int_equal(stream_write(world->stream, "more", 4), STREAM_E_ENDED);
	run(world, 100);
	peer_stop(&world->peer);
	assert_int_equal(world->peer.received, 10);
	assert_ended(world, "the peer closed the connection");
}

/* ---- TLS */

static void make_certificates(struct world *world)
{
	static const struct certificate_request requests[] = {
		{.name = "ca", .days = 30},
		{.name = "foreign-ca", .days = 30},
		{.name = "server",
			.alternative = "DNS:localhost,IP:127.0.0.1",
			.issuer = "ca",
			.days = 30},
		{.name = "elsewhere", .alternative = "DNS:elsewhere", .issuer = "ca", .days = 30},
		{.name = "expired", .alternative = "IP:127.0.0.1", .issuer = "ca", .days = -1},
		{.name = "client", .issuer = "ca", .days = 30},
	};

	for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
		certificate_make(world->dir, &requests[i]);
	}
}

static void speak_tls(struct world *world, const char *name, bool wants_client)
{
	char path[PATH_SIZE];

	world->peer.context = SSL_CTX_new(TLS_server_method());
	snprintf(path, sizeof path, "%s/%s.pem", world->dir, name);
	assert_int_equal(
		SSL_CTX_use_certificate_file(world->peer.context, path, SSL_FILETYPE_PEM), 1);
	snprintf(path, sizeof path, "%s/%s.key", world->dir, name);
	assert_int_equal(
		SSL_CTX_use_PrivateKey_file(world->peer.context, path, SSL_FILETYPE_PEM), 1);
	if (wants_client) {
		snprintf(path, sizeof path, "%s/ca.pem", world->dir);
		assert_int_equal(SSL_CTX_load_verify_file(world->peer.context, path), 1);
		SSL_CTX_set_verify(world->peer.context,
			SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	}
}

static void test_tls_with_a_clients_certificate_echoes(void **state)
{
	struct world *world = *state;

	make_certificates(world);
	speak_tls(world, "server", true);
	peer_start(&world->peer, echo);
	struct tls *tls = make_trust(world, "ca", "client");
	dial_host(world, "localhost", tls, CALM_MS);
	run(world, 0);
	assert_int_equal(stream_write(world->stream, "hello", 5), 0);
	run(world, 5);
	assert_memory_equal(world->got, "hello", 5);
	stream_finish(world->stream);
	run(world, 100);
	assert_ended(world, "the peer closed the connection");
	tls_free(tls);
}

/* Reading stops in the middle of a record: what libssl has decrypted the socket won't tell any more. */
static void test_what_libssl_holds_decrypted_is_told(void **state)
{
	struct world *world = *state;

	make_certificates(world);
	speak_tls(world, "server", false);
	peer_start(&world->peer, say_and_wait);
	struct tls *tls = make_trust(world, "ca", NULL);
	dial_host(world, "127.0.0.1", tls, CALM_MS);
	run(world, 1);
	run(world, 3);
	assert_memory_equal(world->got, "bye", 3);
	tls_free(tls);
}

static void test_bulk_over_tls_survives_pauses(void **state)
{
	struct world *world = *state;

	make_certificates(world);
	speak_tls(world, "server", false);
	peer_start(&world->peer, send_bulk);
	struct tls *tls = make_trust(world, "ca", NULL);
	dial_host(world, "127.0.0.1", tls, CALM_MS);
	for (size_t goal = 300 * 1000; goal < BULK_SIZE; goal += 300 * 1000) {
		run(world, goal);
		stream_pause(world->stream, true);
		stream_pause(world->stream, false);
	}
	run(world, BULK_SIZE);
	assert_int_equal(world->got_size, BULK_SIZE);
	tls_free(tls);
}

/* One failing handshake: whom the peer says to be, whom we trust, whom we call. */
static void assert_handshake_fails(struct world *world, const char *server, const char *ca,
	const char *host, const char *words)
{
	make_certificates(world);
	speak_tls(world, server, false);
	peer_start(&world->peer, echo);
	struct tls *tls = make_trust(world, ca, NULL);
	dial_host(world, host, tls, CALM_MS);
	run(world, 0);
	assert_ended(world, words);
	tls_free(tls);
}

static void test_a_certificate_for_another_name_is_refused(void **state)
{
	assert_handshake_fails(*state, "elsewhere", "ca", "localhost",
		"hostname mismatch; use a name that the certificate holds");
}

static void test_a_certificate_without_this_address_is_refused(void **state)
{
	assert_handshake_fails(*state, "elsewhere", "ca", "127.0.0.1",
		"IP address mismatch; use a name that the certificate holds");
}

static void test_a_certificate_of_an_unknown_ca_is_refused(void **state)
{
	assert_handshake_fails(*state, "server", "foreign-ca", "localhost",
		"; set tls_ca to the file of the CA that signed it");
}

static void test_the_systems_store_does_not_know_a_self_signed_certificate(void **state)
{
	assert_handshake_fails(*state, "ca", NULL, "localhost",
		"; set tls_ca to the file of the CA that signed it");
}

static void test_an_expired_certificate_is_refused(void **state)
{
	assert_handshake_fails(
		*state, "expired", "ca", "127.0.0.1", "certificate has expired; renew it");
}

static void test_a_peer_that_wants_a_certificate_says_so(void **state)
{
	struct world *world = *state;

	make_certificates(world);
	speak_tls(world, "server", true);
	peer_start(&world->peer, echo);
	struct tls *tls = make_trust(world, "ca", NULL);
	dial_host(world, "localhost", tls, CALM_MS);
	run(world,
		100); /* TLS 1.3: our side is through before the peer has seen that there is none */
	assert_ended(world, "; it may want a client's certificate: tls_cert and tls_key");
	tls_free(tls);
}

static void test_a_peer_that_closes_in_the_handshake_ends_the_stream(void **state)
{
	struct world *world = *state;

	peer_start(&world->peer, close_at_once);
	struct tls *tls = make_trust(world, NULL, NULL);
	dial_host(world, "127.0.0.1", tls, CALM_MS);
	run(world, 0);
	assert_ended(world, "TLS with 127.0.0.1: ");
	tls_free(tls);
}

static void test_a_peer_that_speaks_no_tls_is_told_from_one_that_does(void **state)
{
	struct world *world = *state;

	peer_start(&world->peer, send_garbage);
	struct tls *tls = make_trust(world, NULL, NULL);
	dial_host(world, "127.0.0.1", tls, CALM_MS);
	run(world, 0);
	assert_ended(world, "the peer does not speak TLS on this port");
	tls_free(tls);
}

/* The kernel accepts for the listener, but nobody ever answers our first words. */
static void test_a_handshake_that_never_comes_is_given_up_in_time(void **state)
{
	struct world *world = *state;

	int listener = listen_at_loopback(4, world->peer.port);
	struct tls *tls = make_trust(world, NULL, NULL);
	dial_host(world, "127.0.0.1", tls, 100);
	run(world, 0);
	assert_ended(world, "no answer to the TLS handshake in time");
	tls_free(tls);
	close(listener);
}

/* ---- files */

static void assert_no_tls(const struct tls_options *options, const char *words)
{
	struct tls_error error;
	struct tls *tls = NULL;

	assert_int_equal(tls_new(options, &tls, &error), -EINVAL);
	assert_null(tls);
	if (strstr(error.text, words) == NULL) {
		fail_msg("\"%s\" says nothing of \"%s\"", error.text, words);
	}
}

static void test_files_that_are_of_no_use_are_named(void **state)
{
	struct world *world = *state;
	char ca[PATH_SIZE], client[PATH_SIZE], client_key[PATH_SIZE], server_key[PATH_SIZE];

	make_certificates(world);
	snprintf(ca, sizeof ca, "%s/ca.pem", world->dir);
	snprintf(client, sizeof client, "%s/client.pem", world->dir);
	snprintf(client_key, sizeof client_key, "%s/client.key", world->dir);
	snprintf(server_key, sizeof server_key, "%s/server.key", world->dir);

	assert_no_tls(&(struct tls_options){.ca = "/nowhere/ca.pem"},
		"the CA file /nowhere/ca.pem can't be read: No such file or directory");
	assert_no_tls(&(struct tls_options){.ca = client_key}, "the CA file ");
	assert_no_tls(&(struct tls_options){.certificate = client}, "go together");
	assert_no_tls(&(struct tls_options){.certificate = client, .key = "/nowhere/key"},
		"the key file: /nowhere/key: No such file");
	assert_no_tls(&(struct tls_options){.certificate = client, .key = ca},
		"holds no unencrypted private key");
	assert_no_tls(&(struct tls_options){.certificate = client, .key = server_key},
		"does not belong to the certificate");
	assert_int_equal(chmod(client_key, 0644), 0);
	assert_no_tls(&(struct tls_options){.certificate = client, .key = client_key},
		"is open to others: chmod 600");
}

#define STREAM_TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STREAM_TEST(test_what_is_written_comes_back_from_an_echo),
		STREAM_TEST(test_a_name_is_looked_up_and_every_address_tried),
		STREAM_TEST(test_a_name_that_does_not_exist_is_named),
		STREAM_TEST(test_a_refused_connection_names_address_and_cause),
		STREAM_TEST(test_a_host_that_never_answers_is_given_up_in_time),
		STREAM_TEST(test_a_half_closed_peer_is_heard_out),
		STREAM_TEST(test_a_paused_stream_is_not_read_and_goes_on_later),
		STREAM_TEST(test_the_write_buffer_is_bounded_and_takes_all_or_nothing),
		STREAM_TEST(test_finish_delivers_the_last_words),
		STREAM_TEST(test_tls_with_a_clients_certificate_echoes),
		STREAM_TEST(test_what_libssl_holds_decrypted_is_told),
		STREAM_TEST(test_bulk_over_tls_survives_pauses),
		STREAM_TEST(test_a_certificate_for_another_name_is_refused),
		STREAM_TEST(test_a_certificate_without_this_address_is_refused),
		STREAM_TEST(test_a_certificate_of_an_unknown_ca_is_refused),
		STREAM_TEST(test_the_systems_store_does_not_know_a_self_signed_certificate),
		STREAM_TEST(test_an_expired_certificate_is_refused),
		STREAM_TEST(test_a_peer_that_wants_a_certificate_says_so),
		STREAM_TEST(test_a_peer_that_closes_in_the_handshake_ends_the_stream),
		STREAM_TEST(test_a_peer_that_speaks_no_tls_is_told_from_one_that_does),
		STREAM_TEST(test_a_handshake_that_never_comes_is_given_up_in_time),
		STREAM_TEST(test_files_that_are_of_no_use_are_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
