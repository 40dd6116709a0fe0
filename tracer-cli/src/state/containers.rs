//! Containers: their ids, and what the engines say about them.
//!
//! A thread knows its container by a [`ContainerKey`], found from its control groups when it starts
//! and when they change. What engines say comes in events, before or after the first thread.

use super::cgroup_id::{ContainerType, Found, container_id_of, owner_of, short_id};
use super::thread::{Thread, ThreadFlags};
use super::users::Users;
use bstr::BString;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::rc::Rc;

/// A container's place in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ContainerKey(u32);

/// Where a thread runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Place {
    /// Not looked up since its control groups changed.
    #[default]
    Unknown,
    /// In no container.
    Host,
    In(ContainerKey),
}

/// Whether an engine answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lookup {
    /// Nobody was asked, or no answer came yet.
    #[default]
    Pending,
    Done,
    Failed,
}

/// A directory that a container sees.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mount {
    pub source: BString,
    pub dest: BString,
    pub mode: BString,
    pub writable: bool,
    pub propagation: BString,
}

/// A port of the host that leads into a container.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PortMapping {
    pub host_ip: u32,
    pub host_port: u16,
    pub container_port: u16,
}

/// A command that checks a container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Probe {
    pub exe: BString,
    pub args: Vec<BString>,
}

/// One container. Texts are empty where nothing is known.
#[derive(Debug, Clone, Default)]
pub struct Container {
    pub id: BString,
    pub full_id: BString,
    pub kind: ContainerType,
    pub lookup: Lookup,
    pub name: BString,
    pub image: BString,
    pub image_id: BString,
    pub image_repository: BString,
    pub image_tag: BString,
    pub image_digest: BString,
    pub privileged: bool,
    pub is_pod_sandbox: bool,
    /// s since the epoch, 0 when unknown.
    pub created: i64,
    pub user: BString,
    pub ip: BString,
    pub cni_json: BString,
    pub pod_sandbox_id: BString,
    pub mounts: Vec<Mount>,
    pub ports: Vec<PortMapping>,
    pub labels: BTreeMap<BString, BString>,
    pub pod_labels: BTreeMap<BString, BString>,
    /// `NAME=value`.
    pub env: Vec<BString>,
    pub healthcheck: Option<Probe>,
    pub liveness: Option<Probe>,
    pub readiness: Option<Probe>,
    /// Bytes, 0 for no limit.
    pub memory_limit: i64,
    pub swap_limit: i64,
    pub cpu_shares: i64,
    /// µs in each period; 0 for no limit.
    pub cpu_quota: i64,
    /// µs.
    pub cpu_period: i64,
    pub cpuset_cpus: i64,
    /// Its own users and groups, as far as they are known.
    pub users: Users,
    /// How many [`Question`]s about it were left.
    pub asked: u8,
}

/// A container was met of which nothing is known but this.
///
/// There are some more questions as long as its users are not known: only a process that is in the
/// root directory of the container leads to its files.
#[derive(Debug, Clone)]
pub struct Question {
    pub kind: ContainerType,
    pub full_id: BString,
    /// A thread in it, which may be gone.
    pub tid: i64,
    /// Only the users are missing.
    pub users_only: bool,
    /// The user below whose slice the container runs; `None` for those of the system.
    pub owner: Option<u32>,
}

impl Container {
    /// A container of which only this is known; `full_id` may be a short one.
    pub fn new(kind: ContainerType, full_id: &[u8]) -> Self {
        Self { kind, id: short_id(full_id).into(), full_id: full_id.into(), ..Self::default() }
    }

