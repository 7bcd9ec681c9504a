//! A constructor of an ELF executable.

// SAFETY: the section holds pointers to functions, and this is one. It runs before Rust's runtime, and makes only system
// calls and atomic stores.
#[used]
#[unsafe(link_section = ".init_array")]
static RECORD: extern "C" fn() = crate::started::record;
