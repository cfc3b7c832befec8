//! Which addresses are this machine's own: there plain http shows nothing to anybody, and no proxy stands between.

use url::{Host, Url};

/// Whether a URL names this machine: `localhost`, an address of 127.0.0.0/8, or `::1`.
#[must_use]
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_known_by_name_and_by_number() {
        for (url, own) in [
            ("http://localhost:1/", true),
            ("https://LOCALHOST/", true),
            ("http://127.9.9.9/", true),
            ("http://[::1]:8080/", true),
            ("http://localhost.example/", false),
            ("http://128.0.0.1/", false),
            ("http://[::2]/", false),
            ("data:text/plain,localhost", false),
        ] {
            assert_eq!(is_loopback(&Url::parse(url).unwrap()), own, "{url}");
        }
    }
}
