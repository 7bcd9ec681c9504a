/* The floor: the same work in bare system calls, without anything else.
 *
 * The parent blocks all signals and calls clone with a separate stack. The child makes the operations, empties the mask and calls
 * execve. The parent restores the mask and calls wait4. There are five ways to treat the descriptors, three of them also with a pidfd.
 * A sixth makes the calls that POSIX systems have, as the portable backend does: vfork, and a list of the descriptors. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "job.h"

enum table {
    LEAKS,  /* copies the table, closes nothing */
    COPIES, /* copies the table, and the child closes all others */
    SHARES, /* shares the table, until the child unshares the part up to its highest source */
    SLOTS,  /* as SHARES, with high sources moved to low numbers that were reserved early */
    PIDFD,  /* as SHARES, and clone returns a pidfd to the parent, as in our default */
    SLOTS_PIDFD,
    TAKES,  /* as SHARES, and the child takes its sources from the suspended parent, so that it copies no table */
    TAKES_PIDFD,
    LISTS, /* copies the table, and the child closes all others that /dev/fd lists */
};

struct spawn {
    const struct job *job;
    enum table table;
    int from[2]; /* the sources, in pairs with `to` */
    int to[2];
    int count;
    int pidfd;
    char path[40]; /* of the writing end of the pipe (TAKES) */
};

static int shares(const struct spawn *spawn) {
    return spawn->table >= SHARES && spawn->table != LISTS;
}

static int takes(const struct spawn *spawn) {
    return spawn->table == TAKES || spawn->table == TAKES_PIDFD;
}

/* Opens the pipe anew, and duplicates other sources. */
static void take(struct spawn *spawn) {
    if (spawn->job->task == CAPTURED) {
        spawn->from[0] = (int)syscall(SYS_openat, AT_FDCWD, spawn->path, O_WRONLY | O_CLOEXEC);
        if (spawn->from[0] < 0) _exit(126);
        return;
    }
    if (spawn->count == 0) return;
    int parent = (int)syscall(SYS_pidfd_open, syscall(SYS_getppid), 0);
    for (int i = 0; i < spawn->count; i++) {
        spawn->from[i] = (int)syscall(SYS_pidfd_getfd, parent, spawn->from[i], 0);
        if (spawn->from[i] < 0) _exit(126);
    }
    syscall(SYS_close, parent);
}

static void place(const struct spawn *spawn) {
    for (int i = 0; i < spawn->count; i++) {
        if (spawn->from[i] == spawn->to[i]) {
            if (syscall(SYS_fcntl, spawn->from[i], F_SETFD, 0)) _exit(126);
        } else if (syscall(SYS_dup3, spawn->from[i], spawn->to[i], 0) < 0) {
            _exit(126);
        }
    }
}

/* Returns the highest source, at least 2. */
static int highest_source(const struct spawn *spawn) {
    int highest = 2;
    for (int i = 0; i < spawn->count; i++)
        if (spawn->from[i] > highest) highest = spawn->from[i];
    return highest;
}

static void close_between(unsigned first, unsigned last) {
    if (first <= last && syscall(SYS_close_range, first, last, 0)) _exit(126);
}

/* Closes the numbers around the targets, which are in order. If the child shared the table, it has no descriptors above its highest
 * source. A call on empty numbers is not free: some 6 ns each, or 120 us for 19,000, measured on Linux 6.18. */
static void close_others(const struct spawn *spawn) {
    unsigned first = 3, last = spawn->table == COPIES ? ~0U : (unsigned)highest_source(spawn);
    for (int i = 0; i < spawn->count; i++) {
        unsigned target = (unsigned)spawn->to[i];
        if (target < 3) continue;
        close_between(first, target - 1 < last ? target - 1 : last);
        first = target + 1;
    }
    close_between(first, last);
}

static int is_target(const struct spawn *spawn, int fd) {
    for (int i = 0; i < spawn->count; i++)
        if (spawn->to[i] == fd) return 1;
    return 0;
}

