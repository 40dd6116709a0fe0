//! Capture files: the scap block stream, as sysdig, Falco's libraries and Stratoshark write it.
//!
//! A file is a row of blocks (`type, length, body, length`). A *section* begins with a section
//! header, then come blocks that say what was there before the first event (machine, interfaces,
//! users, processes, open fds), then one block for each event. Sections may follow each other: that
//! is what joined files look like. The whole may be compressed.
//!
//! Files are written in *frames*: rows of whole blocks, each compressed on its own, so that whatever
//! ends the writing leaves a file that every reader can read to the last frame.
//!
//! Nothing that is read is believed: every length is compared with the block that it stands in, no
//! memory is taken for more bytes than the file really has, and a fault ends the reading with its
//! place in the file, after everything before it was delivered.

mod amend_event;
mod block;
mod body;
mod checkpoint;
mod chunks;
mod companion;
mod compat;
mod damage;
mod event_block;
mod fd_list;
mod file;
mod flight_ring;
mod frame_file;
mod frame_queue;
mod frames;
mod framing;
mod index;
mod index_build;
mod index_bytes;
mod index_file;
mod index_thread;
mod indexed;
mod input;
mod interface_list;
mod machine;
mod match_finder;
mod merged;
mod own_block;
mod pack;
mod proc_list;
mod reader;
mod redact;
mod replica;
mod rotate;
mod sections;
mod sequences;
#[cfg(test)]
mod tests;
mod user_list;
mod write_block;
mod write_container;
mod write_event;
mod write_state;
mod writer;
mod zstd_frame;

pub use file::ReadOptions;
pub use flight_ring::RingSize;
pub use index::{Contents, EventKey, Facts, Frame};
pub use index_build::Granularity;
pub use index_bytes::Texts;
pub use index_file::{survey, write_beside};
pub use indexed::{Found, IndexedCapture, Portion, PortionSource, Portions, compression_of};
pub use merged::open;
pub use pack::Codec;
pub use reader::CaptureSource;
pub use redact::{REDACTABLE, Redaction};
pub use rotate::Rotation;
pub use sections::{SectionedCapture, Stretch};
pub use write_state::ThreadTest;
pub use writer::{CaptureWriter, Ring, Trigger, WriteOptions};