    /// Takes from what was `known` of this container what `self` leaves out: the files of an engine
    /// say less than its socket, and may be read later.
    fn keep(&mut self, known: &mut Self) {
        if self.users.is_empty() {
            self.users = std::mem::take(&mut known.users);
        }
        self.asked = known.asked;
        if self.full_id.len() < known.full_id.len() {
            self.full_id = std::mem::take(&mut known.full_id);
        }
        // Captures have no numbers for the newer types.
        if matches!(self.kind, ContainerType::Unknown | ContainerType::Custom) {
            self.kind = known.kind;
        }
        let keep = |text: &mut BString, known: &mut BString| {
            if text.is_empty() {
                *text = std::mem::take(known);
            }
        };
        // Parts of different images do not belong together.
        if self.image.is_empty() || self.image == known.image {
            keep(&mut self.image, &mut known.image);
            keep(&mut self.image_id, &mut known.image_id);
            keep(&mut self.image_repository, &mut known.image_repository);
            keep(&mut self.image_tag, &mut known.image_tag);
            keep(&mut self.image_digest, &mut known.image_digest);
        }
        keep(&mut self.ip, &mut known.ip);
        keep(&mut self.pod_sandbox_id, &mut known.pod_sandbox_id);
        if self.labels.is_empty() {
            self.labels = std::mem::take(&mut known.labels);
        }
        if self.pod_labels.is_empty() {
            self.pod_labels = std::mem::take(&mut known.pod_labels);
        }
    }
}

/// The containers by their short ids.
#[derive(Debug, Default)]
pub struct Containers {
    list: Vec<Option<Box<Container>>>,
    free: Vec<u32>,
    by_id: FxHashMap<BString, u32>,
    /// Questions are wanted.
    asks: bool,
    questions: Vec<Question>,
    /// What control groups said of threads that were placed lately, which others have as well: of those without and with
    /// a pid namespace of their own.
    found: [FxHashMap<Rc<[u8]>, Option<Found>>; 2],
}

/// Most control groups of which that is remembered.
const MAX_FOUND: usize = 256;

impl Containers {
    /// From now on there is a [`Question`] about every container in which a thread is met.
    pub fn ask(&mut self) {
        self.asks = true;
    }

    /// Whether [`Containers::take_questions`] has something.
    #[inline]
    pub fn has_questions(&self) -> bool {
        !self.questions.is_empty()
    }

    /// The questions since the last call.
    pub fn take_questions(&mut self) -> Vec<Question> {
        std::mem::take(&mut self.questions)
    }

    /// There is no answer to the question about a container; what is known of it stays.
    pub fn give_up(&mut self, id: &[u8]) {
        if let Some(container) = self.find(id).and_then(|key| self.get_mut(key))
            && container.lookup == Lookup::Pending
        {
            container.lookup = Lookup::Failed;
        }
    }

    /// Takes over the users of a container that is known.
    pub fn set_users(&mut self, id: &[u8], users: Users) {
        if let Some(container) = self.find(id).and_then(|key| self.get_mut(key)) {
            container.users = users;
        }
    }

    /// The container at a place in the table.
    #[inline]
    pub fn get(&self, key: ContainerKey) -> Option<&Container> {
        self.list.get(key.0 as usize)?.as_deref()
    }

    pub(super) fn get_mut(&mut self, key: ContainerKey) -> Option<&mut Container> {
        self.list.get_mut(key.0 as usize)?.as_deref_mut()
    }

    /// The container with this id, in its short or long form.
    pub fn by_id(&self, id: &[u8]) -> Option<&Container> {
        self.get(self.find(id)?)
    }

    fn find(&self, id: &[u8]) -> Option<ContainerKey> {
        self.by_id.get(bstr::BStr::new(short_id(id))).map(|i| ContainerKey(*i))
    }

    pub fn iter(&self) -> impl Iterator<Item = &Container> {
        self.list.iter().filter_map(|slot| slot.as_deref())
    }

    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// The place of the container with this id; when it is new it is added with nothing known.
    pub fn meet(&mut self, kind: ContainerType, full_id: &[u8]) -> ContainerKey {
        let Some(key) = self.find(full_id) else { return self.add(Container::new(kind, full_id)) };
        if let Some(known) = self.get_mut(key) {
            // It may have been met by its short id, or by its users, before.
            if known.kind == ContainerType::Unknown {
                known.kind = kind;
            }
            if known.full_id.len() < full_id.len() {
                known.full_id = full_id.into();
            }
        }
        key
    }

