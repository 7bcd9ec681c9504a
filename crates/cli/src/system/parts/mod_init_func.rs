//! A constructor of a Mach-O executable.

// SAFETY: the section holds pointers to functions, and this is one. It runs before Rust's runtime, and makes only system
// calls and atomic stores.
#[used]
#[unsafe(link_section = "__DATA,__mod_init_func")]
static RECORD: extern "C" fn() = crate::started::record;
