//! Chisels that print only now and then, beside one that shows at once that a mark has been seen.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tracer_tests::Tracer;
use tracer_tests::programs::Scratch;

/// A tracer with `-j` that runs some chisels, and opensnoop for marks: files that are opened in a folder of its own.
pub struct Marked {
    tracer: Tracer,
    folder: Scratch,
    marks: u32,
}

impl Marked {
    /// Starts the chisels, each a name with its arguments, over what `filter` lets through, and waits until they see it.
    pub fn start(name: &str, chisels: &[&[&str]], filter: &str) -> Result<Marked> {
        let folder = Scratch::new(name)?;
        let filter = format!("({filter}) or fd.directory={}", folder.text());
        let mut arguments = vec!["--unbuffered", "-j", "-c", "opensnoop"];
        for chisel in chisels {
            arguments.push("-c");
            arguments.extend(*chisel);
        }
        arguments.push(&filter);
        let mut this = Marked { tracer: Tracer::start(&arguments)?, folder, marks: 0 };
        this.mark()?;
        Ok(this)
    }

    /// Waits until everything that has happened so far has come to the chisels.
    pub fn mark(&mut self) -> Result<()> {
        self.marks += 1;
        let path = self.mark_file();
        let name = path.display().to_string();
        let open = || std::fs::write(&path, "").context("a mark");
        self.tracer.until(&name, open, |line| line.contains(&name))?;
        Ok(())
    }

    /// Waits until a table of an interval that ended at `ns` since the epoch or later has been printed.
    pub fn table_after(&mut self, ns: u128) -> Result<()> {
        let path = self.mark_file();
        // Intervals end with events.
        let event = || std::fs::write(&path, "").context("an event");
        let is_later = |line: &str| {
            let digits = line.trim().strip_prefix("\"ts\":\"").and_then(|rest| rest.split('"').next());
            digits.and_then(|digits| digits.parse::<u128>().ok()).is_some_and(|ts| ts >= ns)
        };
        self.tracer.until("the table of a later second", event, is_later)?;
        Ok(())
    }

    /// Ends the run and gives the objects that were printed, without those of marks.
    pub fn finish(mut self) -> Result<Vec<Value>> {
        self.mark()?;
        let folder = self.folder.text();
        let output = self.tracer.finish()?;
        ensure!(output.code == 0, "{}", output.stderr);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let objects = serde_json::Deserializer::from_str(&text).into_iter::<Value>();
        let objects: Result<Vec<Value>, _> = objects.collect();
        let is_mark = |object: &Value| object["path"].as_str().is_some_and(|path| path.starts_with(&folder));
        Ok(objects.context("the output")?.into_iter().filter(|object| !is_mark(object)).collect())
    }

    fn mark_file(&self) -> PathBuf {
        self.folder.path().join(format!("mark-{}", self.marks))
    }
}

/// The sum of the last column of all rows that begin with `key`, over the tables among these objects.
pub fn table_sum(objects: &[Value], key: &str) -> f64 {
    let rows = objects.iter().filter_map(|object| object["data"].as_array()).flatten();
    let wanted = rows.filter(|row| row[0].as_str() == Some(key));
    wanted.filter_map(|row| row.as_array()?.last()?.as_f64()).sum()
}