    /// Takes over what is said of a container in place of what was known before, which stays where
    /// the news say nothing.
    pub fn learn(&mut self, mut news: Container) -> ContainerKey {
        if news.id.is_empty() {
            news.id = short_id(&news.full_id).into();
        }
        let Some(key) = self.find(&news.id) else { return self.add(news) };
        if let Some(known) = self.get_mut(key) {
            news.keep(known);
            *known = news;
        }
        key
    }

    fn add(&mut self, container: Container) -> ContainerKey {
        let id = container.id.clone();
        let index = self.free.pop().unwrap_or_else(|| {
            self.list.push(None);
            (self.list.len() - 1) as u32
        });
        if let Some(slot) = self.list.get_mut(index as usize) {
            *slot = Some(Box::new(container));
        }
        self.by_id.insert(id, index);
        ContainerKey(index)
    }

    /// Takes over what control groups said of threads in another state: they say the same here.
    pub(super) fn read_on(&mut self, other: Containers) {
        self.found = other.found;
    }

    /// Where a thread with these control groups runs.
    pub fn place_of(&mut self, thread: &Thread) -> Place {
        let own_pid_namespace = thread.flags.contains(ThreadFlags::IN_PID_NS);
        let known = &mut self.found[usize::from(own_pid_namespace)];
        let found = match known.get(&thread.cgroups) {
            Some(found) => found.clone(),
            None => {
                let found = container_id_of(&thread.cgroups, own_pid_namespace);
                if known.len() >= MAX_FOUND {
                    known.clear();
                }
                known.insert(Rc::clone(&thread.cgroups), found.clone());
                found
            }
        };
        match found {
            Some(found) => self.enter(&found, thread, owner_of(&thread.cgroups)),
            None => Place::Host,
        }
    }

    /// A thread was met in a container that `owner` runs; the first time that leaves a question.
    pub(super) fn enter(&mut self, found: &Found, thread: &Thread, owner: Option<u32>) -> Place {
        let key = self.meet(found.kind, &found.full_id);
        if self.get(key).is_some_and(|container| container.asked == 0) {
            self.ask_about(key, thread, owner);
        }
        Place::In(key)
    }

    /// Leaves a question about the container of a thread that has begun a program, if there is still
    /// something to be asked.
    pub(super) fn ask_about(&mut self, key: ContainerKey, thread: &Thread, owner: Option<u32>) {
        /// Questions about one container.
        const MOST: u8 = 8;
        if !self.asks {
            return;
        }
        let Some(container) = self.get_mut(key) else { return };
        let users_only = container.asked > 0;
        if users_only && (container.asked >= MOST || !container.users.is_empty()) {
            return;
        }
        container.asked += 1;
        if !users_only && container.kind.is_named_by_its_id() && container.name.is_empty() {
            // Nobody knows it better, so that the first event has it already.
            container.name = container.full_id.clone();
            container.lookup = Lookup::Done;
        }
        let (kind, full_id) = (container.kind, container.full_id.clone());
        self.questions.push(Question { kind, full_id, tid: thread.tid, users_only, owner });
    }

    /// Forgets who the users of the containers are.
    pub(super) fn forget_users(&mut self) {
        self.list.iter_mut().flatten().for_each(|container| container.users = Users::default());
    }

