//! Which container threads are in, and what events say about it.

use super::*;

const GROUPS: &[u8] =
    b"cpu=/docker/697956520d891b5cb0e215093970c733549a3f745f52263c05b37f8a488994f3\0memory=/\0";
const NOTE: &str = r#"{"container":{"id":"697956520d89","name":"shop","type":0}}"#;

fn id_of(world: &World, tid: i64) -> Option<String> {
    world.state().container_of(world.thread(tid)).map(|container| container.id.to_string())
}

#[test]
fn children_are_in_the_container_of_their_parent_until_their_groups_change() {
    let mut world = World::new();
    assert_eq!(id_of(&world, 100), None);
    world.apply(clone(200).bytes("cgroups", GROUPS));
    assert_eq!(id_of(&world, 200), Some("697956520d89".into()));
    world.apply(clone(300).by(200).bytes("cgroups", GROUPS));
    world.apply(clone(400).by(200).bytes("cgroups", b"cpu=/user.slice\0"));
    assert_eq!((id_of(&world, 300), id_of(&world, 400)), (Some("697956520d89".into()), None));
    world.apply(exec("/bin/x").bytes("cgroups", GROUPS));
    assert_eq!(id_of(&world, 100), Some("697956520d89".into()), "moved before the exec");
    world.apply(exec("/bin/y").bytes("cgroups", b"cpu=/\0"));
    assert_eq!(id_of(&world, 100), Some("697956520d89".into()), "the topmost group tells nothing");
    world.apply(exec("/bin/y").bytes("cgroups", b"cpu=/user.slice\0"));
    assert_eq!(id_of(&world, 100), None);
    assert_eq!(world.state().containers.len(), 1);
}

#[test]
fn events_name_containers() {
    for ty in [EventType::CONTAINER_JSON_E, EventType::CONTAINER_JSON_2_E] {
        let mut world = World::new();
        world.apply(clone(200).bytes("cgroups", GROUPS));
        world.apply(made(ty).by(-1).text("json", NOTE));
        assert_eq!(world.state().container_of(world.thread(200)).unwrap().name, "shop");
    }
    let mut world = World::new();
    let old = made(EventType::CONTAINER_E).by(-1).text("id", "abc").int("type", 1).text("name", "web");
    world.apply(old.text("image", "busybox"));
    let container = world.state().containers.by_id(b"abc").unwrap();
    assert_eq!((container.name.as_slice(), container.kind.name()), (&b"web"[..], "lxc"));
    let plugin = made(EventType::ASYNCEVENT_E).by(1).text("name", "container").text("data", NOTE);
    world.apply(plugin);
    assert_eq!(world.state().containers.by_id(b"697956520d89").unwrap().name, "shop");
    world.apply(made(EventType::CONTAINER_JSON_E).by(-1).bytes("json", b"\xff{"));
    assert_eq!(world.state().containers.len(), 2);
}
