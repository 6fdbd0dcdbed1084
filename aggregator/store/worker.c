#include "aggregator/store/worker.h"
#include "runtime/clock.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct queue {
	struct job *first;
	struct job **end;
};

struct worker {
	pthread_t thread;
	int fd;
	pthread_mutex_t lock; /* of all below */
	pthread_cond_t changed;
	struct queue waiting, finished;
	bool is_running; /* a job */
	bool is_ending;
};

static void queue_init(struct queue *queue)
{
	queue->first = NULL;
	queue->end = &queue->first;
}

static void queue_push(struct queue *queue, struct job *job)
{
	job->next = NULL;
	*queue->end = job;
	queue->end = &job->next;
}

static struct job *queue_pop(struct queue *queue)
{
	struct job *job = queue->first;
	if (job != NULL) {
		queue->first = job->next;
		if (queue->first == NULL) {
			queue->end = &queue->first;
		}
	}
	return job;
}

static void run(struct job *job)
{
	int64_t start_us = clock_monotonic_us();
	job->result = job->run(job);
	job->took_us = clock_monotonic_us() - start_us;
}

static void *work(void *owner)
{
	static const uint64_t one = 1;
	struct worker *worker = owner;

	pthread_mutex_lock(&worker->lock);
	for (;;) {
		struct job *job = queue_pop(&worker->waiting);
		if (job == NULL && worker->is_ending) {
			break;
		}
		if (job == NULL) {
			pthread_cond_wait(&worker->changed, &worker->lock);
			continue;
		}
		worker->is_running = true;
		pthread_mutex_unlock(&worker->lock);
		run(job);
		pthread_mutex_lock(&worker->lock);
		worker->is_running = false;
		queue_push(&worker->finished, job);
		pthread_cond_broadcast(&worker->changed);
		ssize_t ignored = write(worker->fd, &one, sizeof one);
		(void)ignored; /* full means readable already */
	}
	pthread_mutex_unlock(&worker->lock);
	return NULL;
}

int worker_new(struct worker **ret_worker)
{
	struct worker *worker = calloc(1, sizeof *worker);
	if (worker == NULL) {
		return -ENOMEM;
	}
	queue_init(&worker->waiting);
	queue_init(&worker->finished);
	pthread_mutex_init(&worker->lock, NULL);
	pthread_cond_init(&worker->changed, NULL);
	worker->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	int r = worker->fd < 0 ? -errno : -pthread_create(&worker->thread, NULL, work, worker);
	if (r < 0) {
		if (worker->fd >= 0) {
			close(worker->fd);
		}
		free(worker);
		return r;
	}
	*ret_worker = worker;
	return 0;
}

struct worker *worker_free(struct worker *worker)
{
	if (worker == NULL) {
		return NULL;
	}
	pthread_mutex_lock(&worker->lock);
	worker->is_ending = true;
	pthread_cond_broadcast(&worker->changed);
	pthread_mutex_unlock(&worker->lock);
	pthread_join(worker->thread, NULL);
	pthread_cond_destroy(&worker->changed);
	pthread_mutex_destroy(&worker->lock);
	close(worker->fd);
	free(worker);
	return NULL;
}

void worker_submit(struct worker *worker, struct job *job)
{
	pthread_mutex_lock(&worker->lock);
	queue_push(&worker->waiting, job);
	pthread_cond_broadcast(&worker->changed);
	pthread_mutex_unlock(&worker->lock);
}

int worker_fd(const struct worker *worker)
{
	return worker->fd;
}

void worker_collect(struct worker *worker)
{
	uint64_t count;
	struct job *job;
	while (read(worker->fd, &count, sizeof count) > 0) {
	}
	do {
		pthread_mutex_lock(&worker->lock);
		job = queue_pop(&worker->finished);
		pthread_mutex_unlock(&worker->lock);
		if (job != NULL) {
			job->done(job);
		}
	} while (job != NULL);
}

bool worker_is_idle(struct worker *worker)
{
	pthread_mutex_lock(&worker->lock);
	bool is_idle = !worker->is_running && worker->waiting.first == NULL &&
		       worker->finished.first == NULL;
	pthread_mutex_unlock(&worker->lock);
	return is_idle;
}

void worker_drain(struct worker *worker)
{
	do {
		pthread_mutex_lock(&worker->lock);
		while (worker->is_running || worker->waiting.first != NULL) {
			pthread_cond_wait(&worker->changed, &worker->lock);
		}
		pthread_mutex_unlock(&worker->lock);
		worker_collect(worker);
	} while (!worker_is_idle(worker));
}
