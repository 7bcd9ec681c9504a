//! Attributes that take privileges from the child, or give it single ones.

use super::CommandBuilder;
use crate::config::capability::Capability;
use crate::config::seccomp::SeccompFilter;
use crate::config::source::FdSource;
use std::path::Path;

impl<'fd, M> CommandBuilder<'fd, M> {
    /// Starts the child in this jail (jail_attach(2), FreeBSD and DragonFly), by its id, as jls(8) lists it. This needs privilege, and
    /// the jail must exist.
    ///
    /// The root and the working directory of the child become the root of the jail. The paths of [`chroot`](Self::chroot),
    /// [`current_dir`](Self::current_dir) and the program are resolved there. [`user`](Self::user) is looked up outside. The processors
    /// of [`cpu_affinity`](Self::cpu_affinity) must be those of the jail.
    ///
    /// # Errors
    ///
    /// - The start returns [`Error::Unsupported`](crate::Error::Unsupported) on other systems.
    /// - The start returns [`Error::Spawn`](crate::Error::Spawn) at [`Stage::Jail`](crate::Stage::Jail): `EINVAL` if there is no such
    ///   jail, `EPERM` without privilege, or if the child has open directories and `kern.chroot_allow_open_directories` forbids that
    ///   (chroot(2)). On DragonFly also in a jail.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, Stage};
    ///
    /// match Command::new("hostname").jail(1).status() {
    ///     Ok(status) => assert!(status.success()),
    ///     // There is no such jail, or the process is not privileged. Other systems have no jails.
    ///     Err(error) => assert!(error.as_spawn().is_none_or(|failed| failed.stage() == Stage::Jail)),
    /// }
    /// ```
    pub fn jail(&mut self, id: i32) -> &mut Self {
        self.settings.attributes.jail = Some(id);
        self
    }

    /// Gives the child exactly these ambient capabilities (capabilities(7), Linux). A program keeps them without being run by root,
    /// and without a capability on its file. The inheritable set becomes the same, unless
    /// [`inheritable_capabilities`](Self::inheritable_capabilities) adds to it.
    ///
    /// With another [`uid`](Self::uid), the child keeps these capabilities and no other. So a service can run as an ordinary user
    /// that may bind a port below 1024. Without a change of the user, the permitted set stays as it is until exec. A program that
    /// root runs gets all capabilities of the bounding set.
    ///
    /// There is no method for the permitted set: exec computes it from the other sets. The child reads the sets again after it has
    /// set them, because emulators of root only pretend to.
    ///
    /// # Errors
    ///
    /// - The start returns [`Error::Unsupported`](crate::Error::Unsupported) on other systems.
    /// - The start returns [`Error::Spawn`](crate::Error::Spawn) at [`Stage::Capabilities`](crate::Stage::Capabilities) with `EPERM` if
    ///   the parent lacks one of the capabilities, or if a call succeeded and changed nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Capability, Command};
    ///
    /// let mut service = Command::new("grep");
    /// service.args(["CapEff", "/proc/self/status"]).uid(1000).gid(1000).groups([]);
    /// service.ambient_capabilities([Capability::NET_BIND_SERVICE]);
    /// match service.output() {
    ///     Ok(output) => assert_eq!(output.stdout, b"CapEff:\t0000000000000400\n"),
    ///     Err(_) => println!("this process is not privileged, or this is not Linux"),
    /// }
    /// ```
    pub fn ambient_capabilities(&mut self, capabilities: impl IntoIterator<Item = Capability>) -> &mut Self {
        self.settings.attributes.ambient = Some(capabilities.into_iter().collect());
        self
    }

    /// Sets the inheritable capabilities of the child (capabilities(7), Linux). A program gets one of them if its file names it as
    /// inheritable, too. The ambient capabilities are always among them.
    ///
    /// # Errors
    ///
    /// As for [`ambient_capabilities`](Self::ambient_capabilities).
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::Command;
    ///
    /// let mut command = Command::new("grep");
    /// command.args(["CapInh", "/proc/self/status"]).inheritable_capabilities([]);
    /// if let Ok(output) = command.output() {
    ///     assert_eq!(output.stdout, b"CapInh:\t0000000000000000\n");
    /// }
    /// ```
    pub fn inheritable_capabilities(
        &mut self,
        capabilities: impl IntoIterator<Item = Capability>,
    ) -> &mut Self {
        self.settings.attributes.inheritable = Some(capabilities.into_iter().collect());
        self
    }

