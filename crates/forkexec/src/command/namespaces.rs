//! The namespaces of the child.

use super::CommandBuilder;
use crate::config::source::FdSource;
use forkexec_core::{Namespace, NamespaceSet};

impl<'fd, M> CommandBuilder<'fd, M> {
    /// Starts the child in new namespaces (namespaces(7), Linux). A second call replaces the first.
    ///
    /// They are created together with the child (clone3(2)), so this costs no fork and no other process. With
    /// [`Namespace::User`], no privilege is needed for the others, if the kernel permits that to this user.
    ///
    /// Each kind has effects on the child:
    /// - *User*: it has all capabilities in the namespace until exec, and none outside. Until [`map_user`](Self::map_user) and
    ///   [`map_group`](Self::map_group) map its ids, it sees 65534. exec drops its capabilities, unless its user is mapped to 0.
    ///   Operations that need a privilege outside fail: a higher hard limit, a lower nice value, another user.
    /// - *Pid*: its process id is 1 there, [`Child::id`](crate::Child::id) is the number outside, and getppid(2) returns 0. As process
    ///   1 it gets no signal without a handler from inside, and it must reap orphans. If it ends, the kernel kills all processes of
    ///   the namespace. `/proc` still shows the namespace of the parent, until the program mounts another one.
    /// - *Mount*: it has a copy of the mounts. Their propagation stays (mount_namespaces(7)). This library mounts nothing.
    /// - *Net*: it has only a loopback device, which is down.
    /// - *Time* (Linux 6.2): its monotonic clock and its time since boot have the offsets of [`monotonic_offset`](Self::monotonic_offset)
    ///   and [`boottime_offset`](Self::boottime_offset). The child creates this namespace itself, and enters it at exec.
    ///
    /// [`die_with_parent`](Self::die_with_parent) works from all of them.
    ///
    /// # Errors
    ///
    /// - The start returns [`Error::Unsupported`](crate::Error::Unsupported) on other systems, and for a time namespace before
    ///   Linux 6.2.
    /// - The start returns [`InputError::PidNamespaceNeedsClone`](crate::InputError::PidNamespaceNeedsClone) if the child is to have a
    ///   new pid namespace and the command needs fork. Only clone(2) creates such a child.
    /// - The start returns [`Error::Spawn`](crate::Error::Spawn) at [`Stage::Namespaces`](crate::Stage::Namespaces): `EPERM` without
    ///   privilege, `ENOSPC` or `EUSERS` at a limit (`/proc/sys/user`), `EINVAL` if the kernel lacks one of the kinds.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, Namespace, Stage};
    ///
    /// let mut command = Command::new("id");
    /// command.arg("-u").unshare([Namespace::User, Namespace::Net]).map_user(0).map_group(0);
    /// match command.output() {
    ///     Ok(output) => assert_eq!(output.stdout, b"0\n"), // root there, and the same user outside
    ///     // The kernel, a filter or this system may refuse it.
    ///     Err(error) => assert!(error.as_spawn().is_none_or(|error| error.stage() <= Stage::IdMaps)),
    /// }
    /// ```
    pub fn unshare(&mut self, namespaces: impl IntoIterator<Item = Namespace>) -> &mut Self {
        self.settings.namespaces.new = namespaces.into_iter().collect::<NamespaceSet>();
        self
    }

    /// Maps the effective user id of the parent to this one in the new user namespace of the child (user_namespaces(7), Linux).
    ///
    /// A process without privilege can map only its own id. For a range of ids, start the child
    /// [suspended](Self::start_suspended) without this setting, and write to `/proc/PID/uid_map` with the privileges of the parent, or
    /// run newuidmap(1), before [`Child::resume`](crate::Child::resume). exec has dropped the capabilities by
    /// then. If the user is mapped to 0, the next exec of the program gives them again.
    ///
    /// # Errors
    ///
    /// - The start returns [`InputError::MapWithoutUserNamespace`](crate::InputError::MapWithoutUserNamespace) without a new
    ///   [`Namespace::User`].
    /// - The start returns [`Error::Spawn`](crate::Error::Spawn) at [`Stage::IdMaps`](crate::Stage::IdMaps) if the map cannot be
    ///   written: `ENOENT` without procfs on `/proc`, `EPERM` if the kernel does not permit it.
    ///
    /// # Examples
    ///
    /// See [`unshare`](Self::unshare).
    pub fn map_user(&mut self, inside: u32) -> &mut Self {
        self.settings.namespaces.user = Some(inside);
        self
    }

