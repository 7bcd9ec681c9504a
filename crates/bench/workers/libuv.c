/* uv_spawn of libuv, with a separate loop in each thread. */
#define _GNU_SOURCE
#include <uv.h>
#include "serve.h"

struct running {
    uv_process_t process;
    uv_pipe_t out;
    long status;
    char buffer[4096];
};

static void exited(uv_process_t *process, int64_t status, int signal) {
    ((struct running *)process->data)->status = status ? status : signal;
    uv_close((uv_handle_t *)process, NULL);
}

static void allocate(uv_handle_t *handle, size_t size, uv_buf_t *buffer) {
    (void)size;
    struct running *running = handle->data;
    *buffer = uv_buf_init(running->buffer, sizeof running->buffer);
}

static void got(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer) {
    (void)buffer;
    if (count < 0) uv_close((uv_handle_t *)stream, NULL);
}

static uv_loop_t *own_loop(void) {
    static __thread uv_loop_t loop;
    static __thread int made;
    if (!made) made = 1, uv_loop_init(&loop);
    return &loop;
}

static int spawn(const struct job *job) {
    if (job->task == KEPT) return ENOTSUP; /* its list of descriptors counts from 0 */
    struct running running = {.status = 0};
    uv_stdio_container_t streams[5];
    int mapped[2] = {job->task == FULL ? job->source : job->kept[0], job->kept[1]};
    for (int i = 0; i < 5; i++) streams[i].flags = UV_INHERIT_FD, streams[i].data.fd = i < 3 ? i : mapped[i - 3];
    uv_loop_t *loop = own_loop();
    if (job->task == CAPTURED) {
        uv_pipe_init(loop, &running.out, 0);
        running.out.data = &running;
        streams[1].flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE;
        streams[1].data.stream = (uv_stream_t *)&running.out;
    }
    uv_process_options_t options = {.exit_cb = exited, .file = job->program, .args = (char **)job->arguments, .stdio = streams,
                                    .stdio_count = job->task == MAPPED ? 5 : job->task == FULL ? 4 : 3};
    if (job->task == FULL) {
        options.flags = UV_PROCESS_SETUID | UV_PROCESS_SETGID | UV_PROCESS_DETACHED;
        options.uid = options.gid = job->id;
        options.cwd = "/";
    }
    running.process.data = &running;
    int refused = uv_spawn(loop, &running.process, &options);
    if (!refused && job->task == CAPTURED) uv_read_start((uv_stream_t *)&running.out, allocate, got);
    if (refused) uv_close((uv_handle_t *)&running.process, NULL);
    if (refused && job->task == CAPTURED) uv_close((uv_handle_t *)&running.out, NULL);
    uv_run(loop, UV_RUN_DEFAULT);
    return refused ? -refused : running.status == 0 ? 0 : ECHILD;
}