/* Closes what the list has until nothing is left to close. */
static void close_listed(const struct spawn *spawn) {
    _Alignas(8) char records[2048];
    for (int closed = 1; closed;) {
        int list = (int)syscall(SYS_openat, AT_FDCWD, "/dev/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (list < 0) _exit(126);
        closed = 0;
        for (long size; (size = syscall(SYS_getdents64, list, records, sizeof records)) != 0;) {
            if (size < 0) _exit(126);
            for (long at = 0; at < size; at += ((struct dirent64 *)(records + at))->d_reclen) {
                int fd = 0;
                const char *digit = ((struct dirent64 *)(records + at))->d_name;
                if (*digit == '.') continue;
                for (; *digit; digit++) fd = fd * 10 + (*digit - '0');
                if (fd < 3 || fd == list || is_target(spawn, fd)) continue;
                syscall(SYS_close, fd);
                closed = 1;
            }
        }
        syscall(SYS_close, list);
    }
}

/* Without CLONE_CLEAR_SIGHAND, the child asks about each signal. */
static void default_handled(void) {
    struct { void *handler; unsigned long flags; void *restorer; unsigned long mask; } action, plain = {0};
    for (int signal = 1; signal <= 64; signal++) {
        if (syscall(SYS_rt_sigaction, signal, NULL, &action, sizeof action.mask)) continue;
        if (action.handler != SIG_DFL && action.handler != SIG_IGN)
            syscall(SYS_rt_sigaction, signal, &plain, NULL, sizeof plain.mask);
    }
}

static void become(const struct job *job) {
    if (syscall(SYS_setsid) < 0 || syscall(SYS_setgroups, 0, NULL) || syscall(SYS_setresgid, job->id, job->id, job->id) ||
        syscall(SYS_setresuid, job->id, job->id, job->id) || syscall(SYS_chdir, "/"))
        _exit(126);
}

static int child(void *argument) {
    struct spawn *spawn = argument;
    const struct job *job = spawn->job;
    unsigned above = takes(spawn) ? 3 : (unsigned)highest_source(spawn) + 1;
    if (shares(spawn) && syscall(SYS_close_range, above, ~0U, CLOSE_RANGE_UNSHARE)) _exit(126);
    if (takes(spawn)) take(spawn);
    if (job->task == FULL) become(job);
    place(spawn);
    if (spawn->table == LISTS) close_listed(spawn), default_handled();
    else if (spawn->table != LEAKS) close_others(spawn);
    unsigned long none = 0;
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof none);
    syscall(SYS_execve, job->program, job->arguments, job->environment);
    _exit(127);
}

/* Starts the child. Returns its process id, or a negative errno. */
static int start(struct spawn *spawn) {
    static __thread char stack[16384] __attribute__((aligned(16)));
    int flags = CLONE_VM | CLONE_VFORK | SIGCHLD | (shares(spawn) ? CLONE_FILES : 0);
    if (spawn->table == PIDFD || spawn->table == SLOTS_PIDFD || spawn->table == TAKES_PIDFD) flags |= CLONE_PIDFD;
    unsigned long all = ~0UL, before;
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, sizeof all);
    int pid = clone(child, stack + sizeof stack, flags, spawn, &spawn->pidfd);
    if (pid < 0) pid = -errno;
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, sizeof before);
    return pid;
}

int wait_for(int pid) {
    int status;
    while (syscall(SYS_wait4, pid, &status, 0, NULL) < 0)
        if (errno != EINTR) return errno;
    return status == 0 ? 0 : ECHILD;
}

void drain(int fd) {
    char buffer[4096];
    ssize_t got;
    while ((got = read(fd, buffer, sizeof buffer)) > 0 || (got < 0 && errno == EINTR)) {}
    close(fd);
}

/* The reserved numbers: two with a placeholder, and the source of the placeholder. For one thread at a time. */
static int slots[2] = {-1, -1}, placeholder = -1;

static int reserve(void) {
    if (placeholder >= 0) return 0;
    for (int i = 0; i < 2; i++)
        if ((slots[i] = open("/dev/null", O_RDWR | O_CLOEXEC)) < 0) return errno;
    placeholder = open("/dev/null", O_RDWR | O_CLOEXEC);
    return placeholder < 0 ? errno : 0;
}

static int move_to_slots(struct spawn *spawn) {
    int refused = reserve();
    for (int i = 0; i < spawn->count && !refused; i++) {
        if (dup3(spawn->from[i], slots[i], O_CLOEXEC) < 0) refused = errno;
        spawn->from[i] = slots[i];
    }
    return refused;
}

static void empty_slots(const struct spawn *spawn) {
    for (int i = 0; i < spawn->count; i++) dup3(placeholder, slots[i], O_CLOEXEC);
}

static struct spawn planned(const struct job *job, enum table table, const int pipe[2]) {
    struct spawn spawn = {.job = job, .table = table, .pidfd = -1};
    if (job->task == CAPTURED) spawn.from[0] = pipe[1], spawn.to[0] = 1, spawn.count = 1;
    if (job->task == FULL) spawn.from[0] = job->source, spawn.to[0] = TARGET, spawn.count = 1;
    if (job->task == KEPT || job->task == MAPPED) {
        spawn.count = 2;
        for (int i = 0; i < 2; i++) {
            spawn.from[i] = job->kept[i];
            spawn.to[i] = job->task == KEPT ? job->kept[i] : TARGET + i;
        }
    }
    return spawn;
}

/* Spawns a child and waits for it. Returns 0 or an errno. */
int floor_spawn(const struct job *job, int table) {
    int pipe[2] = {-1, -1}, refused = 0;
    if (job->task == CAPTURED && pipe2(pipe, O_CLOEXEC)) return errno;
    struct spawn spawn = planned(job, table, pipe);
    if (takes(&spawn)) snprintf(spawn.path, sizeof spawn.path, "/proc/%d/fd/%d", getpid(), pipe[1]);
    int lifts = table == SLOTS || table == SLOTS_PIDFD;
    if (lifts) {
        refused = move_to_slots(&spawn);
        if (job->task == CAPTURED) close(pipe[1]);
    }
    int pid = refused ? -refused : start(&spawn);
    if (lifts) empty_slots(&spawn);
    else if (job->task == CAPTURED) close(pipe[1]);
    if (job->task == CAPTURED) drain(pipe[0]);
    int failed = pid < 0 ? -pid : wait_for(pid);
    if (spawn.pidfd >= 0) close(spawn.pidfd);
    return failed;
}
