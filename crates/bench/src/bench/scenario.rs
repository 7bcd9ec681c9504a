//! What is measured: groups of rows, each in a world of its own.

use super::born;
use super::cli::{GroupName, Options};
use super::job::Task;
use serde::Serialize;

const GIB: u64 = 1 << 30;

/// How many descriptors are open where they are not the matter.
const FEW: u32 = 10;

/// The parent that spawns.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub(super) struct World {
    /// Inheritable descriptors above 2.
    pub(super) descriptors: u32,
    /// Bytes touched.
    pub(super) memory: u64,
}

/// How the spawns follow each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub(super) enum Pace {
    /// One after another, each with its time.
    Alone,
    /// So many threads at once, with the time of all.
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
    /// The head of its column.
    pub(super) fn title(&self, group: GroupName) -> String {
        match (group, self.pace) {
            (GroupName::Threads, Pace::Threads(1)) => "1 thread".to_owned(),
            (GroupName::Threads, Pace::Threads(threads)) => format!("{threads} threads"),
            (GroupName::Memory, _) => format!("{} GiB", self.world.memory / GIB),
            _ => format!("{} open", self.world.descriptors),
        }
    }
}

/// The groups that the command line asks for.
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
    let most = options.descriptors.min(born::most_descriptors()).max(FEW);
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
