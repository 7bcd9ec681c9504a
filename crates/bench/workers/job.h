/* The job. `method/bare.rs` has the same record. */
#ifndef JOB_H
#define JOB_H

enum task { PLAIN, CAPTURED, KEPT, MAPPED, FULL };

struct job {
    const char *program;
    char *const *arguments;
    char *const *environment;
    int task;        /* enum task */
    int kept[2];     /* two adjacent descriptors: the child gets them with their numbers (KEPT), or as TARGET and the next (MAPPED) */
    int source;      /* a descriptor: the child gets it as TARGET (FULL) */
    unsigned id;     /* the user and the group (FULL) */
};

enum { TARGET = 3 };

/* Reads to the end, and closes. */
void drain(int fd);
/* Waits for a child. Returns 0 if it has exited with 0, else ECHILD. */
int wait_for(int pid);

#endif
