/* A start with all attributes of Linux, by the calls that the library makes, in the same order.
 *
 * A failed call ends the child, except for those that have to fail: they show that no filter answers for the kernel. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/filter.h>
#include <linux/mempolicy.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NODES = 1024, NOBODY = 65534, IDLE_CLASS = 3 << 13, JOIN_SESSION = 1, SLACK = 1000000, NO_CAPABILITY = 1 << 16, CHOWN = 0, BIND = 10 };

struct spawn {
    const char *program;
    unsigned long processors;
    int ruleset;
    int pidfd;
};

#define must(call) do { if ((long)(call) < 0) _exit(126); } while (0)

static void write_proc(const char *path, const char *text) {
    struct statfs found_at;
    int file = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CLOEXEC);
    must(file);
    must(syscall(SYS_fstatfs, file, &found_at));
    must(syscall(SYS_write, file, text, strlen(text)));
    must(syscall(SYS_close, file));
}

static void schedule(unsigned long processors) {
    unsigned long found[128], nodes[NODES / (8 * sizeof(long))] = {1};
    int none = 0, mode;
    write_proc("/proc/self/autogroup", "5");
    must(syscall(SYS_sched_setaffinity, 0, sizeof processors, &processors));
    must(syscall(SYS_sched_getaffinity, 0, sizeof found, found));
    if (found[0] != processors) _exit(126);
    must(syscall(SYS_sched_setscheduler, 0, SCHED_BATCH, &none));
    must(syscall(SYS_ioprio_set, 1, 0, IDLE_CLASS));
    must(syscall(SYS_set_mempolicy, MPOL_PREFERRED, nodes, 8 * sizeof *nodes + 1));
    must(syscall(SYS_get_mempolicy, &mode, nodes, NODES + 1, 0, 0));
    must(syscall(SYS_prctl, PR_SET_TIMERSLACK, SLACK, 0, 0, 0));
    write_proc("/proc/self/oom_score_adj", "500");
    long current = syscall(SYS_personality, 0xffffffff);
    must(syscall(SYS_personality, current | ADDR_NO_RANDOMIZE));
}

static void reduce(void) {
    must(syscall(SYS_prctl, PR_CAPBSET_READ, CHOWN, 0, 0, 0));
    must(syscall(SYS_prctl, PR_CAPBSET_DROP, CHOWN, 0, 0, 0));
    must(syscall(SYS_prctl, PR_CAPBSET_READ, CHOWN, 0, 0, 0));
    syscall(SYS_prctl, PR_CAPBSET_READ, NO_CAPABILITY, 0, 0, 0);
    must(syscall(SYS_prctl, PR_SET_SECUREBITS, 0, 0, 0, 0));
    must(syscall(SYS_prctl, PR_GET_SECUREBITS, 0, 0, 0, 0));
    must(syscall(SYS_prctl, PR_SET_KEEPCAPS, 1, 0, 0, 0));
}

static void become(void) {
    unsigned ids[3], groups[256];
    must(syscall(SYS_setgroups, 0, NULL));
    must(syscall(SYS_getgroups, 256, groups));
    must(syscall(SYS_setresgid, NOBODY, NOBODY, NOBODY));
    must(syscall(SYS_getresgid, ids, ids + 1, ids + 2));
    must(syscall(SYS_setresuid, NOBODY, NOBODY, NOBODY));
    must(syscall(SYS_getresuid, ids, ids + 1, ids + 2));
}

static void give(void) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[2], wanted[2] = {{1 << BIND, 1 << BIND, 1 << BIND}};
    must(syscall(SYS_capget, &header, sets));
    must(syscall(SYS_capget, &header, sets));
    must(syscall(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0));
    must(syscall(SYS_capset, &header, wanted));
    must(syscall(SYS_capget, &header, sets));
    if (memcmp(sets, wanted, sizeof sets)) _exit(126);
    must(syscall(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, BIND, 0, 0));
    must(syscall(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, BIND, 0, 0));
    syscall(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, NO_CAPABILITY, 0, 0);
}

static void confine(int ruleset) {
    struct sock_filter allow[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    struct sock_fprog filter = {1, allow}, empty = {0, allow};
    if (ruleset > 3) must(syscall(SYS_close_range, 3, ruleset - 1, 0));
    must(syscall(SYS_landlock_restrict_self, ruleset, 0));
    syscall(SYS_landlock_restrict_self, -1, 0);
    must(syscall(SYS_close, ruleset));
    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &empty);
    must(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter));
}

static int child(void *argument) {
    const struct spawn *spawn = argument;
    struct { void *handler; unsigned long flags; void *restorer; unsigned long mask; } plain = {0};
    char *arguments[] = {(char *)spawn->program, NULL};
    unsigned long none = 0;
    must(syscall(SYS_close_range, spawn->ruleset + 1, ~0U, CLOSE_RANGE_UNSHARE));
    must(syscall(SYS_rt_sigaction, SIGPIPE, &plain, NULL, 8));
    must(syscall(SYS_rt_sigaction, SIGCHLD, &plain, NULL, 8));
    must(syscall(SYS_rt_sigaction, SIGXFSZ, &plain, NULL, 8));
    must(syscall(SYS_setsid));
    schedule(spawn->processors);
    reduce();
    become();
    give();
    must(syscall(SYS_keyctl, JOIN_SESSION, NULL));
    must(syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    must(syscall(SYS_prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    must(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, 8));
    confine(spawn->ruleset);
    syscall(SYS_execve, spawn->program, arguments, environ);
    _exit(127);
}

/* Starts the program, in new namespaces of these kinds, and waits for it. Returns 0 or an errno. */
int attributes_spawn(const char *program, unsigned long processors, int ruleset, int namespaces) {
    static char stack[65536] __attribute__((aligned(16)));
    struct spawn spawn = {program, processors, ruleset, -1};
    unsigned long all = ~0UL, before;
    int status;
    syscall(SYS_getpid);
    syscall(SYS_prctl, PR_GET_DUMPABLE, 0, 0, 0, 0);
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, 8);
    int flags = CLONE_VM | CLONE_VFORK | CLONE_FILES | CLONE_PIDFD | namespaces;
    int pid = clone(child, stack + sizeof stack, flags, &spawn, &spawn.pidfd);
    if (pid < 0) return errno;
    syscall(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0);
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, 8);
    syscall(SYS_wait4, pid, &status, WNOHANG | __WCLONE, NULL);
    while (syscall(SYS_wait4, pid, &status, __WALL, NULL) < 0)
        if (errno != EINTR) return errno;
    close(spawn.pidfd);
    return status == 0 ? 0 : ECHILD;
}
