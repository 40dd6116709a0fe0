//! The thread that asks engines and reads their files.

use super::engine_files::{self, Described, Unreadable};
use super::engines::{self, Engines};
use super::http::NoAnswer;
use super::watch::{Appeared, Watch};
use super::{Inbox, LookupOptions, News, containerd, cri, docker, http, passwd};
use crate::state::cgroup_id::ContainerType;
use crate::state::containers::{Container, Lookup, Question};
use crate::state::users::Users;
use bstr::{BString, ByteSlice};
use rustc_hash::{FxHashMap, FxHashSet};
use std::cell::RefCell;
use std::collections::hash_map::Entry;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::sleep;

/// Questions that are worked on at the same time.
const AT_ONCE: usize = 16;
/// An engine may write down what it started a little later than it started it.
const SECOND_TRIES: [Duration; 6] = {
    let ms = Duration::from_millis;
    [ms(5), ms(10), ms(20), ms(50), ms(100), ms(200)]
};
/// A socket that kept us waiting is left alone for so long.
const PENALTY: Duration = Duration::from_secs(20);
/// When a container that is being started has an address.
const STARTED: Duration = Duration::from_millis(500);
/// How long the places of engines are taken for the same.
const PLACES_FRESH: Duration = Duration::from_secs(5);
/// The first process of a container gets its root directory within this time.
const USERS_TRIES: u32 = 9;

/// Answers questions until nobody asks any more.
pub(super) fn run(
    host: PathBuf,
    options: LookupOptions,
    questions: UnboundedReceiver<Question>,
    inbox: Arc<Inbox>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime {
        Ok(runtime) => {
            let tasks = tokio::task::LocalSet::new();
            let worker = Rc::new(Worker::new(host, options, inbox));
            tasks.block_on(&runtime, worker.serve(questions));
        }
        Err(e) => (options.say)(&format!("names of containers cannot be asked for: {e}")),
    }
}

struct Worker {
    host: PathBuf,
    options: LookupOptions,
    inbox: Arc<Inbox>,
    at_once: Semaphore,
    engines: RefCell<(Instant, Rc<Engines>)>,
    /// Until when a socket is left alone.
    slow: RefCell<FxHashMap<PathBuf, Instant>>,
    /// What was said already.
    said: RefCell<FxHashSet<String>>,
    /// Users of the host, for their home directories.
    users: Users,
}

/// Why a place that was asked says nothing.
struct Trouble {
    place: String,
    why: String,
    /// Something is wrong there, and not just nothing.
    is_odd: bool,
}

impl From<Unreadable> for Trouble {
    fn from(file: Unreadable) -> Self {
        Self { place: file.path.display().to_string(), why: file.why, is_odd: true }
    }
}

impl Worker {
    fn new(host: PathBuf, options: LookupOptions, inbox: Arc<Inbox>) -> Self {
        let engines = (Instant::now(), Rc::new(Engines::find(&host, &options.sockets)));
        Self {
            engines: RefCell::new(engines),
            host,
            options,
            inbox,
            at_once: Semaphore::new(AT_ONCE),
            slow: RefCell::default(),
            said: RefCell::default(),
            users: Users::of_host(),
        }
    }

    async fn serve(self: Rc<Self>, mut questions: UnboundedReceiver<Question>) {
        tokio::task::spawn_local(Rc::clone(&self).watch());
        for socket in &self.engines(None).docker_sockets {
            tokio::task::spawn_local(Rc::clone(&self).follow_docker(socket.clone()));
        }
        while let Some(question) = questions.recv().await {
            tokio::task::spawn_local(Rc::clone(&self).answer(question));
        }
    }

