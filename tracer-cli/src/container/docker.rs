//! How docker describes a container: the same way in the answers of its API, which podman speaks
//! too, and in the files of the daemon.

use super::{image, json};
use crate::state::cgroup_id::ContainerType;
use crate::state::containers::{Container, Lookup, Mount, PortMapping, Probe};
use serde_json::Value;
use std::net::Ipv4Addr;

/// The container of an answer to `GET /containers/ID/json`, or of `config.v2.json`; `None` when it
/// has no id. Files have the part about the host apart: `hostconfig.json`.
pub(super) fn describe(kind: ContainerType, doc: &Value, host_config: Option<&Value>) -> Option<Container> {
    let id = [json::text(doc, &["Id"]), json::text(doc, &["ID"])].into_iter().find(|id| !id.is_empty())?;
    let mut container = Container::new(kind, id.as_bytes());
    container.lookup = Lookup::Done;
    container.name = json::text(doc, &["Name"]).trim_start_matches('/').into();
    // podman's answer has the name of the image at the top.
    let named = [json::text(doc, &["Config", "Image"]), json::text(doc, &["ImageName"])];
    image::set(&mut container, named.into_iter().find(|name| !name.is_empty()).unwrap_or_default());
    image::set_id(&mut container, json::text(doc, &["Image"]));
    container.created = json::time(doc, &["Created"]);
    container.user = json::text(doc, &["Config", "User"]).into();
    container.labels = json::labels(doc, &["Config", "Labels"]);
    container.env = json::texts(doc, &["Config", "Env"]);
    container.healthcheck = healthcheck(doc);
    container.ip = address(doc).into();
    container.ports = ports(doc);
    container.mounts = json::items(doc, &["Mounts"]).map(|m| mount(m, "Destination")).collect();
    for (dest, point) in json::entries(doc, &["MountPoints"]) {
        container.mounts.push(Mount { dest: dest.as_str().into(), ..mount(point, "") });
    }

    let host = host_config.or_else(|| doc.get("HostConfig")).unwrap_or(&Value::Null);
    container.privileged = json::truth(host, &["Privileged"]);
    container.memory_limit = json::number(host, &["Memory"]);
    container.swap_limit = json::number(host, &["MemorySwap"]);
    container.cpu_shares = json::number(host, &["CpuShares"]);
    container.cpu_quota = json::number(host, &["CpuQuota"]);
    container.cpu_period = json::number(host, &["CpuPeriod"]);
    container.cpuset_cpus = count_cpus(json::text(host, &["CpusetCpus"]));
    Some(container)
}

/// Asks for what happens to containers from now on.
pub(super) const EVENTS: &str = "/events?filters=%7B%22type%22%3A%5B%22container%22%5D%2C\
    %22event%22%3A%5B%22create%22%2C%22start%22%2C%22rename%22%2C%22update%22%5D%7D";

/// The container of an event.
pub(super) fn event_id(event: &Value) -> Option<&str> {
    Some(json::text(event, &["Actor", "ID"])).filter(|id| !id.is_empty())
}

/// The digest in an answer to `GET /images/ID/json`.
pub(super) fn digest(doc: &Value) -> Option<&str> {
    json::items(doc, &["RepoDigests"]).find_map(|name| Some(name.as_str()?.split_once('@')?.1))
}

fn mount(from: &Value, dest: &str) -> Mount {
    let mode = [json::text(from, &["Mode"]), json::text(from, &["Relabel"])];
    Mount {
        source: json::text(from, &["Source"]).into(),
        dest: json::text(from, &[dest]).into(),
        mode: mode.into_iter().find(|mode| !mode.is_empty()).unwrap_or_default().into(),
        writable: json::truth(from, &["RW"]),
        propagation: json::text(from, &["Propagation"]).into(),
    }
}

/// `["CMD", exe, …]` or `["CMD-SHELL", line]`.
fn healthcheck(doc: &Value) -> Option<Probe> {
    let mut test = json::texts(doc, &["Config", "Healthcheck", "Test"]).into_iter();
    match test.next()?.as_slice() {
        b"CMD" => Some(Probe { exe: test.next()?, args: test.collect() }),
        b"CMD-SHELL" => Some(Probe { exe: "/bin/sh".into(), args: vec!["-c".into(), test.next()?] }),
        _ => None,
    }
}

fn address(doc: &Value) -> &str {
    let network = &["NetworkSettings", "Networks"];
    let of_network = json::entries(doc, network).map(|(_, network)| json::text(network, &["IPAddress"]));
    std::iter::once(json::text(doc, &["NetworkSettings", "IPAddress"]))
        .chain(of_network)
        .find(|ip| !ip.is_empty())
        .unwrap_or_default()
}

