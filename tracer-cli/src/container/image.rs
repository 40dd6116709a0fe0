//! The parts of an image's name: `registry:5000/shop/web:1.2@sha256:…`.

use crate::state::containers::Container;

/// Sets the image of a container as it was named, and its parts. Where neither tag nor digest is
/// given the engines take `latest`.
pub(super) fn set(container: &mut Container, name: &str) {
    let (rest, digest) = name.split_once('@').unwrap_or((name, ""));
    // A colon before the last slash is that of the registry's port.
    let host = rest.rfind('/').map_or(0, |slash| slash + 1);
    let (repository, tag) = match rest.get(host..).and_then(|last| last.find(':')) {
        Some(colon) => rest.split_at_checked(host + colon).unwrap_or((rest, "")),
        None => (rest, ""),
    };
    let tag = tag.trim_start_matches(':');
    container.image = name.into();
    container.image_repository = repository.into();
    container.image_tag =
        if tag.is_empty() && digest.is_empty() && !repository.is_empty() { "latest" } else { tag }.into();
    if !digest.is_empty() {
        container.image_digest = digest.into();
    }
}

/// Sets the id of the image, which some engines write as `sha256:…`.
pub(super) fn set_id(container: &mut Container, id: &str) {
    container.image_id = id.trim_start_matches("sha256:").into();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_parts() {
        for (name, repository, tag, digest) in [
            ("nginx", "nginx", "latest", ""),
            ("nginx:1.2", "nginx", "1.2", ""),
            ("reg:5000/a/web", "reg:5000/a/web", "latest", ""),
            ("reg:5000/a/web:x", "reg:5000/a/web", "x", ""),
            ("web@sha256:12", "web", "", "sha256:12"),
            ("reg/web:1@sha256:12", "reg/web", "1", "sha256:12"),
            ("", "", "", ""),
            (":", "", "", ""),
        ] {
            let mut container = Container::default();
            set(&mut container, name);
            assert_eq!(container.image, name);
            assert_eq!(container.image_repository, repository, "{name}");
            assert_eq!(container.image_tag, tag, "{name}");
            assert_eq!(container.image_digest, digest, "{name}");
        }
    }
}
