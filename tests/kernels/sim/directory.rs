//! Directories that list descriptors, truly or falsely.

use forkexec_core::{Errno, Fd};

use super::table::Table;

/// The kind of a listing.
#[derive(Clone, Debug)]
pub(crate) enum Listing {
    /// On procfs; its positions are descriptor numbers, so that closing while reading skips nothing (proc(5)).
    Live,
    /// On procfs, but positions are places in the list, so that later entries move up when a descriptor is closed. Some
    /// systems have such directories; glibc's closefrom(3) starts again after each batch because of them.
    Moving,
    /// The descriptors that were open when the directory was opened, on procfs.
    TakenAtOpen,
    /// Always these names, on procfs or not.
    Static { names: Vec<String>, on_procfs: bool },
    /// These bytes, one element a call, on procfs.
    Raw(Vec<Vec<u8>>),
}

impl Listing {
    /// Plain files with these names, in place of procfs.
    pub(crate) fn plain(names: impl IntoIterator<Item = Fd>) -> Self {
        Self::Static { names: names.into_iter().map(|fd| fd.to_string()).collect(), on_procfs: false }
    }

    /// fstatfs(2): checks `f_type`.
    pub(super) fn is_on_procfs(&self) -> bool {
        !matches!(self, Self::Static { on_procfs: false, .. })
    }
}

/// An open directory: its kind, and the position.
pub(super) struct OpenDirectory {
    listing: Listing,
    /// The position of the next entry: 0 and 1 are `.` and `..`.
    position: usize,
}

impl OpenDirectory {
    /// A directory that is being opened, with its own descriptor in the list.
    pub(super) fn new(listing: &Listing, table: &Table) -> Self {
        let listing = match listing {
            Listing::TakenAtOpen => Listing::Static { names: names(table), on_procfs: true },
            other => other.clone(),
        };
        Self { listing, position: 0 }
    }

    pub(super) fn is_on_procfs(&self) -> bool {
        self.listing.is_on_procfs()
    }

    /// getdents(2): whole records that fit into the buffer; EINVAL if none fits; 0 at the end.
    pub(super) fn read(&mut self, table: &Table, buffer: &mut [u8]) -> Result<usize, Errno> {
        self.read_as(record, table, buffer)
    }

    /// The same on a system with other records.
    ///
    /// Source: getdents(2).
    pub(super) fn read_as(
        &mut self,
        record: fn(&[u8]) -> Vec<u8>,
        table: &Table,
        buffer: &mut [u8],
    ) -> Result<usize, Errno> {
        if let Listing::Raw(batches) = &self.listing {
            let batch = batches.get(self.position).map_or(&[][..], Vec::as_slice);
            self.position += 1;
            buffer[..batch.len()].copy_from_slice(batch);
            return Ok(batch.len());
        }
        let mut length = 0;
        while let Some((name, next)) = self.entry(table) {
            let record = record(name.as_bytes());
            let Some(room) = buffer.get_mut(length..length + record.len()) else {
                return if length == 0 { Err(Errno::INVAL) } else { Ok(length) };
            };
            room.copy_from_slice(&record);
            length += record.len();
            self.position = next;
        }
        Ok(length)
    }

    /// The entry at the position, and the position after it.
    fn entry(&self, table: &Table) -> Option<(String, usize)> {
        let index = match self.position {
            0 => return Some((".".to_owned(), 1)),
            1 => return Some(("..".to_owned(), 2)),
            position => position - 2,
        };
        if let Listing::Static { names, .. } = &self.listing {
            return Some((names.get(index)?.clone(), index + 3));
        }
        if let Listing::Moving = &self.listing {
            return Some((table.fds().get(index)?.to_string(), index + 3));
        }
        let fd = table.fds_from(Fd::try_from(index).ok()?).next()?;
        Some((fd.to_string(), usize::try_from(fd).ok()? + 3))
    }
}

fn names(table: &Table) -> Vec<String> {
    table.fds().iter().map(Fd::to_string).collect()
}

/// `struct linux_dirent64` of getdents(2): inode, offset, length, type, name; padded to eight bytes.
pub(crate) fn record(name: &[u8]) -> Vec<u8> {
    const HEADER: usize = 19;
    const SYMBOLIC_LINK: u8 = 10;
    let length = (HEADER + name.len() + 1).next_multiple_of(8);
    let mut record = vec![0xff; 16];
    record.extend(u16::try_from(length).expect("names are short").to_ne_bytes());
    record.push(SYMBOLIC_LINK);
    record.extend(name);
    record.resize(length, 0);
    record
}
