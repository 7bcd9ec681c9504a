//! The model against the kernel underneath: random programs of calls, with the same answers and the same table.
//!
//! Each difference is a fault of the model.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::AsRawFd;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use forkexec_core::{Errno, Fd, FdEnumerator, FileId, Sys};
use forkexec_linux::{Kernel, LinuxSys, ProcSelfFd};
use forkexec_tests::isolate::isolated;
use forkexec_tests::world;

use crate::sim::SimKernel;

/// Below these numbers the test and its harness have descriptors of their own.
const FIRST: Fd = 30;
const LIMIT: Fd = 90;
/// The numbers of the open files when a program begins. Every other one is close-on-exec.
const PLACES: [Fd; 8] = [30, 31, 32, 40, 55, 60, 88, 89];
const PROGRAMS: u32 = 400;

#[derive(Clone, Copy, Debug)]
enum Op {
    Close(Fd),
    DupOnto(Fd, Fd),
    DupFrom(Fd, Fd),
    IsCloexec(Fd),
    SetCloexec(Fd, bool),
    FileId(Fd),
    CloseRange(u32, u32),
    MarkRange(u32, u32),
    List(Fd),
}

/// The result of a call. A file is identified by its first number.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Done(Result<(), Errno>),
    Number(Result<Fd, Errno>),
    Flag(Result<bool, Errno>),
    File(Result<Fd, Errno>),
    Listed(Vec<Fd>),
}

type Files = BTreeMap<(u64, u64), Fd>;

fn file(files: &Files, id: FileId) -> Fd {
    files[&(id.device, id.inode)]
}

fn perform<S: LinuxSys>(sys: &S, files: &Files, op: Op) -> Answer {
    match op {
        Op::Close(fd) => Answer::Done(sys.close(fd)),
        Op::DupOnto(from, to) => Answer::Done(sys.dup2(from, to)),
        Op::DupFrom(fd, lowest) => Answer::Number(sys.dup_min(fd, lowest)),
        Op::IsCloexec(fd) => Answer::Flag(sys.is_cloexec(fd)),
        Op::SetCloexec(fd, cloexec) => Answer::Done(sys.set_cloexec(fd, cloexec)),
        Op::FileId(fd) => Answer::File(sys.file_id(fd).map(|id| file(files, id))),
        Op::CloseRange(first, last) => Answer::Done(sys.close_range(first, last)),
        Op::MarkRange(first, last) => Answer::Done(sys.close_range_cloexec(first, last)),
        Op::List(from) => {
            let mut listed = Vec::new();
            ProcSelfFd.visit(sys, from, &mut |fd| listed.push(fd)).expect("a live list is believed");
            Answer::Listed(listed)
        }
    }
}

/// Number, file and flag of the open descriptors in the tested range.
fn table<S: LinuxSys>(sys: &S, files: &Files) -> Vec<(Fd, Fd, bool)> {
    let entry = |fd| Some((fd, file(files, sys.file_id(fd).ok()?), sys.is_cloexec(fd).ok()?));
    (FIRST..LIMIT + 20).filter_map(entry).collect()
}

fn fd() -> impl Strategy<Value = Fd> {
    prop_oneof![6 => proptest::sample::select(&PLACES[..]), 6 => FIRST..LIMIT, 1 => LIMIT..LIMIT + 9, 1 => Just(-1)]
}

/// The end of a range, open or not.
fn end() -> impl Strategy<Value = u32> {
    prop_oneof![4 => FIRST.cast_unsigned()..120, 1 => Just(u32::MAX)]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        fd().prop_map(Op::Close),
        (fd(), fd()).prop_map(|(from, to)| Op::DupOnto(from, to)),
        (fd(), fd()).prop_map(|(from, lowest)| Op::DupFrom(from, lowest)),
        fd().prop_map(Op::IsCloexec),
        (fd(), any::<bool>()).prop_map(|(fd, cloexec)| Op::SetCloexec(fd, cloexec)),
        fd().prop_map(Op::FileId),
        (FIRST.cast_unsigned()..120, end()).prop_map(|(first, last)| Op::CloseRange(first, last)),
        (FIRST.cast_unsigned()..120, end()).prop_map(|(first, last)| Op::MarkRange(first, last)),
        (FIRST..LIMIT).prop_map(Op::List),
    ]
}

fn simulated() -> (SimKernel, Files) {
    let kernel = SimKernel::new().with_limit(LIMIT.cast_unsigned().into()).with_open(&PLACES);
    let ids = PLACES.map(|fd| (kernel.file_id(fd).expect("it is open"), fd));
    for fd in PLACES {
        kernel.set_cloexec(fd, fd % 2 == 0).expect("it is open");
    }
    (kernel, ids.map(|(id, fd)| ((id.device, id.inode), fd)).into())
}

/// The kernel underneath, with the same files at the same places.
fn real(sources: &[File]) -> (Kernel, Files) {
    // SAFETY: the process is this test's own, and nothing in it has a descriptor from `FIRST` up.
    let kernel = unsafe { Kernel::new() };
    kernel.close_range(FIRST.cast_unsigned(), u32::MAX).expect("this kernel has it");
    let mut files = Files::new();
    for (source, fd) in sources.iter().zip(PLACES) {
        kernel.dup2(source.as_raw_fd(), fd).expect("the place is below the limit");
        kernel.set_cloexec(fd, fd % 2 == 0).expect("it is open");
        let id = kernel.file_id(fd).expect("it is open");
        files.insert((id.device, id.inode), fd);
    }
    (kernel, files)
}

#[test]
fn simulated_kernel_answers_like_the_real_one() {
    isolated(|| {
        let (_, hard) = world::limit(libc::RLIMIT_NOFILE).expect("the limit is known");
        world::set_limit(libc::RLIMIT_NOFILE, LIMIT.cast_unsigned().into(), hard).expect("it is lowered");
        let sources = PLACES.map(|_| tempfile::tempfile().expect("a temporary file can be made"));
        let highest = sources.iter().map(AsRawFd::as_raw_fd).max();
        assert!(highest < Some(FIRST), "the harness has more descriptors than the test knows");
        let config =
            ProptestConfig { cases: PROGRAMS, failure_persistence: None, ..ProptestConfig::default() };
        let same = TestRunner::new(config).run(&proptest::collection::vec(op(), 1..30), |program| {
            let ((model, models), (real, reals)) = (simulated(), real(&sources));
            for op in program {
                let answers = [perform(&model, &models, op), perform(&real, &reals, op)];
                prop_assert_eq!(&answers[0], &answers[1], "{:?}", op);
            }
            prop_assert_eq!(table(&model, &models), table(&real, &reals));
            Ok(())
        });
        real(&[]);
        same.expect("the model is right");
    });
}
