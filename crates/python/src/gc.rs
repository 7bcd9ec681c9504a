//! Disables the garbage collector while a `preexec_fn` can run.

use crate::optional;
use crate::py::{Owned, Result, aside, import};
use crate::version::Version;

/// The way to enable it again.
pub(crate) enum Paused {
    /// It was disabled before.
    Off,
    /// By the interpreter's function.
    Direct,
    /// By the module `gc`, as before 3.10: replaced functions of that module are called.
    Module(Owned),
}

/// Disables the garbage collector.
pub(crate) fn pause(version: Version) -> Result<Paused> {
    let disabled = if version.0 >= 10 { optional::gc_disable() } else { None };
    if let Some(was_on) = disabled {
        return Ok(if was_on { Paused::Direct } else { Paused::Off });
    }
    let gc = import(c"gc")?;
    let was_on = gc.get().attribute(c"isenabled")?.get().call()?.get().is_true()?;
    gc.get().attribute(c"disable")?.get().call()?;
    Ok(if was_on { Paused::Module(gc) } else { Paused::Off })
}

impl Paused {
    /// Enables it, if it was enabled before. An exception that is set stays set.
    pub(crate) fn resume(self) -> Result<()> {
        match self {
            Self::Off => Ok(()),
            Self::Direct => {
                optional::gc_enable();
                Ok(())
            }
            Self::Module(gc) => {
                aside(|| gc.get().attribute(c"enable").and_then(|enable| enable.get().call())).map(drop)
            }
        }
    }
}
