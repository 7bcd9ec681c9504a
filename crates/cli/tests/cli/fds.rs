//! The descriptors of this process and of others.

use std::fs::File;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::process::{self, Command, Stdio};

use forkexec_tests::isolate::isolated;
use forkexec_tests::probe;
use forkexec_tests::world::place;
use serde_json::Value;

use crate::start_with::without;
use crate::{answer, forkexec, said};

/// Returns the objects that `fds --json` prints.
fn listed(args: &[&str]) -> Vec<Value> {
    let (code, json, complaints) = answer(&[&["fds", "--json"], args].concat());
    assert_eq!((code, complaints.as_str()), (Some(0), ""));
    serde_json::from_str(&json).expect("it is a JSON array")
}

fn numbers(rows: &[Value]) -> Vec<u64> {
    rows.iter().map(|row| row["fd"].as_u64().expect("it is a number")).collect()
}

#[test]
fn fds_lists_the_descriptors_that_a_program_inherits() {
    isolated(|| {
        let _held = place(File::open("/etc/passwd").expect("it is there"), 9);
        let rows = listed(&[]);
        assert_eq!(numbers(&rows), [0, 1, 2, 9]);
        assert_eq!(
            (&rows[3]["target"], &rows[3]["mode"], &rows[3]["kind"]),
            (&"/etc/passwd".into(), &"r".into(), &"file".into())
        );
        let (code, table, _) = answer(&["fds"]);
        assert_eq!(code, Some(0));
        assert!(
            table.starts_with("FD  MODE  FLAGS") && table.contains("\n 9  r     -      file  /etc/passwd\n"),
            "{table}"
        );
    });
}

#[test]
fn closed_stream_is_not_listed() {
    isolated(|| {
        let mut command = forkexec(&["fds", "--json"]);
        let (_, json, _) = said(&without(&mut command, &[0]).output().expect("it starts"));
        let rows: Vec<Value> = serde_json::from_str(&json).expect("it is JSON");
        assert_eq!(numbers(&rows), [1, 2]);
    });
}

#[test]
fn fds_lists_another_process() {
    isolated(|| {
        let mut probe = Command::new(probe::path());
        let mut other = probe.arg("sleep-on-stdin").stdin(Stdio::piped()).spawn().expect("it starts");
        let rows = listed(&[&other.id().to_string()]);
        assert_eq!((numbers(&rows), &rows[0]["kind"]), (vec![0, 1, 2], &"pipe".into()));
        other.wait().expect("it ends");
    });
}

#[test]
fn socket_is_named_by_its_address() {
    isolated(|| {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let path = directory.path().join("socket");
        let _unix = place(UnixListener::bind(&path).expect("it can be bound"), 8);
        let tcp = TcpListener::bind("127.0.0.1:0").expect("there is a loopback device");
        let address = tcp.local_addr().expect("it is bound");
        let _tcp = place(tcp, 9);
        let own = process::id().to_string();
        let targets = |args: &[&str]| {
            let rows = listed(args);
            let target = |fd: i32| rows.iter().find(|row| row["fd"] == fd).map(|row| row["target"].clone());
            [target(8), target(9)]
        };
        let expected =
            [format!("unix {}", path.display()), format!("tcp {address}")].map(|it| Some(it.into()));
        assert_eq!([targets(&[]), targets(&[&own])], [expected.clone(), expected]);
    });
}

#[test]
fn missing_process_is_reported() {
    let (code, out, complaint) = answer(&["fds", "2147483647"]);
    assert_eq!((code, out.as_str()), (Some(125), ""));
    let expected = "forkexec: fds: cannot list the descriptors of process 2147483647: No such process";
    assert!(complaint.starts_with(expected), "{complaint}");
}

#[test]
fn invalid_pid_is_a_usage_error() {
    for pid in ["0", "x", "2147483648"] {
        let (code, _, complaint) = answer(&["fds", pid]);
        assert_eq!(code, Some(125));
        assert!(complaint.contains(&format!("invalid value '{pid}' for '[PID]'")), "{complaint}");
    }
}

#[test]
fn broken_pipe_is_success() {
    isolated(|| {
        let (reader, writer) = os_pipe::pipe().expect("a pipe can be made");
        drop(reader);
        let output = forkexec(&["fds"]).stdout(writer).stderr(Stdio::piped()).spawn().expect("it starts");
        let (code, _, complaint) = said(&output.wait_with_output().expect("it ends"));
        assert_eq!((code, complaint.as_str()), (Some(0), ""));
    });
}

#[test]
fn full_disk_is_a_failure() {
    let full = File::options().write(true).open("/dev/full").expect("it is there");
    let child = forkexec(&["fds"]).stdout(full).stderr(Stdio::piped()).spawn().expect("it starts");
    let (code, _, complaint) = said(&child.wait_with_output().expect("it ends"));
    assert_eq!(code, Some(125));
    assert!(complaint.starts_with("forkexec: fds: cannot write to standard output: "), "{complaint}");
}