    /// Forgets the containers that no thread is in any more.
    pub(super) fn keep_those_of<'a>(&mut self, threads: impl Iterator<Item = &'a Thread>) {
        let mut used = vec![false; self.list.len()];
        for thread in threads {
            if let Place::In(key) = thread.place
                && let Some(slot) = used.get_mut(key.0 as usize)
            {
                *slot = true;
            }
        }
        for (index, slot) in self.list.iter_mut().enumerate() {
            if used.get(index) == Some(&false)
                && let Some(container) = slot.take()
            {
                self.by_id.remove(&container.id);
                self.free.push(index as u32);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &[u8] = b"697956520d891b5cb0e215093970c733549a3f745f52263c05b37f8a488994f3";

    fn thread(cgroups: &[u8]) -> Thread {
        Thread { cgroups: cgroups.into(), ..Thread::new(1, 1) }
    }

    #[test]
    fn what_is_said_belongs_to_the_threads_whenever_it_comes() {
        let mut table = Containers::default();
        let path = [b"cpu=/docker/", ID, b"\0"].concat();
        let Place::In(key) = table.place_of(&thread(&path)) else { panic!("on the host") };
        assert_eq!(table.get(key).unwrap().id, "697956520d89");
        let mut news = Container { id: "697956520d89".into(), ..Container::default() };
        news.name = "shop".into();
        assert_eq!(table.learn(news), key);
        let known = table.by_id(ID).unwrap();
        assert_eq!((known.name.as_slice(), known.full_id.as_slice()), (&b"shop"[..], ID));
        assert_eq!(known.kind, ContainerType::Docker, "not said, so it stays");
        assert_eq!(table.place_of(&thread(&path)), Place::In(key));
        assert_eq!(table.place_of(&thread(b"cpu=/\0")), Place::Host);
        assert_eq!(table.len(), 1);
    }

    #[test]
    fn threads_in_a_new_container_leave_questions() {
        let mut table = Containers::default();
        let path = [b"cpu=/user.slice/user-1000.slice/user@1000.service/libpod-", ID, b".scope\0"].concat();
        table.place_of(&thread(&path));
        assert!(!table.has_questions(), "nobody wants them");
        table.ask();
        table.learn(Container::new(ContainerType::Unknown, ID));
        for _ in 0..20 {
            let Place::In(key) = table.place_of(&thread(&path)) else { panic!("on the host") };
            table.ask_about(key, &thread(&path), None);
        }
        let questions = table.take_questions();
        assert_eq!((questions[0].tid, questions[0].owner), (1, Some(1000)));
        assert_eq!(questions[0].full_id, ID);
        assert!(!questions[0].users_only && questions[1..].iter().all(|question| question.users_only));
        assert_eq!(questions.len(), 8);
        table.give_up(ID);
        assert_eq!(table.by_id(ID).map(|c| c.lookup), Some(Lookup::Failed));
        table.learn(Container::new(ContainerType::Podman, ID));
        table.place_of(&thread(&path));
        assert!(!table.has_questions());
    }

    #[test]
    fn news_that_say_less_take_nothing_away() {
        let mut table = Containers::default();
        let full = Container {
            image: "shop:1".into(),
            image_tag: "1".into(),
            ..Container::new(ContainerType::Cri, ID)
        };
        table.learn(Container { ip: "10.0.0.7".into(), ..full.clone() });
        table.learn(Container { name: "shop".into(), ..Container::new(ContainerType::Cri, ID) });
        let known = table.by_id(ID).unwrap();
        assert_eq!((known.name.as_slice(), known.image.as_slice()), (&b"shop"[..], &b"shop:1"[..]));
        assert_eq!((known.image_tag.as_slice(), known.ip.as_slice()), (&b"1"[..], &b"10.0.0.7"[..]));
        table.learn(Container { image: "other".into(), ..Container::new(ContainerType::Cri, ID) });
        assert_eq!(table.by_id(ID).unwrap().image_tag, "");
    }

    #[test]
    fn containers_without_threads_are_forgotten() {
        let mut table = Containers::default();
        let (one, two) = (table.meet(ContainerType::Lxc, b"one"), table.meet(ContainerType::Lxc, b"two"));
        let mut inside = thread(b"");
        inside.place = Place::In(two);
        table.keep_those_of([&inside].into_iter());
        assert!(table.get(one).is_none() && table.by_id(b"one").is_none());
        assert_eq!(table.by_id(b"two").unwrap().id, "two");
        assert_eq!(table.meet(ContainerType::Lxc, b"three"), one, "the place is used again");
    }
}
