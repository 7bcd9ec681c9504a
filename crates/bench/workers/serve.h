/* The worker of a peer in C: the protocol of `worker.rs`. A peer defines `spawn`. */
#ifndef SERVE_H
#define SERVE_H

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "job.h"

enum { MOST_ARGUMENTS = 8, NOBODY = 65534 };

extern char **environ;

/* Spawns a child and waits for it. Returns 0 or an errno: ENOTSUP if there is no such operation. */
static int spawn(const struct job *job);

static char *arguments[MOST_ARGUMENTS + 2];
static struct job job = {.source = 4, .id = NOBODY};

static long nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000L + now.tv_nsec;
}

static void set_program(char *words) {
    int count = 0;
    for (char *word = strtok(words, " "); word && count <= MOST_ARGUMENTS; word = strtok(NULL, " ")) {
        free(arguments[count]);
        arguments[count++] = strdup(word);
    }
    free(arguments[count]);
    arguments[count] = NULL;
    job.program = arguments[0];
    job.arguments = arguments;
    job.environment = environ;
}

static int set_task(const char *word) {
    static const char *const words[] = {"plain", "captured", "kept", "mapped", "full"};
    for (int task = 0; task < 5; task++)
        if (strcmp(word, words[task]) == 0) return job.task = task, 0;
    return EINVAL;
}

static int touch(size_t bytes) {
    if (bytes == 0) return 0;
    char *start = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED) return errno;
    for (size_t at = 0; at < bytes; at += 4096) start[at] = 1;
    return 0;
}

static void answer(int result) {
    if (result == ENOTSUP) puts("no it has no such operation");
    else if (result) printf("error %s\n", strerror(result));
    else puts("ok");
}

static void run(int count) {
    long *times = calloc((size_t)count, sizeof *times);
    int result = 0;
    for (int i = 0; i < count && !result; i++) {
        long start = nanoseconds();
        result = spawn(&job);
        times[i] = nanoseconds() - start;
    }
    if (result) {
        answer(result);
    } else {
        fputs("ok", stdout);
        for (int i = 0; i < count; i++) printf(" %ld", times[i]);
        putchar('\n');
    }
    free(times);
}

static int for_each_thread;

static void *many(void *unused) {
    (void)unused;
    long result = 0;
    for (int i = 0; i < for_each_thread && !result; i++) result = spawn(&job);
    return (void *)result;
}

static void together(int threads, int count) {
    pthread_t running[64];
    long result = 0;
    for_each_thread = count;
    long start = nanoseconds();
    for (int i = 0; i < threads && i < 64; i++) pthread_create(&running[i], NULL, many, NULL);
    for (int i = 0; i < threads && i < 64; i++) {
        void *failed;
        pthread_join(running[i], &failed);
        if (failed) result = (long)failed;
    }
    if (result) answer((int)result);
    else printf("ok %ld\n", nanoseconds() - start);
}

static void serve(char *line) {
    char method[32], task[32];
    int threads, count;
    unsigned long bytes;
    if (strncmp(line, "program ", 8) == 0) set_program(line + 8), answer(0);
    else if (sscanf(line, "keep %d %d", &job.kept[0], &job.kept[1]) == 2) answer(0);
    else if (sscanf(line, "memory %lu", &bytes) == 1) answer(touch(bytes));
    else if (sscanf(line, "run %31s %31s %d", method, task, &count) == 3 && !set_task(task)) run(count);
    else if (sscanf(line, "together %31s %31s %d %d", method, task, &threads, &count) == 4 && !set_task(task))
        together(threads, count);
    else puts("error not understood");
}

int main(void) {
    char line[4096];
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        serve(line);
        fflush(stdout);
    }
    return 0;
}

#endif
