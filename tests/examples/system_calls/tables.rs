//! The tables, from a trace of this program.

use std::collections::BTreeMap;
use std::env;
use std::process::ExitCode;

use forkexec::SpawnPolicy;
use forkexec_tests::starts::{self, Known, OPERATIONS, Operation, STARTS, Start, Traced};

const PERFORM: &str = "perform";
const NOT_TRACED: u8 = 3;

/// Prints the tables, or makes the traced starts.
pub(crate) fn print() -> ExitCode {
    if env::args().nth(1).as_deref() == Some(PERFORM) {
        starts::perform();
        return ExitCode::SUCCESS;
    }
    let me = env::current_exe().expect("a process knows its program");
    let traced: Option<Vec<_>> =
        STARTS.iter().map(|start| Some((start, starts::trace(start, me.as_os_str(), [PERFORM])?))).collect();
    let Some(traced) = traced else { return NOT_TRACED.into() };
    if let Some((start, _)) = traced.iter().find(|(start, traced)| !is_as_written(start, traced)) {
        eprintln!("{:?} does not start as expected of Linux 5.9 and later on x86_64", start.title);
        return NOT_TRACED.into();
    }
    print_counts(&traced);
    print_operations();
    for (start, traced) in &traced {
        print_start(start, traced);
    }
    ExitCode::SUCCESS
}

/// Returns false on a kernel or processor with other calls.
fn is_as_written(start: &Start<'_>, traced: &Traced) -> bool {
    let call = if start.launch == SpawnPolicy::Fork { "fork" } else { "clone3" };
    traced.start.parent.iter().any(|name| name == call) && traced.start.child[0] != "unshare"
}

fn print_counts(traced: &[(&Start<'_>, Traced)]) {
    println!("## Counts\n");
    println!("| start with | parent | child | total | to prepare it | to wait for it |");
    println!("|---|---|---|---|---|---|");
    for (start, Traced { preparing, start: calls, ending, .. }) in traced {
        let (parent, child) = (calls.parent.len(), calls.child.len());
        println!(
            "| {} | {parent} | {child} | {} | {} | {} |",
            start.title,
            parent + child,
            preparing.len(),
            ending.len()
        );
    }
    let (_, Traced { first, start, preparing, ending, .. }) = &traced[0];
    let mut more = first.parent.clone();
    for call in &start.parent {
        more.iter().position(|first| first == call).map(|index| more.remove(index));
    }
    println!("\nThe first start of a process makes {} more calls, once: {}.", more.len(), names(&more));
    println!(
        "Calls to prepare a command without options: {}. Calls to wait for its child: {}.",
        names(preparing),
        names(ending)
    );
}

/// Joins the names in the order of their first appearance, each with its count.
fn names(calls: &[String]) -> String {
    let mut counts = BTreeMap::new();
    let mut order = Vec::new();
    for name in calls {
        let count = counts.entry(name).or_insert(0_usize);
        *count += 1;
        if *count == 1 {
            order.push(name);
        }
    }
    let named = order.iter().map(|name| match counts[*name] {
        1 => format!("`{name}`"),
        count => format!("`{name}` ({count} times)"),
    });
    named.collect::<Vec<_>>().join(", ")
}

/// strace traces the child already.
const SUSPENDED: &str = "\
strace cannot count `start_suspended`, because its child has another tracer. The child calls `getpid`, `poll`, `execve` without a
path, `rt_sigprocmask` and `ptrace` (2 times) before its exec. The parent calls `ptrace` (2 times, and more often if the child has not
stopped yet) in the place of `wait4`. For `setns` with a pid namespace, a new thread of the parent calls `setns` and starts the child.";

fn print_operations() {
    println!("\n## Operations\n");
    println!("| operation | parent | child |");
    println!("|---|---|---|");
    for Operation { method, cost, .. } in OPERATIONS {
        let column = |known: &[Known]| {
            let calls: Vec<_> = known.iter().map(|(name, _)| (*name).to_owned()).collect();
            if calls.is_empty() { "-".to_owned() } else { names(&calls) }
        };
        println!("| {method} | {} | {} |", column(cost.parent), column(cost.child));
    }
    println!("\n{SUSPENDED}");
}

fn print_start(start: &Start<'_>, traced: &Traced) {
    println!("\n## {}{}\n", start.title[..1].to_uppercase(), &start.title[1..]);
    if !start.asked.is_empty() {
        let methods: Vec<_> = start.asked.iter().map(|name| Operation::named(name).method).collect();
        println!("{}.\n", methods.join(", "));
    }
    println!("| | call | purpose |");
    println!("|---|---|---|");
    let mut known = start.expected();
    let forked = start.launch == SpawnPolicy::Fork;
    let mut order = traced.start.order.clone();
    if forked {
        // Parent and child run at the same time.
        order.sort_by_key(|(is_childs, _)| *is_childs);
    }
    let mut looks =
        order.iter().filter(|(is_childs, name)| forked && *is_childs && name == "rt_sigaction").count();
    for (is_childs, name) in order {
        let who = if is_childs { "child" } else { "parent" };
        if forked && is_childs && name == "rt_sigaction" {
            if looks > 0 {
                println!(
                    "| {who} | `{name}`, {looks} times | checks each of 64 signals, and sets the default action for those with a handler and those that get it by policy |"
                );
            }
            looks = 0;
            continue;
        }
        let known = &mut known[usize::from(is_childs)];
        let position = known.iter().position(|(known, _)| *known == name);
        let position =
            position.unwrap_or_else(|| panic!("{}: nothing is written down for {name}", start.title));
        let (_, what_for) = known.remove(position);
        println!("| {who} | `{name}` | {what_for} |");
    }
    assert!(known.iter().all(Vec::is_empty), "{}: these are not made: {known:?}", start.title);
}
