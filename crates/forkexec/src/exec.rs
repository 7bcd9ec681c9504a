//! Layer 3: the arguments of exec: the paths to try, and arrays of C strings.

pub(crate) mod c_array;
pub(crate) mod envp;
pub(crate) mod listen_vars;
pub(crate) mod search;
