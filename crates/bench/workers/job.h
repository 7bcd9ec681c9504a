/* What is to be spawned. The same record stands in `method/bare.rs`. */
#ifndef JOB_H
#define JOB_H

enum task { PLAIN, CAPTURED, KEPT, MAPPED, FULL };

struct job {
    const char *program;
    char *const *arguments;
    char *const *environment;
    int task;        /* enum task */
    int kept[2];     /* two adjacent descriptors: the child has them under their numbers (KEPT), or as TARGET and the next (MAPPED) */
    int source;      /* a descriptor: the child has it as TARGET (FULL) */
    unsigned id;     /* the user and the group (FULL) */
};

enum { TARGET = 3 };

/* Reads to the end, and closes. */
void drain(int fd);
/* Waits for a child: 0 if it has exited with 0, else ECHILD. */
int wait_for(int pid);

#endif
