//! Descriptors under chosen numbers, which never hit the report.
//!
//! - `channel`: a failed exec is never a success, whatever has the number of the report pipe
//! - `plan`: a plan as data, its model, and its execution
//! - `random`: random plans against the model
//! - `streams`: 0, 1 and 2, in a parent that lacks some of them

mod channel;
mod plan;
mod random;
mod streams;

use std::fs::{self, File};
use std::os::fd::{AsRawFd, RawFd};

use forkexec::Resource;
use forkexec_tests::isolate::isolated;
use forkexec_tests::world;
use rstest::rstest;

use crate::start::{
    high_memory_file, identity, is_cloexec, memory_file, path_descriptor, probe, report, seen, set_cloexec,
    table,
};
use plan::{Is, Plan, Table};

/// Faults: D3
#[rstest]
#[case::one(&[(3, 4)])]
// Faults: N13
#[case::swap(&[(3, 4), (4, 3)])]
#[case::ring_of_three(&[(3, 4), (4, 5), (5, 3)])]
#[case::two_rings(&[(3, 4), (4, 3), (5, 6), (6, 5)])]
#[case::ring_with_a_leaf(&[(3, 4), (4, 3), (3, 5)])]
#[case::chain(&[(3, 4), (4, 5)])]
#[case::chain_listed_from_its_end(&[(4, 5), (3, 4)])]
#[case::fan_out(&[(3, 4), (3, 5), (3, 6)])]
#[case::fan_out_onto_open_numbers_and_itself(&[(3, 3), (3, 4), (3, 20)])]
#[case::identity(&[(7, 7)])]
#[case::input_and_output_swapped(&[(0, 1), (1, 0)])]
#[case::standard_streams_in_a_ring(&[(0, 1), (1, 2), (2, 0)])]
#[case::output_for_everything(&[(1, 0), (1, 2), (1, 3)])]
#[case::input_for_another_one(&[(0, 9)])]
#[case::another_one_for_input(&[(9, 0)])]
#[case::high_onto_low_and_low_onto_high(&[(800, 3), (3, 800)])]
fn mappings_take_effect_all_at_once(#[case] mappings: &[(RawFd, RawFd)]) {
    isolated(|| {
        let sources = mappings.iter().map(|&(source, _)| source);
        let plan = Plan { mappings: mappings.to_vec(), ..Plan::with_open(sources) };
        assert_eq!(plan.carry_out(), Ok((expected(mappings), vec![])));
    });
}

/// 0, 1 and 2 as they are, and each source under its targets.
fn expected(mappings: &[(RawFd, RawFd)]) -> Table {
    let stay = [0, 1, 2].map(|fd| (fd, Is::Fd(fd)));
    let mapped = mappings.iter().map(|&(source, target)| (target, Is::Fd(source)));
    stay.into_iter().chain(mapped).chain([(plan::REPORT, Is::Report)]).collect()
}

/// Faults: N14, D4
#[test]
fn fd_mapped_to_itself_loses_cloexec_in_the_child_alone() {
    isolated(|| {
        let file = memory_file();
        let fd = file.as_raw_fd();
        let seen = report(probe(&[]).fd(fd, &file));
        assert_eq!((seen.fds, is_cloexec(&file)), (vec![0, 1, 2, fd], true));
    });
}

/// Faults: D6
#[test]
fn source_above_the_limit_can_be_mapped_below_it() {
    isolated(|| {
        let file = high_memory_file();
        world::set_limit(libc::RLIMIT_NOFILE, 64, 64).expect("a limit can be lowered");
        let seen = report(probe(&[]).fd(63, &file));
        assert_eq!(table(&seen)[3..], [(63, identity(&file))]);
    });
}

/// Faults: D6
#[test]
fn target_above_the_limit_of_the_child_is_possible() {
    isolated(|| {
        let file = memory_file();
        let seen = report(probe(&[]).fd(100, &file).rlimit(Resource::NOFILE, Some(64), Some(64)));
        assert_eq!((seen.fds, seen.limits["nofile"]), (vec![0, 1, 2, 100], (64, 64)));
    });
}

/// Faults: D13
#[test]
fn path_descriptor_can_be_mapped() {
    isolated(|| {
        let root = path_descriptor();
        let seen = report(probe(&[]).fd(33, &root));
        assert_eq!(table(&seen)[3..], [(33, identity(&root))]);
    });
}

#[test]
fn command_holds_its_owned_source_until_dropped() {
    isolated(|| {
        let file = memory_file();
        let it = identity(&file);
        let mut command = probe(&["report"]);
        command.fd(33, file);
        assert_eq!([(); 2].map(|()| table(&seen(&mut command))[3]), [(33, it); 2]);
    });
}

#[test]
fn directory_fd_on_a_target_number_works_for_chdir() {
    isolated(|| {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let path = fs::canonicalize(directory.path()).expect("it is there");
        let open = world::place(File::open(&path).expect("it can be opened"), 7);
        let file = memory_file();
        let mut command = probe(&[]);
        command.current_dir_fd(&open).fd(7, &file);
        let seen = report(&mut command);
        assert_eq!((table(&seen)[3..].to_vec(), seen.cwd), (vec![(7, identity(&file))], Some(path)));
    });
}

#[test]
fn directory_fd_on_a_closed_stream_works_for_chdir() {
    isolated(|| {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let path = fs::canonicalize(directory.path()).expect("it is there");
        let low = File::open(&path).expect("it can be opened");
        let reopen = world::close_stdio(&[0]);
        let open = world::place(low, 0);
        let mut command = probe(&[]);
        command.current_dir_fd(&open).stdin(forkexec::Stdio::closed());
        let seen = report(&mut command);
        drop(command);
        drop(open);
        drop(reopen);
        assert_eq!((seen.fds, seen.cwd), (vec![1, 2], Some(path)));
    });
}

#[test]
fn directory_fd_is_not_inherited() {
    isolated(|| {
        let root = File::open("/").expect("it is there");
        assert_eq!(report(probe(&[]).current_dir_fd(&root)).fds, [0, 1, 2]);
    });
}

#[test]
fn source_without_cloexec_is_not_inherited_under_its_number() {
    isolated(|| {
        let file = world::place(high_memory_file(), 30);
        assert_eq!(report(probe(&[]).fd(31, &file)).fds, [0, 1, 2, 31]);
    });
}

#[test]
fn inherit_all_and_mappings_combine() {
    isolated(|| {
        let files = [30, 31, 32].map(|number| world::place(high_memory_file(), number));
        set_cloexec(&files[2]);
        let seen = report(probe(&[]).inherit_all().fd(31, &files[0]));
        let file = identity(&files[0]);
        assert_eq!(table(&seen)[3..], [(30, file), (31, file)]);
    });
}