    /// Looks at containers when they are made, so that they are known when their first process runs.
    async fn watch(self: Rc<Self>) {
        let Ok(mut watch) = Watch::new() else { return };
        watch.add(self.engines(None).watched());
        let mut names = engine_files::names_in(&self.engines(None).storages);
        while let Ok(appeared) = watch.next().await {
            let engines = self.engines(None);
            if appeared.iter().any(Appeared::is_list) {
                let now = engine_files::names_in(&engines.storages);
                for (id, name) in &now {
                    // podman renames containers, as docker does, and says so nowhere else.
                    if names.get(id).is_some_and(|before| before != name) {
                        tokio::task::spawn_local(Rc::clone(&self).look_ahead(id.clone()));
                    }
                }
                names = now;
            }
            for Appeared { dir, name, is_dir } in appeared {
                let id = if !is_dir {
                    // What a runtime has written about a container that it is starting.
                    let is_state = name == "state.json" || name == "status";
                    dir.file_name().filter(|_| is_state).map(OsStr::to_owned)
                } else if dir.file_name().is_some_and(|name| name == engines::TASKS) {
                    // A namespace of containerd has its containers below it; the first is there already.
                    let space = dir.join(&name);
                    watch.add([space.clone()]);
                    for container in std::fs::read_dir(&space).into_iter().flatten().flatten() {
                        let id = container.file_name();
                        tokio::task::spawn_local(Rc::clone(&self).look_ahead(id.as_bytes().into()));
                    }
                    None
                } else {
                    if engines.runtimes.contains(&dir) {
                        watch.add([dir.join(&name)]);
                    }
                    Some(name)
                };
                if let Some(id) = id {
                    tokio::task::spawn_local(Rc::clone(&self).look_ahead(id.as_bytes().into()));
                }
            }
            watch.add(engines.watched());
        }
    }

    /// What is to be known of a container in which no process was met.
    async fn look_ahead(self: Rc<Self>, full_id: BString) {
        let question =
            Question { kind: ContainerType::Unknown, full_id, tid: 0, users_only: false, owner: None };
        let engines = self.engines(None);
        let mut root = PathBuf::new();
        for delay in SECOND_TRIES {
            if self.look(&engines, &question, &mut root, &mut Vec::new()).await {
                break;
            }
            sleep(delay).await;
        }
        self.find_users(&question, &root).await;
    }

    /// Follows the events of a docker daemon, also one that is started again.
    async fn follow_docker(self: Rc<Self>, socket: PathBuf) {
        loop {
            // Why it ended does not matter: questions say what is wrong.
            let _ = http::follow(&socket, docker::EVENTS, |event| {
                if let Some(id) = docker::event_id(&event) {
                    tokio::task::spawn_local(Rc::clone(&self).refresh(socket.clone(), id.into()));
                }
            })
            .await;
            sleep(PENALTY).await;
        }
    }

    /// Something happened to a container of docker.
    async fn refresh(self: Rc<Self>, socket: PathBuf, full_id: BString) {
        let engines = Engines { docker_sockets: vec![socket], ..Engines::default() };
        let found = self.ask_docker(&engines, ContainerType::Docker, &full_id, &mut Vec::new()).await;
        if let Some(container) = found {
            self.tell(container);
        }
    }

    /// Where to ask about a container of this user.
    fn engines(&self, owner: Option<u32>) -> Rc<Engines> {
        let mut found = self.engines.borrow_mut();
        if found.0.elapsed() > PLACES_FRESH {
            *found = (Instant::now(), Rc::new(Engines::find(&self.host, &self.options.sockets)));
        }
        let Some(uid) = owner else { return Rc::clone(&found.1) };
        let mut engines = Engines::clone(&found.1);
        let home = self.users.users.get(&uid).map(|user| user.home.to_path_lossy().into_owned());
        engines.add_user(&self.host, uid, &home.unwrap_or_default());
        Rc::new(engines)
    }

    async fn answer(self: Rc<Self>, question: Question) {
        if question.users_only {
            self.inbox.put(News::Answered(question.full_id.clone(), true));
            return self.find_users(&question, Path::new("")).await;
        }
        let engines = self.engines(question.owner);
        let mut troubles = Vec::new();
        let mut root = PathBuf::new();
        let mut known = false;
        for delay in std::iter::once(Duration::ZERO).chain(SECOND_TRIES) {
            if !delay.is_zero() {
                sleep(delay).await;
            }
            // Not held while nothing is asked: of a container without users that is a second.
            let _turn = self.at_once.acquire().await;
            troubles.clear();
            known = self.look(&engines, &question, &mut root, &mut troubles).await;
            if known || troubles.iter().any(|trouble| trouble.is_odd) {
                break;
            }
        }
        if !known {
            self.explain(&question, &troubles);
        }
        self.inbox.put(News::Answered(question.full_id.clone(), known));
        self.find_users(&question, &root).await;
    }

