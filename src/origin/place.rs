//! Which addresses an answer may name: a result may stand on any public host, a poll address on the endpoint's own.

use std::net::{IpAddr, Ipv4Addr};

use url::{Host, Url};

/// A longer address is not read.
const URL_BYTES_MAX: usize = 8 * 1024;

/// The absolute address of a result.
///
/// # Errors
/// In words that hold neither path nor query, where it is no web address, or leads into a private network in which the
/// endpoint itself does not stand.
pub(super) fn result_url(text: &str, endpoint: &Url) -> Result<Url, String> {
    let url = resolve(text, endpoint)?;
    if is_private(&url) && !is_private(endpoint) {
        return Err(format!("it leads into a private network ({})", host_of(&url)));
    }
    Ok(url)
}

/// The absolute address to poll.
///
/// # Errors
/// In words that hold neither path nor query, where it is no web address, or not on the endpoint's own host: an answer
/// must not steer requests elsewhere.
pub(super) fn poll_url(text: &str, endpoint: &Url) -> Result<Url, String> {
    let url = resolve(text, endpoint)?;
    if url.host() != endpoint.host() {
        return Err(format!("it is on another host ({}) than the endpoint", host_of(&url)));
    }
    let same_door =
        url.scheme() == endpoint.scheme() && url.port_or_known_default() == endpoint.port_or_known_default();
    let better_door = endpoint.scheme() == "http" && url.scheme() == "https" && url.port().is_none();
    if same_door || better_door { Ok(url) } else { Err("it is on another scheme or port than the endpoint".to_owned()) }
}

fn resolve(text: &str, endpoint: &Url) -> Result<Url, String> {
    let text = text.trim();
    if text.len() > URL_BYTES_MAX {
        return Err(format!("it is longer than {URL_BYTES_MAX} bytes"));
    }
    let mut url = endpoint.join(text).map_err(|error| format!("it is no address: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("it is neither http nor https".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it holds a user name or password".to_owned());
    }
    url.set_fragment(None);
    Ok(url)
}

fn host_of(url: &Url) -> String {
    crate::harmless::harmless(url.host_str().unwrap_or("no host"))
}

/// Whether the host is, by its very name or number, on this machine or in a private network. Names that a resolver
/// would lead there are not seen here.
fn is_private(url: &Url) -> bool {
    match url.host() {
        None => true,
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            ["localhost", "local", "internal"]
                .iter()
                .any(|end| name.strip_suffix(end).is_some_and(|before| before.is_empty() || before.ends_with('.')))
        }
        Some(Host::Ipv4(ip)) => is_private_v4(ip),
        Some(Host::Ipv6(ip)) => match IpAddr::V6(ip).to_canonical() {
            IpAddr::V4(mapped) => is_private_v4(mapped),
            IpAddr::V6(ip) => {
                ip.is_loopback()
                    || ip.is_unspecified()
                    || ip.is_unique_local()
                    || ip.is_unicast_link_local()
                    || ip.is_multicast()
            }
        },
    }
}

const fn is_private_v4(ip: Ipv4Addr) -> bool {
    let [first, second, ..] = ip.octets();
    ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_broadcast()
        || ip.is_multicast()
        || first == 0
        // Shared address space of carriers (RFC 6598).
        || (first == 100 && second & 0xc0 == 64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn results_are_resolved_against_the_endpoint() {
        let endpoint = url("https://api.example/api/l402/generate-video?x=1");
        for (given, expected) in [
            ("/uploads/a.mp4", "https://api.example/uploads/a.mp4"),
            ("a.mp4?sig=1#t", "https://api.example/api/l402/a.mp4?sig=1"),
            ("//cdn.example/a.mp4", "https://cdn.example/a.mp4"),
            (" https://cdn.example/a.mp4 ", "https://cdn.example/a.mp4"),
            ("http://93.184.216.34/a.mp4", "http://93.184.216.34/a.mp4"),
        ] {
            assert_eq!(result_url(given, &endpoint), Ok(url(expected)));
        }
    }

    #[test]
    fn results_elsewhere_than_on_the_web_are_refused() {
        let endpoint = url("https://api.example/x");
        let long = format!("https://a.example/{}", "a".repeat(URL_BYTES_MAX));
        for given in [
            "file:///etc/passwd",
            "javascript:alert(1)",
            "data:video/mp4;base64,AAAA",
            "ftp://a.example/x",
            "https://user:pass@a.example/x",
            "http://127.0.0.1/x",
            "http://localhost:8080/x",
            "http://db.internal./x",
            "http://10.1.2.3/x",
            "http://169.254.169.254/latest",
            "http://100.64.0.1/",
            "http://0/",
            "http://2130706433/",
            "http://[::1]/",
            "http://[::ffff:192.168.0.1]/",
            "http://[fd00::1]/",
            "http://[fe80::1]/",
            "https://",
            &long,
        ] {
            assert!(result_url(given, &endpoint).is_err(), "{given}");
        }
        assert!(result_url("http://127.0.0.1:9/x", &url("http://127.0.0.1:8080/y")).is_ok());
    }

    #[test]
    fn poll_addresses_stay_with_the_endpoint() {
        let endpoint = url("https://api.example/api/l402/generate-video");
        assert_eq!(poll_url("/job?id=1", &endpoint), Ok(url("https://api.example/job?id=1")));
        assert!(poll_url("https://API.example:443/job", &endpoint).is_ok());
        for given in ["https://evil.example/job", "http://api.example/job", "https://api.example:8443/job", "//a.b/c"] {
            assert!(poll_url(given, &endpoint).is_err(), "{given}");
        }
        let plain = url("http://127.0.0.1:8080/x");
        assert!(poll_url("http://127.0.0.1:8080/job", &plain).is_ok());
        assert!(poll_url("https://127.0.0.1/job", &plain).is_ok());
        assert!(poll_url("http://127.0.0.1:22/job", &plain).is_err());
    }

    proptest! {
        #[test]
        fn whatever_is_accepted_is_a_web_address(text in any::<String>()) {
            let endpoint = url("https://api.example/x");
            for accepted in [result_url(&text, &endpoint), poll_url(&text, &endpoint)].into_iter().flatten() {
                prop_assert!(matches!(accepted.scheme(), "http" | "https"));
                prop_assert!(!is_private(&accepted));
            }
        }
    }
}
