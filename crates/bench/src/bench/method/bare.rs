//! The floor and posix_spawn: C code that is compiled at run time and loaded into the worker, to run in the same process.

use super::{Kind, Refusal, SpawnMethod, Spawner};
use crate::bench::Failure;
use crate::bench::job::{ID, Job, Task};
use std::ffi::{CStr, CString, c_char, c_int, c_uint};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::ptr;
use std::sync::OnceLock;

pub(super) const LEAKS: SpawnMethod =
    floor("floor-leaks", "floor: copies the table, closes nothing", |job| bare(job, Entry::Floor, 0));

pub(super) const COPIES: SpawnMethod =
    floor("floor-copies", "floor: copies the table, closes", |job| bare(job, Entry::Floor, 1));

pub(super) const SHARES: SpawnMethod =
    floor("floor-shares", "floor: shares the table", |job| bare(job, Entry::Floor, 2));

pub(super) const SLOTS: SpawnMethod =
    floor("floor-slots", "floor: shares, high sources moved to reserved low numbers", |job| {
        with_sources(job, 3, "there is nothing to move")
    });

pub(super) const PIDFD: SpawnMethod =
    floor("floor-pidfd", "floor: shares the table, with a pidfd", |job| bare(job, Entry::Floor, 4));

pub(super) const SLOTS_PIDFD: SpawnMethod =
    floor("floor-slots-pidfd", "floor: shares, reserved low numbers, with a pidfd", |job| {
        with_sources(job, 5, "there is nothing to move")
    });

pub(super) const TAKES: SpawnMethod =
    floor("floor-takes", "floor: shares, takes its sources from the parent", |job| {
        with_sources(job, 6, "there is nothing to take")
    });

pub(super) const TAKES_PIDFD: SpawnMethod =
    floor("floor-takes-pidfd", "floor: shares, takes its sources, with a pidfd", |job| {
        with_sources(job, 7, "there is nothing to take")
    });

pub(in crate::bench) const VFORK: SpawnMethod =
    floor("floor-vfork", "floor: vfork, closes what /dev/fd lists", |job| bare(job, Entry::Floor, 8));

pub(super) const POSIX_SPAWN: SpawnMethod =
    SpawnMethod::peer("posix-spawn", "glibc posix_spawn", |job| bare(job, Entry::PosixSpawn, 0));

pub(super) const POSIX_SPAWN_CLOSES: SpawnMethod =
    SpawnMethod::peer("posix-spawn-closes", "glibc posix_spawn + addclosefrom_np", |job| {
        bare(job, Entry::PosixSpawn, 1)
    });

/// A floor that differs from the others only if the child gets descriptors.
fn with_sources(job: &Job, way: c_int, otherwise: &'static str) -> Result<Spawner, Refusal> {
    match job.task {
        Task::Captured | Task::Kept | Task::Mapped => bare(job, Entry::Floor, way),
        Task::Plain | Task::Full => Err(Refusal::Unable(otherwise)),
    }
}

const fn floor(
    id: &'static str,
    title: &'static str,
    prepare: fn(&Job) -> Result<Spawner, Refusal>,
) -> SpawnMethod {
    SpawnMethod { id, title, kind: Kind::Floor, worker: "native", prepare }
}

/// `int floor_spawn(const struct job *, int)` and similar functions.
type Function = unsafe extern "C" fn(*const CJob, c_int) -> c_int;

#[derive(Clone, Copy)]
enum Entry {
    Floor,
    PosixSpawn,
}

struct Library {
    floor: Function,
    posix_spawn: Function,
}

static LIBRARY: OnceLock<Library> = OnceLock::new();

/// Loads the shared object, until the process ends.
pub(in crate::bench) fn load(path: &Path) -> Result<(), Failure> {
    let name = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: the name is a C string, and the object has no initializers.
    let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW) };
    if handle.is_null() {
        return Err(format!("cannot load {}", path.display()).into());
    }
    let symbol = |name: &CStr| {
        // SAFETY: the handle is that of an open object, and the name is a C string.
        let address = unsafe { libc::dlsym(handle, name.as_ptr()) };
        if address.is_null() {
            return Err(format!("no {name:?} in {}", path.display()));
        }
        // SAFETY: the C files of this crate declare both functions with this signature.
        Ok(unsafe { std::mem::transmute::<*mut libc::c_void, Function>(address) })
    };
    let library = Library { floor: symbol(c"floor_spawn")?, posix_spawn: symbol(c"posix_spawn_spawn")? };
    LIBRARY.set(library).map_err(|_| "loaded twice".into())
}

/// `struct job` of `workers/job.h`.
#[repr(C)]
struct CJob {
    program: *const c_char,
    arguments: *const *const c_char,
    environment: *const *const c_char,
    task: c_int,
    kept: [c_int; 2],
    source: c_int,
    id: c_uint,
}

unsafe extern "C" {
    static environ: *const *const c_char;
}

/// The record, and the owners of the memory behind its pointers.
struct OwnedJob {
    record: CJob,
    _pointers: Vec<*const c_char>,
    _strings: Vec<CString>,
}

impl OwnedJob {
    /// Calls the function. As a method, it makes a closure own all of `self`, and not only the record.
    fn spawn(&self, function: Function, way: c_int) -> Result<(), Refusal> {
        // SAFETY: `self` owns the memory behind the pointers, and the functions keep no pointer.
        match unsafe { function(&raw const self.record, way) } {
            0 => Ok(()),
            libc::ENOTSUP => Err(Refusal::Unable("it has no such operation")),
            errno => Err(std::io::Error::from_raw_os_error(errno).into()),
        }
    }
}

fn owned(job: &Job) -> Result<OwnedJob, Refusal> {
    let text = |bytes: &[u8]| CString::new(bytes).map_err(|error| Refusal::Failed(error.to_string()));
    let mut strings = vec![text(job.program.as_os_str().as_bytes())?];
    for argument in &job.arguments {
        strings.push(text(argument.as_bytes())?);
    }
    let mut pointers: Vec<_> = strings.iter().map(|string| string.as_ptr()).collect();
    pointers.push(ptr::null());
    let record = CJob {
        program: pointers[0],
        arguments: pointers.as_ptr(),
        // SAFETY: no code in this process changes the environment.
        environment: unsafe { environ },
        task: job.task as c_int,
        kept: job.kept,
        source: job.source,
        id: ID,
    };
    Ok(OwnedJob { record, _pointers: pointers, _strings: strings })
}

fn bare(job: &Job, entry: Entry, way: c_int) -> Result<Spawner, Refusal> {
    let library = LIBRARY.get().ok_or(Refusal::Unable("no C compiler"))?;
    let function = match entry {
        Entry::Floor => library.floor,
        Entry::PosixSpawn => library.posix_spawn,
    };
    let owned = owned(job)?;
    Ok(Box::new(move || owned.spawn(function, way)))
}
