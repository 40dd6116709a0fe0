//! zstd frames of matches that somebody else has found ([`super::match_finder`]).

use super::match_finder::{MIN_MATCH, WINDOW_LOG};
use std::ffi::c_int;
use std::io;
use std::ptr::NonNull;
use zstd::zstd_safe::zstd_sys::{
    self as sys, ZSTD_CCtx, ZSTD_Sequence, ZSTD_cParameter as Parameter, ZSTD_strategy as Strategy,
};

/// Writes frames.
pub(super) struct SequenceWriter(NonNull<ZSTD_CCtx>);

// SAFETY: the context belongs to this value alone, and zstd ties none to a thread.
unsafe impl Send for SequenceWriter {}

impl SequenceWriter {
    /// # Errors
    /// There is no memory for it.
    pub fn new() -> io::Result<Self> {
        // SAFETY: it has no conditions; what it returns is freed when this value is dropped.
        let context = NonNull::new(unsafe { sys::ZSTD_createCCtx() }).ok_or(io::ErrorKind::OutOfMemory)?;
        let writer = Self(context);
        // Matches that lie are refused (ValidateSequences). The strategy says how much is tried to write them down with few
        // bits; tables to find some are not needed.
        for (parameter, value) in [
            (Parameter::ZSTD_c_checksumFlag, 1),
            (Parameter::ZSTD_c_windowLog, WINDOW_LOG as c_int),
            (Parameter::ZSTD_c_minMatch, MIN_MATCH as c_int),
            (Parameter::ZSTD_c_strategy, Strategy::ZSTD_lazy as c_int),
            (Parameter::ZSTD_c_hashLog, 6),
            (Parameter::ZSTD_c_chainLog, 6),
            (Parameter::ZSTD_c_experimentalParam12, 1),
        ] {
            // SAFETY: the context lives.
            checked(unsafe { sys::ZSTD_CCtx_setParameter(writer.0.as_ptr(), parameter, value) })?;
        }
        Ok(writer)
    }

    /// Makes `frame` the frame with `content`, in which these matches are.
    ///
    /// # Errors
    /// There is no memory for it; or one of the matches is none that the format has.
    pub fn write(
        &mut self,
        content: &[u8],
        matches: &[ZSTD_Sequence],
        frame: &mut Vec<u8>,
    ) -> io::Result<()> {
        frame.clear();
        frame.reserve(zstd::zstd_safe::compress_bound(content.len()));
        let room = frame.spare_capacity_mut();
        // SAFETY: the context lives, and nobody else has it; the pointers are those of slices with these lengths, and that to
        // `room` may be written to. The context keeps none of them.
        let len = checked(unsafe {
            sys::ZSTD_compressSequences(
                self.0.as_ptr(),
                room.as_mut_ptr().cast(),
                room.len(),
                matches.as_ptr(),
                matches.len(),
                content.as_ptr().cast(),
                content.len(),
            )
        })?;
        // SAFETY: so many bytes of the room were written.
        unsafe { frame.set_len(len) };
        Ok(())
    }
}

impl Drop for SequenceWriter {
    fn drop(&mut self) {
        // SAFETY: it was made by `ZSTD_createCCtx` and is not used again.
        unsafe { sys::ZSTD_freeCCtx(self.0.as_ptr()) };
    }
}

fn checked(result: usize) -> io::Result<usize> {
    // SAFETY: it only looks at the number.
    match unsafe { sys::ZSTD_isError(result) } {
        0 => Ok(result),
        _ => Err(io::Error::other(zstd::zstd_safe::get_error_name(result))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_are_written_down_and_those_that_lie_are_refused() {
        let content = b"one two three, one two three, one two four".repeat(9000);
        let sequence =
            |offset, lits, len| ZSTD_Sequence { offset, litLength: lits, matchLength: len, rep: 0 };
        let mut writer = SequenceWriter::new().unwrap();
        let mut frame = Vec::new();
        for matches in [vec![], vec![sequence(15, 15, 23), sequence(42, 4, content.len() as u32 - 42)]] {
            writer.write(&content, &matches, &mut frame).unwrap();
            assert_eq!(zstd::bulk::decompress(&frame, content.len()).unwrap(), content);
        }
        assert!(frame.len() < 200);
        assert!(writer.write(&content, &[sequence(1000, 42, 100)], &mut frame).is_err());
        writer.write(&[], &[], &mut frame).unwrap();
        assert_eq!(zstd::bulk::decompress(&frame, 0).unwrap(), b"");
    }
}