    /// Maps the effective group id of the parent to this one in the new user namespace of the child (user_namespaces(7), Linux). The
    /// child can then no longer change its supplementary groups.
    ///
    /// # Errors
    ///
    /// As for [`map_user`](Self::map_user).
    ///
    /// # Examples
    ///
    /// See [`unshare`](Self::unshare).
    pub fn map_group(&mut self, inside: u32) -> &mut Self {
        self.settings.namespaces.group = Some(inside);
        self
    }

    /// Shifts the monotonic clock of the new time namespace of the child by this number of seconds (time_namespaces(7), Linux 6.2).
    /// The real-time clock stays. The clock must not be below zero, nor above half of what the kernel can count, some 146 years.
    ///
    /// # Errors
    ///
    /// - The start returns [`InputError::ClockWithoutTimeNamespace`](crate::InputError::ClockWithoutTimeNamespace) without a new
    ///   [`Namespace::Time`].
    /// - The start returns [`Error::Spawn`](crate::Error::Spawn) at [`Stage::ClockOffsets`](crate::Stage::ClockOffsets): `ERANGE` for
    ///   such a clock, `EPERM` without `CAP_SYS_TIME` in the user namespace of the child, `ENOENT` without procfs on `/proc`.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, Namespace, Operation, Stage, supports};
    ///
    /// let mut command = Command::new("cat");
    /// command.arg("/proc/uptime").unshare([Namespace::User, Namespace::Time]);
    /// command.monotonic_offset(86_400).boottime_offset(864_000);
    /// if supports(Operation::TimeNamespace) {
    ///     match command.output() {
    ///         Ok(output) => assert!(output.stdout >= b"8640".to_vec()), // ten days, and some seconds
    ///         // The kernel or a filter may refuse it to this user.
    ///         Err(error) => assert!(error.as_spawn().is_none_or(|error| error.stage() <= Stage::ClockOffsets)),
    ///     }
    /// }
    /// ```
    pub fn monotonic_offset(&mut self, seconds: i64) -> &mut Self {
        self.settings.attributes.clocks.monotonic = Some(seconds);
        self
    }

    /// Shifts the time since boot in the new time namespace of the child by this number of seconds (time_namespaces(7), Linux 6.2).
    /// Programs see it in `/proc/uptime`.
    ///
    /// # Errors
    ///
    /// As for [`monotonic_offset`](Self::monotonic_offset).
    ///
    /// # Examples
    ///
    /// See [`monotonic_offset`](Self::monotonic_offset).
    pub fn boottime_offset(&mut self, seconds: i64) -> &mut Self {
        self.settings.attributes.clocks.boottime = Some(seconds);
        self
    }

    /// Lets the child join an existing namespace (setns(2), Linux): a descriptor of a file in `/proc/PID/ns`. The program does not get
    /// the descriptor. Several calls are in their order: a user namespace that gives the privilege for others comes first.
    ///
    /// A mount namespace sets the root and the working directory of the child to its root.
    ///
    /// A time namespace can be joined only by a child that shares no memory: [`SpawnPolicy::Fork`](crate::SpawnPolicy::Fork).
    ///
    /// A pid namespace is joined before all others, with the privileges of the parent, because setns(2) moves only later children to
    /// it. A thread does that, starts the child and ends. It must be the namespace of the parent or a descendant of that one. The
    /// child gets an id there, [`Child::id`](crate::Child::id) is the number outside, and getppid(2) returns 0.
    ///
    /// # Errors
    ///
    /// - The start returns [`InputError::NotOpen`](crate::InputError::NotOpen) if the descriptor is not open, and
    ///   [`InputError::DieWithParentInPidNamespace`](crate::InputError::DieWithParentInPidNamespace) if it is that of a pid namespace
    ///   and the command also has [`die_with_parent`](Self::die_with_parent).
    /// - The start returns [`Error::Unsupported`](crate::Error::Unsupported) on other systems.
    /// - The start returns [`Error::Spawn`](crate::Error::Spawn) at [`Stage::Namespaces`](crate::Stage::Namespaces): `EPERM` without
    ///   privilege, `EINVAL` if the descriptor is not that of a namespace, `EUSERS` if it is that of a time namespace and the child shares
    ///   memory.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, Stage};
    /// use std::fs::File;
    ///
    /// if let Ok(namespace) = File::open("/proc/self/ns/uts") {
    ///     match Command::new("true").setns(namespace).status() {
    ///         Ok(status) => assert!(status.success()),
    ///         // The process is not privileged.
    ///         Err(error) => assert_eq!(error.as_spawn().map(|error| error.stage()), Some(Stage::Namespaces)),
    ///     }
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn setns(&mut self, namespace: impl Into<FdSource<'fd>>) -> &mut Self {
        self.settings.namespaces.join.push(namespace.into());
        self
    }
}
