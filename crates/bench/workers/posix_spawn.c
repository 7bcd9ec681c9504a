/* posix_spawn of the C library, without closing, and with the closing that glibc has since 2.34. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <features.h>
#include <spawn.h>
#include <unistd.h>
#include "job.h"

#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 34)
static int close_from(posix_spawn_file_actions_t *actions, int first) {
    return posix_spawn_file_actions_addclosefrom_np(actions, first);
}
#else
static int close_from(posix_spawn_file_actions_t *actions, int first) {
    (void)actions, (void)first;
    return ENOSYS;
}
#endif

static int planned(posix_spawn_file_actions_t *actions, const struct job *job, int out, int closes) {
    int first = 3, refused = 0;
    if (job->task == CAPTURED) refused = posix_spawn_file_actions_adddup2(actions, out, 1);
    for (int i = 0; job->task == MAPPED && i < 2 && !refused; i++)
        refused = posix_spawn_file_actions_adddup2(actions, job->kept[i], first++);
    return refused || !closes ? refused : close_from(actions, first);
}

/* Spawns a child and waits for it. Returns 0 or an errno: ENOTSUP if there is no such operation. */
int posix_spawn_spawn(const struct job *job, int closes) {
    if (job->task == FULL || job->task == KEPT) return ENOTSUP;
    int pipe[2] = {-1, -1}, pid = -1;
    if (job->task == CAPTURED && pipe2(pipe, O_CLOEXEC)) return errno;
    posix_spawn_file_actions_t actions;
    int refused = posix_spawn_file_actions_init(&actions);
    if (!refused) refused = planned(&actions, job, pipe[1], closes);
    if (!refused) refused = posix_spawn(&pid, job->program, &actions, NULL, job->arguments, job->environment);
    posix_spawn_file_actions_destroy(&actions);
    if (job->task == CAPTURED) close(pipe[1]), drain(pipe[0]);
    return refused ? refused : wait_for(pid);
}
