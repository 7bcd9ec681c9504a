/* g_spawn of glib, with a separate wait, because that of glib needs a main loop. */
#define _GNU_SOURCE
#include <glib.h>
#include <grp.h>
#include <sys/syscall.h>
#include "serve.h"

/* glib sets the directory and the descriptors. The setup function in the child does the rest. */
static void become(gpointer argument) {
    const struct job *job = argument;
    if (setsid() < 0 || syscall(SYS_setgroups, 0, NULL) || syscall(SYS_setresgid, job->id, job->id, job->id) ||
        syscall(SYS_setresuid, job->id, job->id, job->id))
        _exit(126);
}

static int spawn(const struct job *job) {
    GPid pid = 0;
    int out = -1, full = job->task == FULL, count = full ? 1 : job->task == KEPT || job->task == MAPPED ? 2 : 0;
    int from[2] = {full ? job->source : job->kept[0], job->kept[1]};
    int to[2] = {job->task == KEPT ? job->kept[0] : TARGET, job->task == KEPT ? job->kept[1] : TARGET + 1};
    GSpawnFlags flags = G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_CHILD_INHERITS_STDIN;
    if (!g_spawn_async_with_pipes_and_fds(full ? "/" : NULL, (const char *const *)job->arguments, NULL, flags, full ? become : NULL,
                                          (gpointer)job, -1, -1, -1, from, to, (gsize)count, &pid, NULL,
                                          job->task == CAPTURED ? &out : NULL, NULL, NULL))
        return EIO;
    if (out >= 0) {
        char buffer[4096];
        ssize_t got;
        while ((got = read(out, buffer, sizeof buffer)) > 0 || (got < 0 && errno == EINTR)) {}
        close(out);
    }
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR) return errno;
    return status == 0 ? 0 : ECHILD;
}