    /// Removes all capabilities but these from the bounding set of the child (capabilities(7), Linux). No exec of the child or of its
    /// descendants gives another one, not even as root.
    ///
    /// # Errors
    ///
    /// - The start returns [`Error::Unsupported`](crate::Error::Unsupported) on other systems.
    /// - The start returns [`Error::Spawn`](crate::Error::Spawn) at [`Stage::BoundingSet`](crate::Stage::BoundingSet) with `EPERM` if the
    ///   parent lacks `CAP_SETPCAP`, or if a call succeeded and changed nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Capability, Command};
    ///
    /// let mut command = Command::new("grep");
    /// command.args(["CapBnd", "/proc/self/status"]).bounding_capabilities([Capability::CHOWN]);
    /// if let Ok(output) = command.output() {
    ///     assert_eq!(output.stdout, b"CapBnd:\t0000000000000001\n");
    /// }
    /// ```
    pub fn bounding_capabilities(&mut self, left: impl IntoIterator<Item = Capability>) -> &mut Self {
        self.settings.attributes.bounding = Some(left.into_iter().collect());
        self
    }

    /// Sets the securebits of the child, the `SECBIT_*` bits from 0 to 0xff (capabilities(7), Linux). They take from user 0 what is
    /// special about it. They are set before the user changes.
    ///
    /// # Errors
    ///
    /// - The start returns [`InputError::AttributeOutOfRange`](crate::InputError::AttributeOutOfRange) for other bits.
    /// - The start returns [`Error::Unsupported`](crate::Error::Unsupported) on other systems.
    /// - The start returns [`Error::Spawn`](crate::Error::Spawn) at [`Stage::SecureBits`](crate::Stage::SecureBits) with `EPERM` if the
    ///   parent lacks `CAP_SETPCAP`, if a bit is locked, or if a call succeeded and changed nothing.
    ///
    /// # Examples
    ///
    /// Root without the privileges of root:
    ///
    /// ```
    /// use forkexec::Command;
    ///
    /// const NOROOT: u32 = 1 << 0;
    /// const NOROOT_LOCKED: u32 = 1 << 1;
    /// let mut command = Command::new("grep");
    /// command.args(["CapEff", "/proc/self/status"]).securebits(NOROOT | NOROOT_LOCKED);
    /// if let Ok(output) = command.output() {
    ///     assert_eq!(output.stdout, b"CapEff:\t0000000000000000\n");
    /// }
    /// ```
    pub fn securebits(&mut self, bits: u32) -> &mut Self {
        self.settings.attributes.securebits = Some(bits);
        self
    }

    /// Gives the child a new, empty session keyring (session-keyring(7), Linux). It cannot use the keys of its parent's.
    ///
    /// # Errors
    ///
    /// - The start returns [`Error::Unsupported`](crate::Error::Unsupported) on other systems.
    /// - The start returns [`Error::Spawn`](crate::Error::Spawn) at [`Stage::SessionKeyring`](crate::Stage::SessionKeyring) if keyctl(2)
    ///   fails. The default filters of containers refuse it.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, Stage};
    ///
    /// match Command::new("true").session_keyring().status() {
    ///     Ok(status) => assert!(status.success()),
    ///     Err(error) => assert!(error.as_spawn().is_none_or(|failed| failed.stage() == Stage::SessionKeyring)),
    /// }
    /// ```
    pub fn session_keyring(&mut self) -> &mut Self {
        self.settings.attributes.session_keyring = true;
        self
    }

    /// Sets the promises with which the program begins (the second argument of pledge(2), OpenBSD): words such as `stdio` and `rpath`,
    /// with spaces between them. The kernel kills a program that makes another call. Its descendants begin with the same promises.
    ///
    /// They do not limit the start itself. They must include all that the program and its dynamic loader need.
    ///
    /// # Errors
    ///
    /// - The start returns [`InputError::BadPromises`](crate::InputError::BadPromises) if it is no such list.
    /// - The start returns [`Error::Unsupported`](crate::Error::Unsupported) on other systems.
    /// - The start returns [`Error::Spawn`](crate::Error::Spawn) at [`Stage::Pledge`](crate::Stage::Pledge): `EINVAL` for an unknown
    ///   promise, `EPERM` if the parent itself has promises for its programs that lack one.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, Operation, supports};
    ///
    /// if supports(Operation::Pledge) {
    ///     assert!(Command::new("true").pledge("stdio rpath prot_exec").status()?.success());
    /// }
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn pledge(&mut self, promises: impl Into<String>) -> &mut Self {
        self.settings.attributes.promises = Some(promises.into());
        self
    }

    /// Hides all paths from the program but this one and those of other calls (unveil(2), OpenBSD). `permissions` has the letters
    /// `r`, `w`, `x` and `c`: read, write, execute, and create or remove.
    ///
    /// exec keeps the list only together with [`pledge`](Self::pledge). The child resolves the paths with its own root, directory and
    /// ids, and then locks the list. The program must be permitted with `x`, its dynamic loader and its libraries with `r`.
    ///
    /// # Errors
    ///
    /// - The start returns [`InputError::UnveilWithoutPledge`](crate::InputError::UnveilWithoutPledge) without promises, and
    ///   [`InputError::BadUnveilPermissions`](crate::InputError::BadUnveilPermissions) for another letter.
    /// - The start returns [`Error::Unsupported`](crate::Error::Unsupported) on other systems.
    /// - The start returns [`Error::Spawn`](crate::Error::Spawn) at [`Stage::Unveil`](crate::Stage::Unveil): `ENOENT` if the directory
    ///   of the path does not exist, `E2BIG` for too many paths, `EPERM` if the parent has locked its own list. It returns
    ///   [`Stage::Exec`](crate::Stage::Exec) with `ENOENT` or `EACCES` if the program is hidden.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, Operation, supports};
    ///
    /// let mut command = Command::new("/bin/ls");
    /// command.arg("/usr/lib").pledge("stdio rpath prot_exec").unveil("/bin", "x").unveil("/usr", "rx");
    /// if supports(Operation::Unveil) {
    ///     assert!(command.status()?.success());
    /// }
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn unveil(&mut self, path: impl AsRef<Path>, permissions: impl Into<String>) -> &mut Self {
        self.settings.attributes.unveiled.push((path.as_ref().to_owned(), permissions.into()));
        self
    }