    /// Asks everybody once; whether somebody said the name.
    async fn look(
        self: &Rc<Self>,
        engines: &Engines,
        question: &Question,
        root: &mut PathBuf,
        troubles: &mut Vec<Trouble>,
    ) -> bool {
        let Question { kind, full_id, .. } = question;
        if kind.is_named_by_its_id() {
            self.tell(Container {
                name: full_id.clone(),
                lookup: Lookup::Done,
                ..Container::new(*kind, full_id)
            });
            return true;
        }
        match engine_files::find(engines, *kind, full_id) {
            Ok(Some(Described { container, root: found })) => {
                *root = found;
                if !container.name.is_empty() {
                    let kind = container.kind;
                    // Bundles lack the image or the address of the pod, and what is being started
                    // has no address yet.
                    let more: &[Duration] = match kind {
                        ContainerType::Docker => &[STARTED],
                        ContainerType::Podman => &[],
                        _ => &[Duration::ZERO, STARTED],
                    };
                    self.tell(container);
                    for delay in more.iter().copied() {
                        let question = Question { kind, ..question.clone() };
                        tokio::task::spawn_local(Rc::clone(self).complete(question, delay));
                    }
                    return true;
                }
            }
            Ok(None) => {}
            Err(file) => troubles.push(file.into()),
        }
        let answer = match kind {
            ContainerType::Cri | ContainerType::Containerd | ContainerType::CriO => {
                self.ask_cri(engines, *kind, full_id, troubles).await
            }
            // Nothing but an id in the path may be docker's or containerd's.
            _ => match self.ask_docker(engines, *kind, full_id, troubles).await {
                None if *kind == ContainerType::Docker => {
                    self.ask_cri(engines, ContainerType::Containerd, full_id, troubles).await
                }
                None if *kind != ContainerType::Podman => {
                    self.ask_cri(engines, *kind, full_id, troubles).await
                }
                answer => answer,
            },
        };
        answer.map(|container| self.tell(container)).is_some()
    }

    /// Asks Kubernetes' runtimes, and containerd by its own API.
    async fn ask_cri(
        &self,
        engines: &Engines,
        kind: ContainerType,
        full_id: &BString,
        troubles: &mut Vec<Trouble>,
    ) -> Option<Container> {
        let id = full_id.to_str().ok()?;
        for socket in &engines.cri_sockets {
            if let Some(container) = self.note(socket, cri::find(socket, kind, id), troubles).await {
                return Some(container);
            }
        }
        for socket in &engines.containerd_sockets {
            if let Some(container) = self.note(socket, containerd::find(socket, id), troubles).await {
                return Some(container);
            }
        }
        None
    }

    /// Asks for what files do not say, or not when a container has only been made.
    async fn complete(self: Rc<Self>, question: Question, delay: Duration) {
        sleep(delay).await;
        let engines = self.engines(question.owner);
        let Question { kind, full_id, .. } = &question;
        let found = match kind {
            ContainerType::Docker => match self.ask_docker(&engines, *kind, full_id, &mut Vec::new()).await {
                None => engine_files::find(&engines, *kind, full_id).ok().flatten().map(|f| f.container),
                answer => answer,
            },
            _ => self.ask_cri(&engines, *kind, full_id, &mut Vec::new()).await,
        };
        let Some(mut container) = found else { return };
        // containerd's own API says nothing of what is in the bundle.
        if let Ok(Some(file)) = engine_files::find(&engines, *kind, full_id) {
            let file = file.container;
            for (known, of_file) in
                [(&mut container.user, file.user), (&mut container.pod_sandbox_id, file.pod_sandbox_id)]
            {
                if known.is_empty() {
                    *known = of_file;
                }
            }
            if container.mounts.is_empty() {
                container.mounts = file.mounts;
            }
            if container.env.is_empty() {
                container.env = file.env;
            }
        }
        self.tell(container);
    }

