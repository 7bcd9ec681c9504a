//! An ordinary program over std, with threads and children, some of which inherit too much.
//!
//! Its verbs (`leaky/leaky.rs`):
//!
//! | arguments                   | does                                                                        |
//! |-----------------------------|-----------------------------------------------------------------------------|
//! | `keeps PATH PROGRAM...`     | opens PATH, starts PROGRAM and exits with its status                        |
//! | `leaks PATH PROGRAM...`     | the same, with PATH inheritable                                             |
//! | `execs-in-a-thread PROGRAM` | a thread that is not the first executes PROGRAM                             |
//! | `starts N M PROGRAM...`     | N threads start PROGRAM M times each; every one must succeed                |
//! | `continues PROGRAM...`      | starts PROGRAM, waits until it has stopped, continues it, exits with its status |

use std::path::Path;

/// Returns its path.
pub fn path() -> &'static Path {
    Path::new(env!("FORKEXEC_LEAKY"))
}
