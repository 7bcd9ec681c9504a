//! The descriptors that a program gets.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::fs::MetadataExt;

use forkexec_tests::isolate::isolated;
use forkexec_tests::probe::{FdFacts, Kind, Seen};
use forkexec_tests::world::place;
use rstest::rstest;
use tempfile::TempDir;

use crate::start_with::without;
use crate::{forkexec, reported, run, said, seen};

/// Opens a new file under this number, and returns its device and inode.
fn file_at(number: RawFd) -> (OwnedFd, (u64, u64)) {
    let file = tempfile::tempfile().expect("a file can be made");
    let about = file.metadata().expect("it is open");
    (place(file, number), (about.dev(), about.ino()))
}

fn id(facts: FdFacts) -> (u64, u64) {
    (facts.dev, facts.ino)
}

#[test]
fn program_gets_only_0_1_and_2() {
    isolated(|| {
        let _held = [file_at(6), file_at(9), file_at(700)];
        assert_eq!(seen(&[]).fds, [0, 1, 2]);
    });
}

#[rstest]
#[case::one(&["--keep", "9"], &[9])]
// Faults: N5
#[case::twice(&["--keep", "9", "--keep", "9"], &[9])]
// Faults: N4
#[case::list(&["--keep", "700,9"], &[9, 700])]
#[case::range(&["--keep", "9-10,6"], &[6, 9, 10])]
// Faults: N6
#[case::standard_stream(&["--keep", "0,9"], &[9])]
fn kept_descriptors_keep_their_numbers(#[case] options: &[&str], #[case] fds: &[RawFd]) {
    isolated(|| {
        let held = [file_at(6), file_at(9), file_at(10), file_at(700)];
        let seen = seen(options);
        assert_eq!(seen.fds, [&[0, 1, 2], fds].concat());
        for (fd, file) in held.iter().filter(|(fd, _)| fds.contains(&fd.as_raw_fd())) {
            assert_eq!(id(seen.facts[&fd.as_raw_fd()]), *file);
        }
    });
}

/// Faults: N13
#[test]
fn mappings_take_effect_at_once() {
    isolated(|| {
        let ((_six, at_six), (_seven, at_seven)) = (file_at(6), file_at(7));
        let seen = seen(&["--map", "6:7", "--map", "7:6", "--map", "6:8"]);
        assert_eq!(seen.fds, [0, 1, 2, 6, 7, 8]);
        assert_eq!([6, 7, 8].map(|fd| id(seen.facts[&fd])), [at_seven, at_six, at_six]);
    });
}

#[test]
fn mapping_can_target_a_standard_stream() {
    isolated(|| {
        let (_file, at_five) = file_at(5);
        let seen = seen(&["--map", "5:0", "--map", "0:5"]);
        assert_eq!((id(seen.facts[&0]), seen.facts[&5].kind), (at_five, Kind::Char));
    });
}

#[test]
fn inherit_all_closes_nothing() {
    isolated(|| {
        let _held = file_at(9);
        assert_eq!(seen(&["--inherit-all"]).fds, [0, 1, 2, 9]);
    });
}

#[rstest]
fn each_close_strategy_closes_the_rest(#[values("bulk", "enumerate", "loop")] link: &str) {
    isolated(|| {
        let _held = [file_at(6), file_at(9), file_at(700)];
        assert_eq!(seen(&["--close-strategy", link, "--keep", "9"]).fds, [0, 1, 2, 9]);
    });
}

/// Rust's runtime opens `/dev/null` on closed streams. The program must not get it.
#[rstest]
#[case::input(&[0], &[], &[1, 2, 9])]
#[case::error(&[2], &[], &[0, 1, 9])]
#[case::all(&[0, 1, 2], &[], &[9])]
#[case::unless_set(&[0, 2], &["--stdin", "null"], &[0, 1, 9])]
#[case::also_if_inherited_by_name(&[0], &["--stdin", "inherit"], &[1, 2, 9])]
#[case::unless_mapped(&[0], &["--map", "9:0"], &[0, 1, 2, 9])]
fn closed_stream_stays_closed(
    #[case] closed: &'static [RawFd],
    #[case] options: &[&str],
    #[case] fds: &[RawFd],
) {
    isolated(|| {
        let (held, _) = file_at(9);
        let options = [&["--keep", "9"], options].concat();
        let mut command = run(&options, &["report", "--to", "9"]);
        assert!(without(&mut command, closed).status().expect("it starts").success());
        let text = io::read_to_string(rewound(held)).expect("the report is text");
        assert_eq!(Seen::parse(&text).fds, fds);
    });
}

fn rewound(file: OwnedFd) -> File {
    let mut file = File::from(file);
    io::Seek::rewind(&mut file).expect("a file can be rewound");
    file
}

#[rstest]
#[case::kept(&["--keep", "0"], "--keep 0: cannot use fd 0: it is not open")]
#[case::mapped(&["--map", "0:7"], "--map 0:7: cannot use fd 0: it is not open")]
fn closed_descriptor_cannot_be_kept_or_mapped(#[case] options: &[&str], #[case] message: &str) {
    isolated(|| {
        let output = without(&mut run(options, &["true"]), &[0]).output().expect("it starts");
        assert_eq!(said(&output), (Some(125), String::new(), format!("forkexec: run: {message}\n")));
    });
}

/// The first number that the command opens for itself is not a descriptor that it inherited.
#[test]
fn descriptor_of_the_command_itself_cannot_be_kept() {
    isolated(|| {
        let mut command = run(&["--stdin", "file:/dev/zero", "--keep", "3"], &["true"]);
        let output = command.output().expect("it starts");
        assert_eq!(
            said(&output),
            (
                Some(125),
                String::new(),
                "forkexec: run: --keep 3: cannot use fd 3: it is not open\n".to_owned()
            )
        );
    });
}

#[test]
fn streams_can_be_files() {
    let directory = TempDir::new().expect("a directory can be made");
    let path = |name: &str| directory.path().join(name).display().to_string();
    fs::write(path("in"), "text").expect("a file can be made");
    let (input, output) = (format!("file:{}", path("in")), format!("file:{}", path("out")));
    let status = run(&["--stdin", &input, "--stdout", &output], &["echo"]).status().expect("it starts");
    assert!(status.success());
    assert_eq!(fs::read_to_string(path("out")).expect("it was made"), "text");
}

#[test]
fn streams_can_be_null_or_closed() {
    let seen = seen(&["--stdin", "null", "--stderr", "closed"]);
    assert_eq!((seen.fds, seen.facts[&0].kind), (vec![0, 1], Kind::Char));
    let output = run(&["--stdout", "null"], &["write", "1", "lost"]).output().expect("it starts");
    assert_eq!(said(&output), (Some(0), String::new(), String::new()));
}

#[test]
fn streams_are_inherited() {
    let output = run(&[], &["write", "2", "said"]).output().expect("it starts");
    assert_eq!(said(&output), (Some(0), String::new(), "said".to_owned()));
}

#[test]
fn options_after_the_program_belong_to_it() {
    let mut command = forkexec(&["run", "--stdin", "null"]);
    let probe = forkexec_tests::probe::path();
    let seen = reported(command.arg(probe).args(["report", "--keep", "99", "--help", "--"]));
    assert_eq!(seen.args[1..], ["report", "--keep", "99", "--help", "--"]);
}
