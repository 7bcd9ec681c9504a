//! Seccomp filters as the caller passes them.

use crate::error::InputError;
use forkexec_core::{BpfInstruction, SeccompFilter as Plan};
use std::fmt;

/// A seccomp filter: a program that decides for each system call of the child (seccomp(2)).
///
/// Crates such as `seccompiler` and `libseccomp` build such programs.
///
/// # Examples
///
/// A filter that allows every call:
///
/// ```
/// use forkexec::SeccompFilter;
///
/// const RETURN: u16 = 0x06; // BPF_RET | BPF_K
/// const ALLOW: u32 = 0x7fff_0000; // SECCOMP_RET_ALLOW
/// let filter = SeccompFilter::new([(RETURN, 0, 0, ALLOW)]);
/// assert_eq!(filter.len(), 1);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct SeccompFilter {
    program: Vec<BpfInstruction>,
    flags: u32,
}

/// `SECCOMP_FILTER_FLAG_LOG` of `linux/seccomp.h`.
const LOG: u32 = 1 << 1;

impl SeccompFilter {
    /// Creates a filter from its instructions: `code`, `jt`, `jf` and `k` of `struct sock_filter`.
    pub fn new(program: impl IntoIterator<Item = (u16, u8, u8, u32)>) -> Self {
        let instruction = |(code, jt, jf, k)| BpfInstruction { code, jt, jf, k };
        Self { program: program.into_iter().map(instruction).collect(), flags: 0 }
    }

    /// Creates a filter from an array of `struct sock_filter` in the byte order of this machine, as `seccomp_export_bpf(3)` writes it.
    ///
    /// # Errors
    ///
    /// Returns [`InputError::FilterLength`] if the length is not a multiple of 8.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::SeccompFilter;
    ///
    /// assert!(SeccompFilter::from_bytes(&[0; 8]).is_ok());
    /// assert!(SeccompFilter::from_bytes(&[0; 7]).is_err());
    /// ```
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InputError> {
        let chunks = bytes.chunks_exact(size_of::<BpfInstruction>());
        if !chunks.remainder().is_empty() {
            return Err(InputError::FilterLength { length: bytes.len() });
        }
        Ok(Self::new(chunks.filter_map(|bytes| match *bytes {
            [low, high, jt, jf, ref k @ ..] => {
                let k = k.try_into().map(u32::from_ne_bytes).ok()?;
                Some((u16::from_ne_bytes([low, high]), jt, jf, k))
            }
            _ => None,
        })))
    }

    /// Logs every decision but `SECCOMP_RET_ALLOW` (`SECCOMP_FILTER_FLAG_LOG`, Linux 4.14).
    #[must_use]
    pub fn log(self) -> Self {
        Self { flags: self.flags | LOG, ..self }
    }

    /// Returns the number of instructions.
    #[expect(clippy::len_without_is_empty, reason = "a filter without instructions is refused")]
    pub fn len(&self) -> usize {
        self.program.len()
    }

    pub(crate) fn as_plan(&self) -> Plan<'_> {
        Plan { program: &self.program, flags: self.flags }
    }
}

impl fmt::Debug for SeccompFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SeccompFilter({} instructions)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_the_instructions_of_this_machine() {
        let instruction = (0x0106, 2, 3, 0x0403_0201);
        let bytes = [0x0106_u16.to_ne_bytes().as_slice(), &[2, 3], &0x0403_0201_u32.to_ne_bytes()].concat();
        assert_eq!(SeccompFilter::from_bytes(&bytes), Ok(SeccompFilter::new([instruction])));
    }

    #[test]
    fn flags_are_added() {
        assert_eq!(SeccompFilter::new([]).log().log().as_plan().flags, 2);
    }

    #[test]
    fn length_is_the_number_of_instructions() {
        assert_eq!([0, 3].map(|count| SeccompFilter::new(vec![(6, 0, 0, 0); count]).len()), [0, 3]);
    }
}
