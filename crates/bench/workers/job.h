/* What is to be spawned. The same record stands in `method/bare.rs`. */
#ifndef JOB_H
#define JOB_H

enum task { PLAIN, CAPTURED, HIGH, FULL };

struct job {
    const char *program;
    char *const *arguments;
    char *const *environment;
    int task;        /* enum task */
    int kept[2];     /* two adjacent descriptors, for HIGH */
    int source;      /* a descriptor, for FULL: the child has it as TARGET */
    unsigned id;     /* the user and group, for FULL */
};

enum { TARGET = 3 };

/* Reads to the end, and closes. */
void drain(int fd);
/* Waits for a child: 0 if it has exited with 0, else ECHILD. */
int wait_for(int pid);

#endif
