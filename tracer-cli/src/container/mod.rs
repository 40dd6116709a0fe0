//! What the engines know of containers: asked for on a thread of its own, so that events never wait.
//!
//! The state finds out by itself in which container a process is, and leaves a
//! [`Question`](crate::state::containers::Question) about one that it has not met before. The answers
//! come as [`News`], some moments later or, as containers are noticed when they are made, before the
//! first process runs.

mod containerd;
mod cri;
mod docker;
pub mod doctor;
mod engine_files;
mod engines;
mod http;
mod image;
mod json;
mod oci;
mod passwd;
mod watch;
mod worker;

pub use engines::Sockets;

use crate::state::containers::{Container, Question};
use crate::state::users::Users;
use bstr::BString;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Something about a container.
#[derive(Debug)]
pub enum News {
    /// What an engine says of it, in place of what it said before.
    Known(Box<Container>),
    /// Its own users.
    Users(BString, Users),
    /// There will be no better answer to the question about this id soon; whether there was one.
    Answered(BString, bool),
}

/// How to look up.
pub struct LookupOptions {
    pub sockets: Sockets,
    /// Say of every container that stays unknown why.
    pub verbose: bool,
    /// Takes a line about what is wrong.
    pub say: Box<dyn Fn(&str) + Send>,
}

/// Asks the engines. The thread that does so runs from the first question on, or from
/// [`Lookup::start`].
pub struct Lookup {
    options: Option<LookupOptions>,
    questions: Option<tokio::sync::mpsc::UnboundedSender<Question>>,
    inbox: Arc<Inbox>,
    /// Questions without an answer.
    open: usize,
}

/// What the thread hands over.
#[derive(Default)]
struct Inbox {
    /// Whether there is something, to be looked at before every event.
    filled: AtomicBool,
    news: Mutex<Vec<News>>,
    bell: Condvar,
}

impl Inbox {
    fn put(&self, news: News) {
        self.news.lock().unwrap_or_else(PoisonError::into_inner).push(news);
        self.filled.store(true, Ordering::Release);
        self.bell.notify_all();
    }
}

impl Lookup {
    pub fn new(options: LookupOptions) -> Self {
        Self { options: Some(options), questions: None, inbox: Arc::default(), open: 0 }
    }

    /// Begins to notice containers that are made. Without a thread there are no answers.
    pub fn start(&mut self) {
        let Some(options) = self.options.take() else { return };
        let (questions, asked) = tokio::sync::mpsc::unbounded_channel();
        let inbox = Arc::clone(&self.inbox);
        let host = PathBuf::from(std::env::var_os("HOST_ROOT").unwrap_or_default());
        let thread = std::thread::Builder::new().name("containers".into());
        if thread.spawn(move || worker::run(host, options, asked, inbox)).is_ok() {
            self.questions = Some(questions);
        }
    }

    /// Asks about a container.
    pub fn ask(&mut self, question: Question) {
        self.start();
        let id = question.full_id.clone();
        let sent = self.questions.as_ref().is_some_and(|thread| thread.send(question).is_ok());
        self.open += 1;
        if !sent {
            self.inbox.put(News::Answered(id, false));
        }
    }

    /// Whether [`Lookup::take`] has something.
    #[inline]
    pub fn has_news(&self) -> bool {
        self.inbox.filled.load(Ordering::Acquire)
    }

    /// What came since the last call.
    pub fn take(&mut self) -> Vec<News> {
        self.inbox.filled.store(false, Ordering::Release);
        let news = std::mem::take(&mut *self.inbox.news.lock().unwrap_or_else(PoisonError::into_inner));
        let answered = news.iter().filter(|news| matches!(news, News::Answered(..))).count();
        self.open = self.open.saturating_sub(answered);
        news
    }

    /// Waits until every question is answered, at most so long.
    pub fn wait(&mut self, limit: Duration) {
        let deadline = Instant::now() + limit;
        let mut news = self.inbox.news.lock().unwrap_or_else(PoisonError::into_inner);
        let is_open =
            |news: &[News]| news.iter().filter(|news| matches!(news, News::Answered(..))).count() < self.open;
        while is_open(&news) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            news = self.inbox.bell.wait_timeout(news, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