/// `"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}]`.
fn ports(doc: &Value) -> Vec<PortMapping> {
    let mut ports = Vec::new();
    for (inside, outside) in json::entries(doc, &["NetworkSettings", "Ports"]) {
        let Some(container_port) = inside.split('/').next().and_then(|port| port.parse().ok()) else {
            continue;
        };
        for binding in outside.as_array().into_iter().flatten() {
            let ip = json::text(binding, &["HostIp"]).parse::<Ipv4Addr>();
            let Ok(host_port) = json::text(binding, &["HostPort"]).parse() else { continue };
            // Those of version 6 say the same again.
            if let Ok(ip) = ip {
                ports.push(PortMapping { host_ip: ip.to_bits(), host_port, container_port });
            }
        }
    }
    ports
}

/// How many CPUs are in a list such as `0-3,8`.
pub(super) fn count_cpus(list: &str) -> i64 {
    let number = |text: &str| text.trim().parse::<i64>().ok();
    let count = |range: &str| match range.split_once('-') {
        Some((first, last)) => Some(number(last)?.checked_sub(number(first)?)?.saturating_add(1)),
        None => number(range).map(|_| 1),
    };
    list.split(',').filter_map(count).filter(|n| *n > 0).fold(0, i64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "2d1cbe7877697cd8bfbbc5731cd8ce96bb9d42815ea1b4df531ed891b22a776e";

    #[test]
    fn answers_of_the_api() {
        let doc = format!(
            r#"{{"Id":"{ID}","Created":"2026-11-23T00:36:34.796001155Z","Name":"/web2",
            "Image":"sha256:4280","Config":{{"Image":"bb:1","User":"web","Labels":{{"app":"demo"}},
              "Env":["PATH=/bin"],"Healthcheck":{{"Test":["CMD-SHELL","ls -l"]}}}},
            "HostConfig":{{"Privileged":true,"Memory":5,"CpusetCpus":"0-2,5"}},
            "Mounts":[{{"Source":"/tmp","Destination":"/data","Mode":"ro","RW":false,"Propagation":"rslave"}}],
            "NetworkSettings":{{"IPAddress":"","Networks":{{"b":{{"IPAddress":"172.17.0.2"}}}},
              "Ports":{{"80/tcp":[{{"HostIp":"0.0.0.0","HostPort":"8080"}},{{"HostIp":"::","HostPort":"8080"}}],
              "81/tcp":null}}}}}}"#
        );
        let doc: Value = serde_json::from_str(&doc).unwrap();
        let c = describe(ContainerType::Docker, &doc, None).unwrap();
        assert_eq!((c.name.as_slice(), c.id.as_slice()), (&b"web2"[..], &b"2d1cbe787769"[..]));
        assert_eq!((c.image.as_slice(), c.image_id.as_slice()), (&b"bb:1"[..], &b"4280"[..]));
        assert_eq!((c.created, c.privileged, c.memory_limit, c.cpuset_cpus), (1_795_394_194, true, 5, 4));
        assert_eq!(c.ip, "172.17.0.2");
        assert_eq!(c.ports, [PortMapping { host_ip: 0, host_port: 8080, container_port: 80 }]);
        assert_eq!(c.mounts[0].dest, "/data");
        assert_eq!(c.healthcheck.unwrap().args, ["-c", "ls -l"]);
    }

    #[test]
    fn files_of_the_daemon() {
        let doc = format!(
            r#"{{"ID":"{ID}","Name":"/web2","Config":{{"Image":"bb:1","Labels":{{"app":"demo"}}}},
            "MountPoints":{{"/data":{{"Source":"/tmp","RW":true,"Relabel":"ro","Propagation":"rslave"}}}}}}"#
        );
        let host = serde_json::json!({ "Privileged": true });
        let c = describe(ContainerType::Docker, &serde_json::from_str(&doc).unwrap(), Some(&host)).unwrap();
        assert_eq!((c.name.as_slice(), c.privileged), (&b"web2"[..], true));
        let mount = &c.mounts[0];
        assert_eq!((mount.source.as_slice(), mount.dest.as_slice()), (&b"/tmp"[..], &b"/data"[..]));
        assert!(mount.writable);
        assert_eq!(c.labels.get(&b"app"[..]).map(|v| v.as_slice()), Some(&b"demo"[..]));
    }

    #[test]
    fn garbage_is_no_container() {
        for text in ["{}", "[]", "5", r#"{"Id":5}"#, r#"{"Id":""}"#] {
            assert!(describe(ContainerType::Docker, &serde_json::from_str(text).unwrap(), None).is_none());
        }
        let doc =
            serde_json::json!({"Id": "x", "Mounts": 5, "Config": [], "NetworkSettings": {"Ports": {"x": 3}}});
        assert_eq!(describe(ContainerType::Docker, &doc, None).unwrap().name, "");
        assert_eq!(count_cpus("9-1,x,-,"), 0);
    }
}
