//! Files that chisels make: the functions of the `sysdig` table for what does not fit on a terminal.
//!
//! A chisel is anybody's script. It may make a file that the user named as one of its arguments, and with
//! `--allow-chisel-io` any; what is there already is never written over, as the name may be that of a file
//! that the user meant to have looked at.

use super::requests::Run;
use mlua::{Error, Lua, LuaString, Result, Table};
use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::rc::Rc;

/// Bytes of a pixel: red, green and blue.
const PIXEL: usize = 3;

/// Adds the functions to the table.
///
/// # Errors
/// A lack of memory.
pub fn add(lua: &Lua, table: &Table, run: &Rc<Run>) -> Result<()> {
    let r = Rc::clone(run);
    let save = lua.create_function(move |_, (name, content): (String, LuaString)| {
        make(&r, &name, |out| out.write_all(&content.as_bytes()))
    })?;
    table.raw_set("save", save)?;
    let r = Rc::clone(run);
    let save_png =
        lua.create_function(move |_, (name, width, height, pixels): (String, u32, u32, LuaString)| {
            let pixels = pixels.as_bytes();
            let expected = (width as usize).checked_mul(height as usize).and_then(|n| n.checked_mul(PIXEL));
            if expected != Some(pixels.len()) {
                return Err(Error::runtime("save_png: not three bytes for each pixel"));
            }
            make(&r, &name, |out| write_png(out, width, height, &pixels))
        })?;
    table.raw_set("save_png", save_png)
}

fn make(run: &Run, name: &str, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    if !run.allow_io && !run.typed.borrow().iter().any(|argument| argument == name) {
        return Err(Error::runtime(format!("saving {name}, which is no argument, needs --allow-chisel-io")));
    }
    let fault = |e: io::Error| Error::runtime(format!("{name}: {e}"));
    let file = OpenOptions::new().write(true).create_new(true).open(name).map_err(fault)?;
    let mut out = BufWriter::new(file);
    write(&mut out).and_then(|()| out.flush()).map_err(fault)
}

fn write_png(out: &mut dyn Write, width: u32, height: u32, pixels: &[u8]) -> io::Result<()> {
    let mut encoder = png::Encoder::new(out, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    Ok(writer.finish()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A state with the functions, for a user who typed `argument`.
    fn state(argument: &str) -> Lua {
        let lua = Lua::new();
        let run = Run::default();
        run.typed.borrow_mut().push(argument.to_owned());
        let table = lua.create_table().unwrap();
        add(&lua, &table, &Rc::new(run)).unwrap();
        lua.globals().raw_set("sysdig", table).unwrap();
        lua
    }

    #[test]
    fn only_what_was_named_is_made_and_nothing_is_written_over() {
        let path = std::env::temp_dir().join(format!("tracer-save-{}.png", std::process::id()));
        let name = path.to_str().unwrap();
        let lua = state(name);
        let run = |text: String| lua.load(text).exec();
        assert!(run(format!("sysdig.save('{name}2', 'x')")).is_err());
        assert!(run(format!("sysdig.save_png('{name}', 2, 1, 'too short')")).is_err());
        assert!(!path.exists());
        run(format!("sysdig.save_png('{name}', 2, 1, 'abcdef')")).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert!(run(format!("sysdig.save('{name}', 'x')")).is_err());
        std::fs::remove_file(&path).unwrap();
        let mut reader = png::Decoder::new(io::Cursor::new(&bytes)).read_info().unwrap();
        let mut pixels = [0; 6];
        let info = reader.next_frame(&mut pixels).unwrap();
        assert_eq!(((info.width, info.height), &pixels), ((2, 1), b"abcdef"));
    }
}
