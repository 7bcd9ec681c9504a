//! The two printers: text, and a JSON object.

use std::io::{self, Write};

use anstyle::Style;
use serde::Serialize;

use super::report::{Inheritor, Leak, Process, Step, Traced};
use crate::fds::printable;

const HEADING: Style = Style::new().bold();

/// The number of characters of a command line that are shown.
const SHOWN: usize = 60;

/// Prints a paragraph for each leak.
pub(in crate::leaks) fn text(traced: &Traced, out: &mut dyn Write) -> io::Result<()> {
    for (process, reason) in &traced.unseen {
        writeln!(out, "forkexec: leaks: cannot list the descriptors of {}: {reason}", named(process))?;
    }
    traced.leaks.iter().try_for_each(|leak| paragraph(leak, out))
}

#[derive(Serialize)]
struct Object<'a> {
    execs: u32,
    leaks: &'a [Leak],
    unseen: Vec<Unseen<'a>>,
}

#[derive(Serialize)]
struct Unseen<'a> {
    #[serde(flatten)]
    process: &'a Process,
    reason: &'a str,
}

/// Prints the object on one line.
pub(in crate::leaks) fn json(traced: &Traced, out: &mut dyn Write) -> io::Result<()> {
    let unseen = traced.unseen.iter().map(|(process, reason)| Unseen { process, reason }).collect();
    let object = Object { execs: traced.execs, leaks: &traced.leaks, unseen };
    writeln!(out, "{}", serde_json::to_string(&object)?)
}

fn paragraph(leak: &Leak, out: &mut dyn Write) -> io::Result<()> {
    let row = &leak.row;
    let target = row.target.as_deref().map_or_else(|| "-".into(), printable);
    let flags = row.flags.iter().flat_map(|flag| [" ", flag]).collect::<String>();
    let what = format!("{} {} {target}", row.mode.word(), row.kind.word());
    writeln!(out, "forkexec: leaks: {HEADING}{} {what}{HEADING:#}{flags}", row.fd)?;
    match &leak.opened {
        None => writeln!(out, "    held by       {}, opened by an untraced call", named(&leak.held_by))?,
        Some(step) => by(step, "opened by", out)?,
    }
    leak.then.iter().try_for_each(|step| by(step, "then by", out))?;
    leak.inherited_by.iter().try_for_each(|inheritor| inherited(inheritor, row.fd, out))
}

fn by(step: &Step, word: &str, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "    {word:<12}  {}, {}", named(&step.by), step.call)
}

fn inherited(inheritor: &Inheritor, fd: i32, out: &mut dyn Write) -> io::Result<()> {
    let number = if inheritor.fd == fd { String::new() } else { format!(" as {}", inheritor.fd) };
    let times = if inheritor.times == 1 { String::new() } else { format!(", {} times", inheritor.times) };
    writeln!(out, "    inherited by  {}{number}{times}", named(&inheritor.process))
}

/// Formats a process, such as `/bin/cat (process 42: cat -n)`.
fn named(process: &Process) -> String {
    let program = &process.program;
    let line = printable(&program.args.join(" "));
    let shown = match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line,
    };
    format!("{} (process {}: {shown})", printable(&program.program), process.pid)
}

#[cfg(test)]
mod tests {
    use std::process::ExitStatus;
    use std::rc::Rc;

    use super::super::report::Program;
    use super::*;
    use crate::fds::{Kind, Mode, Row};

    fn process(pid: i32, args: &[&str]) -> Process {
        let args: Vec<_> = args.iter().map(ToString::to_string).collect();
        Process { pid, program: Rc::new(Program { program: format!("/bin/{}", args[0]), args }) }
    }

    fn traced() -> Traced {
        let row = Row {
            fd: 7,
            mode: Mode::Write,
            cloexec: Some(false),
            flags: vec!["append"],
            kind: Kind::File,
            target: Some("/tmp/a\nb".into()),
        };
        let [opened, then] = ["openat", "dup2"].map(|call| Some(Step { call, by: process(2, &["sh"]) }));
        let inheritor =
            |fd, pid, args: &[&str], times| Inheritor { fd, process: process(pid, args), times, exec: 1 };
        let long = "x".repeat(80);
        let inherited_by = vec![inheritor(7, 3, &["cat", "-n"], 1), inheritor(8, 4, &["cp", &long], 3)];
        let leak = Leak { row, opened, then, held_by: process(2, &["sh"]), inherited_by };
        Traced { leaks: vec![leak], execs: 4, unseen: vec![], status: ExitStatus::default() }
    }

    fn printed(print: fn(&Traced, &mut dyn Write) -> io::Result<()>, traced: &Traced) -> String {
        let mut out = Vec::new();
        print(traced, &mut anstream::StripStream::new(&mut out)).expect("a vector takes all");
        String::from_utf8(out).expect("it is text")
    }

    #[test]
    fn text_has_a_paragraph_for_each_leak() {
        let expected = "forkexec: leaks: 7 w file /tmp/a\\nb append\n\
                        \x20   opened by     /bin/sh (process 2: sh), openat\n\
                        \x20   then by       /bin/sh (process 2: sh), dup2\n\
                        \x20   inherited by  /bin/cat (process 3: cat -n)\n\
                        \x20   inherited by  /bin/cp (process 4: cp XX...) as 8, 3 times\n";
        let expected = expected.replace("XX", &"x".repeat(SHOWN - 3));
        assert_eq!(printed(text, &traced()), expected);
    }

    #[test]
    fn without_leaks_only_json_prints_something() {
        let none = Traced { leaks: vec![], ..traced() };
        assert_eq!(printed(text, &none), "");
        assert_eq!(printed(json, &none), "{\"execs\":4,\"leaks\":[],\"unseen\":[]}\n");
    }

    #[test]
    fn text_names_programs_that_could_not_be_checked() {
        let unseen = vec![(process(5, &["su"]), "Permission denied".to_owned())];
        let traced = Traced { leaks: vec![], unseen, ..traced() };
        let expected =
            "forkexec: leaks: cannot list the descriptors of /bin/su (process 5: su): Permission denied\n";
        assert_eq!(printed(text, &traced), expected);
    }

    #[test]
    fn object_has_the_processes_and_their_calls() {
        let object: serde_json::Value = serde_json::from_str(&printed(json, &traced())).expect("it is JSON");
        let leak = &object["leaks"][0];
        assert_eq!(
            (&leak["fd"], &leak["kind"], &leak["target"]),
            (&7.into(), &"file".into(), &"/tmp/a\nb".into())
        );
        assert_eq!((&leak["opened"]["call"], &leak["then"]["call"]), (&"openat".into(), &"dup2".into()));
        assert_eq!(leak["then"]["pid"], 2);
        assert_eq!(leak["held_by"]["program"], "/bin/sh");
        let inheritor = &leak["inherited_by"][1];
        assert_eq!(
            (&inheritor["fd"], &inheritor["times"], &inheritor["args"][0]),
            (&8.into(), &3.into(), &"cp".into())
        );
    }
}
