//! The scenarios: groups of columns, each with its own state of the parent.

use super::cli::{GroupName, Options};
use super::job::Task;
use super::setup;
use serde::Serialize;

const GIB: u64 = 1 << 30;

/// The number of open descriptors in scenarios about something else.
const FEW: u32 = 10;

/// The state of the parent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub(super) struct World {
    /// The number of inheritable descriptors above 2.
    pub(super) descriptors: u32,
    /// The touched memory in bytes.
    pub(super) memory: u64,
}

/// The order of the spawns.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub(super) enum Pace {
    /// One after the other, with a time for each.
    Alone,
    /// In so many threads at once, with one time for all.
    Threads(usize),
}

/// One column of a table.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Scenario {
    pub(super) world: World,
    pub(super) task: Task,
    pub(super) pace: Pace,
}

/// One table.
pub(super) struct Group {
    pub(super) name: GroupName,
    pub(super) title: String,
    pub(super) scenarios: Vec<Scenario>,
}

impl Scenario {
    /// Returns the title of its column.
    pub(super) fn title(&self, group: GroupName) -> String {
        match (group, self.pace) {
            (GroupName::Threads, Pace::Threads(1)) => "1 thread".to_owned(),
            (GroupName::Threads, Pace::Threads(threads)) => format!("{threads} threads"),
            (GroupName::Memory, _) => format!("{} GiB", self.world.memory / GIB),
            _ => format!("{} open", self.world.descriptors),
        }
    }
}

/// Returns the selected groups.
pub(super) fn groups(options: &Options) -> Vec<Group> {
    let all = [GroupName::Descriptors, GroupName::Memory, GroupName::Threads];
    let wanted = |name: &GroupName| options.group.is_empty() || options.group.contains(name);
    all.into_iter().filter(wanted).flat_map(|name| tables(name, options)).collect()
}

fn tables(name: GroupName, options: &Options) -> Vec<Group> {
    match name {
        GroupName::Descriptors => [Task::Plain, Task::Captured, Task::Kept, Task::Mapped]
            .map(|task| Group {
                name,
                title: format!("Descriptors open in the parent; {}", task.title()),
                scenarios: descriptor_worlds(options).map(|world| alone(world, task)).collect(),
            })
            .into(),
        GroupName::Memory => [Task::Plain, Task::Full]
            .map(|task| Group {
                name,
                title: format!("Memory touched in the parent; {}", task.title()),
                scenarios: memory_worlds(options).map(|world| alone(world, task)).collect(),
            })
            .into(),
        GroupName::Threads => vec![Group {
            name,
            title: "Threads that spawn at once".to_owned(),
            scenarios: [1, 2, 8]
                .map(|threads| Scenario { pace: Pace::Threads(threads), ..alone(small(), Task::Plain) })
                .into(),
        }],
    }
}

fn alone(world: World, task: Task) -> Scenario {
    Scenario { world, task, pace: Pace::Alone }
}

fn small() -> World {
    World { descriptors: FEW, memory: 0 }
}

fn descriptor_worlds(options: &Options) -> impl Iterator<Item = World> {
    let most = options.descriptors.min(setup::most_descriptors()).max(FEW);
    let mut counts = vec![FEW, 1_000.min(most), most];
    counts.dedup();
    counts.into_iter().map(|descriptors| World { descriptors, memory: 0 })
}

fn memory_worlds(options: &Options) -> impl Iterator<Item = World> {
    let most = if options.quick { options.memory.min(1) } else { options.memory };
    let mut sizes = vec![0, 1.min(most), most];
    sizes.dedup();
    sizes.into_iter().map(|gib| World { memory: gib * GIB, ..small() })
}
