//! Hand-made events and the state around them.

use crate::event::{Event, EventBits};
use crate::fields::ExtractOptions;
use crate::filter::Filter;
use crate::filter::pushdown::can_have_fd;
use crate::schema::{EventType, names};
use crate::state::fd::{Endpoint, FdInfo, FdKind, L4, Role, Socket};
use crate::state::thread::Thread;
use crate::state::{Binding, Context, State};
use proptest::prelude::*;

/// One event with everything around it.
#[derive(Debug)]
pub struct Scene {
    pub state: State,
    pub binding: Binding,
    pub ty: EventType,
    pub ts: u64,
    pub params: Vec<Vec<u8>>,
}

impl Scene {
    /// `cat` (pid 10, child of `bash`, pid 5, child of `init`, pid 1) returns from an `openat`.
    pub fn cat_opens(name: &str) -> Scene {
        let mut scene = Scene {
            state: State::default(),
            binding: Binding::default(),
            ty: EventType::SYSCALL_OPENAT_2_X,
            ts: 1_000_000_000,
            params: vec![
                3i64.to_le_bytes().to_vec(),
                (-100i64).to_le_bytes().to_vec(),
                [name.as_bytes(), b"\0"].concat(),
            ],
        };
        for (pid, parent, comm) in [(1, 0, "init"), (5, 1, "bash"), (10, 5, "cat")] {
            scene.add_process(pid, parent, comm.as_bytes());
        }
        scene.binding.thread = scene.state.find(10);
        let mut file = FdInfo::new(FdKind::File);
        file.name = name.into();
        scene.add_fd(3, file);
        scene
    }

    /// An exit of `write` on a TCP connection from 10.0.0.1:40000 to 1.2.3.4:443.
    pub fn cat_sends(data: &[u8]) -> Scene {
        let mut scene = Scene::cat_opens("/etc/passwd");
        let mut fd = FdInfo::new(FdKind::Ipv4);
        let end = |ip: &str, port| ip.parse().ok().map(|ip| Endpoint { ip, port });
        fd.socket = Some(Box::new(Socket {
            l4: L4::Tcp,
            role: Role::Client,
            source: end("10.0.0.1", 40000),
            dest: end("1.2.3.4", 443),
            ..Socket::default()
        }));
        fd.name = "10.0.0.1:40000->1.2.3.4:443".into();
        scene.add_fd(4, fd);
        scene.ty = EventType::SYSCALL_WRITE_X;
        scene.params = vec![(data.len() as i64).to_le_bytes().to_vec(), data.to_vec()];
        scene
    }

    /// A call without event type of its own.
    pub fn generic(call: &str) -> Scene {
        let mut scene = Scene::cat_opens("x");
        scene.ty = EventType::GENERIC_X;
        scene.params = vec![names::syscall_by_name(call).unwrap_or(9999).to_le_bytes().to_vec()];
        scene.binding.fd = None;
        scene
    }

    /// An event of which nothing is known but its type.
    pub fn bare(ty: EventType) -> Scene {
        Scene { state: State::default(), binding: Binding::default(), ty, ts: 0, params: Vec::new() }
    }

    pub fn add_process(&mut self, pid: i64, parent: i64, comm: &[u8]) {
        let mut thread = Thread::new(pid, pid);
        thread.ptid = parent;
        thread.comm = comm.into();
        thread.exe = [b"/bin/", comm].concat().into();
        thread.cwd = "/home/".into();
        thread.uid = if pid == 1 { u32::MAX } else { 1000 };
        self.state.insert(thread);
    }

    pub fn add_fd(&mut self, number: i64, info: FdInfo) {
        if let Some(thread) = self.binding.thread.and_then(|key| self.state.thread_mut(key)) {
            thread.fds.insert(number, info);
        }
        self.binding.fd = Some(number);
    }

    pub fn with<R>(&self, then: impl FnOnce(Context<'_>) -> R) -> R {
        let params: Vec<&[u8]> = self.params.iter().map(Vec::as_slice).collect();
        let event = Event {
            num: 7,
            ts: self.ts,
            tid: 10,
            pid: 10,
            cpu: 2,
            ty: self.ty,
            bits: EventBits::empty(),
            unreadable: 0,
            params: (&params).into(),
        };
        then(Context { event: &event, state: &self.state, binding: &self.binding })
    }

    #[track_caller]
    pub fn matches(&self, filter: &str) -> bool {
        let mut filter = Filter::compile(filter).unwrap_or_else(|e| panic!("{}", e.render(filter)));
        self.with(|context| {
            let matches = filter.matches(context, &ExtractOptions::default());
            assert_eq!(matches, filter.matches(context, &ExtractOptions::default()), "asked twice");
            matches
        })
    }
}

/// Any of them, and events of any type with parameters that may be nonsense.
pub fn any_scene() -> impl Strategy<Value = Scene> {
    let ty = prop_oneof![
        Just(EventType::SYSCALL_OPENAT_2_X),
        Just(EventType::SYSCALL_WRITE_X),
        Just(EventType::GENERIC_X),
        Just(EventType::ASYNCEVENT_E),
        (0..460u16).prop_map(EventType),
    ];
    (0..4, ty, any::<[bool; 3]>(), prop::collection::vec(prop::collection::vec(any::<u8>(), 0..9), 0..6))
        .prop_map(|(base, ty, [keep_params, keep_thread, keep_parent], params)| {
            let mut scene = match base {
                0 => Scene::cat_opens("/etc/passwd"),
                1 => Scene::cat_sends(b"some data"),
                2 => Scene::generic("fstatfs"),
                _ => Scene::bare(ty),
            };
            if !keep_params {
                let most = ty.info().map_or(0, |info| info.params.len());
                scene.ty = ty;
                scene.params = params.into_iter().take(most).collect();
            }
            if !can_have_fd(scene.ty) {
                scene.binding.fd = None;
            }
            if !keep_thread {
                scene.binding.thread = None;
            }
            if !keep_parent {
                scene.state.remove(5);
            }
            scene
        })
}
