//! Reading the slots of one CPU (see `tracer_common::slots`): an array of the kernel's that is mapped here, so that a
//! record is read where the probe has written it.

use super::ring::Queue;
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
use std::ffi::c_void;
use std::num::NonZeroUsize;
use std::os::fd::AsFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};
use tracer_common::slots::{Cpu, SLOT_LEN};

/// Part of a BPF map in our memory.
struct Mapping {
    start: NonNull<c_void>,
    length: NonZeroUsize,
}

impl Mapping {
    fn new(map: &impl AsFd, protection: ProtFlags, offset: usize, length: usize) -> Result<Self, String> {
        let length = NonZeroUsize::new(length).ok_or("no slots")?;
        let offset = i64::try_from(offset).map_err(|e| e.to_string())?;
        // SAFETY: a new mapping of a file descriptor; nothing else refers to it.
        let start = unsafe { mmap(None, length, protection, MapFlags::MAP_SHARED, map.as_fd(), offset) }
            .map_err(|e| format!("map slots: {e}"))?;
        Ok(Self { start, length })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: mapped in `new` with this length.
        let _ = unsafe { munmap(self.start, self.length.get()) };
    }
}

/// The slots of one CPU.
pub struct Slots {
    slots: Mapping,
    cpus: Mapping,
    pub cpu: u16,
    /// How many there are, less one; they are a power of two.
    mask: u64,
    /// Count of the next record to look at.
    position: u64,
    /// Records given back.
    released: u64,
    /// Records written when last looked at.
    seen: u64,
}

impl Slots {
    /// Maps the row of `count` slots, a power of two that fills whole pages, of one of `cpus` CPUs.
    ///
    /// # Errors
    /// What the kernel says against mapping.
    pub fn new(
        slots: &impl AsFd,
        states: &impl AsFd,
        cpu: u16,
        cpus: u32,
        count: u32,
    ) -> Result<Self, String> {
        let length = count as usize * SLOT_LEN;
        Ok(Self {
            slots: Mapping::new(slots, ProtFlags::PROT_READ, usize::from(cpu) * length, length)?,
            cpus: Mapping::new(
                states,
                ProtFlags::PROT_READ | ProtFlags::PROT_WRITE,
                0,
                cpus as usize * size_of::<Cpu>(),
            )?,
            cpu,
            mask: u64::from(count).saturating_sub(1),
            position: 0,
            released: 0,
            seen: 0,
        })
    }

    /// `written` or `taken` of this CPU.
    fn count(&self, offset: usize) -> &AtomicU64 {
        // SAFETY: the mapping holds what is known of all CPUs; the word is aligned, and both sides access it whole.
        unsafe {
            self.cpus
                .start
                .byte_add(usize::from(self.cpu) * size_of::<Cpu>() + offset)
                .cast::<AtomicU64>()
                .as_ref()
        }
    }
}

impl Queue for Slots {
    #[inline]
    fn peek(&mut self) -> Option<&[u8]> {
        if self.position >= self.seen {
            self.seen = self.count(std::mem::offset_of!(Cpu, written)).load(Ordering::Acquire);
            if self.position >= self.seen {
                return None;
            }
        }
        let offset = (self.position & self.mask) as usize * SLOT_LEN;
        // SAFETY: the slot is inside the mapping; the probe does not touch it until it is given back.
        Some(unsafe {
            std::slice::from_raw_parts(self.slots.start.byte_add(offset).cast::<u8>().as_ptr(), SLOT_LEN)
        })
    }

    #[inline]
    fn advance(&mut self) {
        self.position += 1;
    }

    fn held(&self) -> u64 {
        (self.position - self.released) * SLOT_LEN as u64
    }

    fn release(&mut self) {
        self.released = self.position;
        self.count(std::mem::offset_of!(Cpu, taken)).store(self.position, Ordering::Release);
    }
}