    /// Asks by docker's API.
    async fn ask_docker(
        &self,
        engines: &Engines,
        kind: ContainerType,
        full_id: &BString,
        troubles: &mut Vec<Trouble>,
    ) -> Option<Container> {
        let (sockets, kind) = match kind {
            ContainerType::Podman => (&engines.podman_sockets, kind),
            _ => (&engines.docker_sockets, ContainerType::Docker),
        };
        let id = full_id.to_str().ok().filter(|id| id.bytes().all(|b| b.is_ascii_alphanumeric()))?;
        for socket in sockets {
            let path = format!("/containers/{id}/json");
            let Some(doc) = self.note(socket, http::get(socket, &path), troubles).await else { continue };
            let Some(mut container) = docker::describe(kind, &doc, None).filter(|c| c.full_id == *full_id)
            else {
                troubles.push(trouble(socket, NoAnswer::Garbage));
                continue;
            };
            let image = container.image_id.to_str().unwrap_or_default();
            if image.bytes().all(|b| b.is_ascii_hexdigit()) && !image.is_empty() {
                // A container without a digest is good, too.
                let path = format!("/images/{image}/json");
                let doc = self.note(socket, http::get(socket, &path), &mut Vec::new()).await;
                if let Some(digest) = doc.as_ref().and_then(docker::digest) {
                    container.image_digest = digest.into();
                }
            }
            return Some(container);
        }
        None
    }

    /// Waits for an answer of a socket, unless it has kept us waiting before, and notes what went
    /// wrong.
    async fn note<T>(
        &self,
        socket: &Path,
        answer: impl Future<Output = Result<T, NoAnswer>>,
        troubles: &mut Vec<Trouble>,
    ) -> Option<T> {
        if let Entry::Occupied(slow) = self.slow.borrow_mut().entry(socket.to_owned()) {
            if *slow.get() > Instant::now() {
                troubles.push(trouble(socket, NoAnswer::Time));
                return None;
            }
            slow.remove();
        }
        match answer.await {
            Ok(answer) => Some(answer),
            Err(why) => {
                if why == NoAnswer::Time {
                    self.slow.borrow_mut().insert(socket.to_owned(), Instant::now() + PENALTY);
                }
                troubles.push(trouble(socket, why));
                None
            }
        }
    }

    fn tell(&self, container: Container) {
        self.inbox.put(News::Known(Box::new(container)));
    }

    /// The users of the container: of its process, as soon as that has the container's root.
    async fn find_users(&self, question: &Question, root: &Path) {
        let mut of_process = self.host.as_os_str().to_owned();
        of_process.push(format!("/proc/{}", question.tid));
        let of_process = PathBuf::from(of_process);
        for attempt in 0..USERS_TRIES {
            if question.users_only && !of_process.exists() {
                return;
            }
            let found = passwd::users_of_process(&of_process)
                .or_else(|| if root.as_os_str().is_empty() { None } else { passwd::users_below(root) });
            if let Some(users) = found {
                self.inbox.put(News::Users(question.full_id.clone(), users));
                return;
            }
            sleep(Duration::from_millis(2 << attempt)).await;
        }
    }

    /// Says why a name stays unknown: what is wrong once, the rest when it is asked for.
    fn explain(&self, question: &Question, troubles: &[Trouble]) {
        for trouble in troubles.iter().filter(|trouble| trouble.is_odd) {
            let line =
                format!("no access to {}: {}; names of containers are missing", trouble.place, trouble.why);
            if self.said.borrow_mut().insert(line.clone()) {
                (self.options.say)(&line);
            }
        }
        if !self.options.verbose {
            return;
        }
        let id = crate::state::cgroup_id::short_id(&question.full_id).escape_ascii();
        let mut line = format!("the name of container {id} ({}) is not known: ", question.kind.name());
        for (i, trouble) in troubles.iter().enumerate() {
            let separator = if i > 0 { ", " } else { "" };
            line.push_str(&format!("{separator}{} ({})", trouble.place, trouble.why));
        }
        if troubles.is_empty() {
            line.push_str("no engine has files about it");
        }
        (self.options.say)(&line);
    }
}

fn trouble(socket: &Path, why: NoAnswer) -> Trouble {
    use std::io::ErrorKind as K;
    // A daemon that is stopped leaves its socket behind.
    let is_odd = !matches!(why, NoAnswer::Connect(K::NotFound) | NoAnswer::Unknown);
    Trouble { place: socket.display().to_string(), why: why.to_string(), is_odd }
}
