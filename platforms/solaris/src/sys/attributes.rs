//! The calls of attributes. The numbers and structures are those of `sys/priocntl.h`, `sys/rtpriocntl.h`, `sys/tspriocntl.h` and
//! `sys/procset.h`, of which the libc crate lacks most.

use super::aslr;
use crate::{AttributeCall, Class};
use core::ffi::{CStr, c_char, c_int, c_long, c_short, c_uint};
use core::ptr;
use forkexec_core::Errno;

unsafe extern "C" {
    fn priocntl(kind: libc::idtype_t, id: libc::id_t, command: c_int, ...) -> c_long;
}

/// `P_MYID`.
pub(super) const SELF: libc::id_t = -1;

const PC_GETCID: c_int = 0;
const PC_SETPARMS: c_int = 2;

/// `pcinfo_t`.
#[repr(C)]
struct Info {
    id: libc::id_t,
    name: [c_char; 16],
    of_class: [c_int; 8],
}

/// `pcparms_t`.
#[repr(C)]
struct Parameters {
    id: libc::id_t,
    of_class: OfClass,
}

/// `pc_clparms`.
#[repr(C)]
union OfClass {
    time_sharing: TimeSharing,
    real_time: RealTime,
    size: [c_int; 8],
}

/// `tsparms_t`.
#[repr(C)]
#[derive(Clone, Copy)]
struct TimeSharing {
    limit: c_short,
    priority: c_short,
}

/// `TS_NOCHANGE`.
const NO_CHANGE: c_short = c_short::MIN;

/// `rtparms_t`.
#[repr(C)]
#[derive(Clone, Copy)]
struct RealTime {
    priority: c_short,
    quantum_seconds: c_uint,
    quantum: c_int,
}

pub(super) fn done(result: impl Into<c_long>) -> Result<(), Errno> {
    if result.into() == -1 { Err(Errno::from_raw(errno::errno().0)) } else { Ok(()) }
}

/// priocntl(2) with `PC_GETCID`.
pub(super) fn class_id(name: &CStr) -> Result<c_int, Errno> {
    let mut info = Info { id: 0, name: [0; 16], of_class: [0; 8] };
    for (place, byte) in info.name.iter_mut().zip(name.to_bytes()) {
        *place = c_char::from_ne_bytes([*byte]);
    }
    // SAFETY: the kernel reads and writes the structure, which outlives the call.
    done(unsafe { priocntl(libc::P_PID, SELF, PC_GETCID, &raw mut info) })?;
    Ok(info.id)
}

/// Makes the call, on the calling process.
pub(super) fn set(call: AttributeCall) -> Result<(), Errno> {
    match call {
        AttributeCall::Bind(processor) => {
            // SAFETY: the arguments are numbers and a null pointer. The call changes the calling process, as `Kernel::new` allows.
            done(unsafe { libc::processor_bind(libc::P_PID, SELF, processor, ptr::null_mut()) })
        }
        AttributeCall::SetClass(id, class) => set_class(id, class),
        AttributeCall::DisableAslr => aslr::disable(),
    }
}

fn set_class(id: c_int, class: Class) -> Result<(), Errno> {
    let mut parameters = Parameters { id, of_class: OfClass { size: [0; 8] } };
    match class {
        Class::TimeSharing => {
            parameters.of_class.time_sharing = TimeSharing { limit: NO_CHANGE, priority: NO_CHANGE };
        }
        Class::RealTime(priority, quantum) => {
            parameters.of_class.real_time = RealTime { priority, quantum_seconds: 0, quantum };
        }
    }
    // SAFETY: the kernel reads the structure, which outlives the call. It changes the calling process, as `Kernel::new` allows.
    done(unsafe { priocntl(libc::P_PID, SELF, PC_SETPARMS, &raw mut parameters) })
}
