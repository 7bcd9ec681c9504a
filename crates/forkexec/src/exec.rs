//! Layer 3: the arguments of exec: the paths to try, arrays of C strings, and the variables of
//! protocols.

pub(crate) mod c_array;
pub(crate) mod envp;
pub(crate) mod listen_vars;
pub(crate) mod notify_vars;
pub(crate) mod own_pids;
pub(crate) mod search;
