//! A constructor of an ELF executable.

// SAFETY: the section holds pointers to functions, and this is one. It runs before Rust's runtime
// is up, and makes one system call and one atomic store for each thing.
#[used]
#[unsafe(link_section = ".init_array")]
static RECORD: extern "C" fn() = crate::started::record;
