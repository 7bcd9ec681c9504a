//! Promises and unveiled paths: their calls, their order, and what exec keeps.

use rstest::rstest;

use forkexec_core::{Attribute, Errno, Plan, Report, Stage, Unveil};
use forkexec_openbsd::Openbsd;

use crate::child_exec::{attributes_after, plain};
use crate::sim::SimKernel;
use crate::sim::attributes::Attributes;

const BIN: Attribute<'_> = Attribute::Unveil(Unveil { index: 0, path: c"/bin", permissions: c"rx" });
const DATA: Attribute<'_> = Attribute::Unveil(Unveil { index: 1, path: c"/data", permissions: c"r" });
const PLEDGE: Attribute<'_> = Attribute::Pledge(c"stdio rpath");

fn after(kernel: SimKernel, attributes: &[Attribute<'_>]) -> Result<Attributes, Report> {
    attributes_after(&Openbsd::new(kernel), &Plan { attributes, ..plain() })
}

fn entry(path: &str, permissions: &str) -> (String, String) {
    (path.to_owned(), permissions.to_owned())
}

#[test]
fn program_has_its_promises_and_paths() {
    let attributes = after(SimKernel::new(), &[PLEDGE, BIN, DATA, Attribute::LockUnveil]);
    let expected = Attributes {
        exec_promises: Some("stdio rpath".to_owned()),
        unveiled: vec![entry("/bin", "rx"), entry("/data", "r")],
        unveil_locked: true,
        ..Attributes::of_root()
    };
    assert_eq!(attributes, Ok(expected));
}

/// So the library refuses such a command.
#[test]
fn exec_drops_paths_without_promises() {
    let attributes = after(SimKernel::new(), &[BIN, Attribute::LockUnveil]).expect("the program is visible");
    assert_eq!((attributes.unveiled, attributes.unveil_locked), (vec![], false));
}

#[rstest]
#[case::unknown_promise(&[Attribute::Pledge(c"stdio rpaht")], Stage::Pledge, Errno::INVAL, 0)]
#[case::second_path(&[BIN, Attribute::LockUnveil, DATA, PLEDGE], Stage::Unveil, Errno::PERM, 1)]
#[case::program_is_not_executable(&[Attribute::Unveil(Unveil { index: 0, path: c"/bin", permissions: c"r" }), PLEDGE],
    Stage::Exec, Errno::ACCES, 0)]
#[case::program_is_hidden(&[DATA, PLEDGE], Stage::Exec, Errno::NOENT, 0)]
#[case::attribute_of_linux(&[Attribute::SessionKeyring], Stage::SessionKeyring, Errno::NOSYS, 0)]
fn refused_attribute_is_reported(
    #[case] attributes: &[Attribute<'_>],
    #[case] stage: Stage,
    #[case] errno: Errno,
    #[case] operand: i32,
) {
    assert_eq!(after(SimKernel::new(), attributes), Err(Report { stage, errno, operand }));
}

/// A process can only reduce the promises of its programs.
#[test]
fn promises_of_the_parent_limit_those_of_the_child() {
    let kernel =
        || SimKernel::new().with_process(|it| it.attributes.exec_promises = Some("stdio".to_owned()));
    let report = Report { stage: Stage::Pledge, errno: Errno::PERM, operand: 0 };
    assert_eq!(after(kernel(), &[PLEDGE]), Err(report));
    assert!(after(kernel(), &[Attribute::Pledge(c"stdio")]).is_ok());
}