    /// Enforces a Landlock ruleset in the child (landlock(7), Linux 5.13): the descriptor of landlock_create_ruleset(2), which crates
    /// such as `landlock` fill. The program does not get the descriptor.
    ///
    /// The child enforces it after it has closed the other descriptors, right before exec. The ruleset must permit the program
    /// itself, its interpreter and its libraries. Without `CAP_SYS_ADMIN`, the child needs [`no_new_privs`](Self::no_new_privs).
    ///
    /// # Errors
    ///
    /// - The start returns [`InputError::NotOpen`](crate::InputError::NotOpen) if the descriptor is not open.
    /// - The start returns [`Error::Unsupported`](crate::Error::Unsupported) on other systems.
    /// - The start returns [`Error::Spawn`](crate::Error::Spawn) at [`Stage::Landlock`](crate::Stage::Landlock): `EPERM` without
    ///   `no_new_privs`, or if a call succeeded and changed nothing; `EBADFD` if the descriptor is not a ruleset; `ENOSYS` and
    ///   `EOPNOTSUPP` if the kernel has no Landlock. It returns [`Stage::Exec`](crate::Stage::Exec) with `EACCES` if the ruleset does
    ///   not permit the program.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{BorrowingCommand, Stage};
    /// use std::fs::File;
    ///
    /// let not_a_ruleset = File::open("/dev/null")?;
    /// let failed = BorrowingCommand::new("true").no_new_privs().landlock(&not_a_ruleset).status().unwrap_err();
    /// assert!(failed.as_spawn().is_none_or(|failed| failed.stage() == Stage::Landlock));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn landlock(&mut self, ruleset: impl Into<FdSource<'fd>>) -> &mut Self {
        self.settings.attributes.landlock = Some(ruleset.into());
        self
    }

    /// Installs a seccomp filter in the child (seccomp(2), Linux).
    ///
    /// It is the last step before exec, so the filter must allow execve(2) and what the program itself calls, and nothing of the
    /// start. Without `CAP_SYS_ADMIN`, the child needs [`no_new_privs`](Self::no_new_privs).
    ///
    /// # Errors
    ///
    /// - The start returns [`InputError::AttributeOutOfRange`](crate::InputError::AttributeOutOfRange) if the filter has no instruction
    ///   or more than 4096.
    /// - The start returns [`Error::Unsupported`](crate::Error::Unsupported) on other systems.
    /// - The start returns [`Error::Spawn`](crate::Error::Spawn) at [`Stage::Seccomp`](crate::Stage::Seccomp): `EACCES` without
    ///   `no_new_privs`, `EINVAL` if the filter is invalid, `EPERM` if a call succeeded and changed nothing.
    /// - If the filter answers execve(2) with an errno, the start returns that at [`Stage::Exec`](crate::Stage::Exec). If it kills the
    ///   child there, the start returns [`Error::Died`](crate::Error::Died) with `SIGSYS`.
    ///
    /// # Examples
    ///
    /// A program that may not create a socket:
    ///
    /// ```
    /// use forkexec::{Command, SeccompFilter};
    ///
    /// const LOAD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
    /// const EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
    /// const RETURN: u16 = 0x06; // BPF_RET | BPF_K
    /// const ALLOW: u32 = 0x7fff_0000; // SECCOMP_RET_ALLOW
    /// const ERRNO: u32 = 0x0005_0000; // SECCOMP_RET_ERRNO
    /// let socket = libc::SYS_socket as u32;
    /// // A real filter checks the architecture first (seccomp(2)).
    /// let filter = [(LOAD, 0, 0, 0), (EQUAL, 0, 1, socket), (RETURN, 0, 0, ERRNO | 1), (RETURN, 0, 0, ALLOW)];
    /// let status = Command::new("true").no_new_privs().seccomp(SeccompFilter::new(filter)).status();
    /// // An outer filter may refuse it, and other systems do.
    /// assert!(status.is_err() || status.unwrap().success());
    /// ```
    pub fn seccomp(&mut self, filter: SeccompFilter) -> &mut Self {
        self.settings.attributes.seccomp = Some(filter);
        self
    }
}
