/* Reports the state that a child inherited. Writes this line to the file that its first argument names:
 *
 *   DESCRIPTORS CAPTURED UID LEADER ABOVE...
 *
 * That is the number of open descriptors; 1 if standard output is a pipe other than the parent's (whose inode number is the second
 * argument); the user; 1 if the child leads its session; and the first numbers above 2. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/stat.h>
#include <sys/syscall.h>
#include "start.h"

struct record { unsigned long inode; long offset; unsigned short length; unsigned char type; char name[]; };

static char line[256];
static int used;

static void number(unsigned long value) {
    char digits[24];
    int count = 0;
    do digits[count++] = (char)('0' + value % 10); while (value /= 10);
    while (count) line[used++] = digits[--count];
    line[used++] = ' ';
}

static unsigned long parsed(const char *text) {
    unsigned long value = 0;
    while (*text >= '0' && *text <= '9') value = value * 10 + (unsigned long)(*text++ - '0');
    return value;
}

static unsigned long inode_of_stdout(void) {
    struct statx found;
    register long r10 __asm__("r10") = STATX_INO;
    register long r8 __asm__("r8") = (long)&found;
#if defined(__x86_64__)
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(SYS_statx), "D"(1L), "S"(""), "d"((long)AT_EMPTY_PATH), "r"(r10), "r"(r8)
                     : "rcx", "r11", "memory");
#else
    (void)r10, (void)r8;
    register long x8 __asm__("x8") = SYS_statx;
    register long x0 __asm__("x0") = 1;
    register long x1 __asm__("x1") = (long)"";
    register long x2 __asm__("x2") = AT_EMPTY_PATH;
    register long x3 __asm__("x3") = STATX_INO;
    register long x4 __asm__("x4") = (long)&found;
    __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory");
    long result = x0;
#endif
    return result == 0 ? found.stx_ino : 0;
}

__attribute__((used)) void program(long *stack) {
    char **arguments = (char **)(stack + 1);
    static char buffer[65536];
    unsigned long open = 0, above[4], shown = 0;
    long directory = call(SYS_openat, AT_FDCWD, (long)"/proc/self/fd", O_RDONLY | O_DIRECTORY);
    for (long got; (got = call(SYS_getdents64, directory, (long)buffer, sizeof buffer)) > 0;) {
        for (long at = 0; at < got; at += ((struct record *)(buffer + at))->length) {
            const char *name = ((struct record *)(buffer + at))->name;
            unsigned long fd = parsed(name);
            if (*name == '.' || fd == (unsigned long)directory) continue;
            open++;
            if (fd > 2 && shown < 4) above[shown++] = fd;
        }
    }
    number(open);
    number(stack[0] > 2 && inode_of_stdout() != parsed(arguments[2]));
    number((unsigned long)call(SYS_getuid, 0, 0, 0));
    number(call(SYS_getsid, 0, 0, 0) == call(SYS_getpid, 0, 0, 0));
    for (unsigned long i = 0; i < shown; i++) number(above[i]);
    line[used - 1] = '\n';
    long file = call(SYS_openat, AT_FDCWD, (long)arguments[1], O_WRONLY);
    long written = call(SYS_write, file, (long)line, used);
    call(SYS_exit_group, written == used ? 0 : 1, 0, 0);
}
