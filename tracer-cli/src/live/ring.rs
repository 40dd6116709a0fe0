//! Reading a BPF ring buffer.
//!
//! The kernel maps a ring as one page with the consumer's position, one with the producer's, and
//! the data twice in a row so that a record never wraps (kernel/bpf/ringbuf.c). Records are read in
//! place; space is given back in batches, and only for records nobody borrows any more.

use aya::maps::MapData;
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
use std::ffi::c_void;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, BorrowedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

const BUSY: u32 = 1 << 31;
const DISCARDED: u32 = 1 << 30;
const RECORD_HEADER: u64 = 8;
/// `BPF_MAP_TYPE_RINGBUF`
const MAP_TYPE: u32 = 27;

/// A queue of records in the order of their times.
pub trait Queue {
    /// The first record, `None` when there is none that is finished.
    fn peek(&mut self) -> Option<&[u8]>;
    /// Goes on to the next.
    fn advance(&mut self);
    /// Bytes consumed and not yet given back.
    fn held(&self) -> u64;
    /// Gives back the room of all records consumed.
    fn release(&mut self);
}

/// One CPU's ring.
pub struct Ring {
    map: MapData,
    pub cpu: u16,
    size: u64,
    page: usize,
    consumer: NonNull<c_void>,
    producer: NonNull<c_void>,
    /// Position of the next record to look at.
    position: u64,
    /// Position up to which space has been given back.
    released: u64,
    /// Producer's position when last looked at.
    seen: u64,
    /// Length in the ring of the record at `position`, with its header; 0 when not looked at.
    current: u64,
}

impl Ring {
    /// Makes a ring of `size` bytes, a power of two and a multiple of the page size.
    pub fn new(cpu: u16, size: u32) -> Result<Self, String> {
        let object = aya_obj::Map::new_from_params(MAP_TYPE, 0, 0, size, 0);
        let map = MapData::create(object, "tracer_ring", None).map_err(|e| format!("create ring: {e}"))?;
        let page = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE)
            .ok()
            .flatten()
            .and_then(|p| usize::try_from(p).ok())
            .unwrap_or(4096);
        let map_at = |length: usize, protection, offset: usize| {
            let length = NonZeroUsize::new(length).ok_or("empty ring")?;
            // SAFETY: a new mapping of a file descriptor; nothing else refers to it.
            unsafe { mmap(None, length, protection, MapFlags::MAP_SHARED, map.fd().as_fd(), offset as i64) }
                .map_err(|e| format!("map ring: {e}"))
        };
        let consumer = map_at(page, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE, 0)?;
        let producer = map_at(page + 2 * size as usize, ProtFlags::PROT_READ, page).inspect_err(|_| {
            // SAFETY: mapped above, not used any more.
            let _ = unsafe { munmap(consumer, page) };
        })?;
        Ok(Self {
            map,
            cpu,
            size: u64::from(size),
            page,
            consumer,
            producer,
            position: 0,
            released: 0,
            seen: 0,
            current: 0,
        })
    }

    pub fn map(&self) -> &MapData {
        &self.map
    }

    /// The fd that becomes readable when the probe wakes its reader.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.map.fd().as_fd()
    }
}

impl Queue for Ring {
    /// The record at the current position, `None` when there is none that is finished.
    fn peek(&mut self) -> Option<&[u8]> {
        loop {
            if self.position >= self.seen {
                // SAFETY: the producer page holds the position in its first word; the kernel
                // updates it with release semantics.
                self.seen = unsafe { self.producer.cast::<AtomicU64>().as_ref() }.load(Ordering::Acquire);
                if self.position >= self.seen {
                    return None;
                }
            }
            let offset = (self.position & (self.size - 1)) as usize;
            // SAFETY: the data starts one page after the producer's position and is mapped twice,
            // so a header and its record are contiguous wherever they start.
            let header = unsafe { self.producer.byte_add(self.page + offset).cast::<AtomicU32>() };
            // SAFETY: as above; records are aligned to eight bytes.
            let length = unsafe { header.as_ref() }.load(Ordering::Acquire);
            if length & BUSY != 0 {
                return None;
            }
            let bytes = u64::from(length & !(BUSY | DISCARDED));
            if bytes > self.size {
                // Cannot be: refuse to read outside the mapping.
                return None;
            }
            self.current = (bytes + RECORD_HEADER).next_multiple_of(8);
            if length & DISCARDED != 0 {
                self.position += self.current;
                continue;
            }
            // SAFETY: `bytes` follow the header inside the double mapping; the kernel does not
            // touch them until `release` has passed them.
            return Some(unsafe {
                std::slice::from_raw_parts(
                    header.cast::<u8>().add(RECORD_HEADER as usize).as_ptr(),
                    bytes as usize,
                )
            });
        }
    }

    /// Goes on to the next record.
    fn advance(&mut self) {
        self.position += self.current;
        self.current = 0;
    }

    /// Bytes consumed and not yet given back.
    fn held(&self) -> u64 {
        self.position - self.released
    }

    /// Gives the space of all records before the current position back to the kernel. Nothing may
    /// borrow them any more.
    fn release(&mut self) {
        self.released = self.position;
        // SAFETY: the consumer page holds our position in its first word.
        unsafe { self.consumer.cast::<AtomicU64>().as_ref() }.store(self.position, Ordering::Release);
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: mapped in `new` with these lengths.
        unsafe {
            let _ = munmap(self.consumer, self.page);
            let _ = munmap(self.producer, self.page + 2 * self.size as usize);
        }
    }
}
