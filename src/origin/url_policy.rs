//! Which addresses an answer may name: a result may stand on any public host, a poll address on the endpoint's own, a
//! refund's on any public host over https.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

use super::inline;
use crate::loopback::is_loopback;

/// A longer address is not read.
const URL_BYTES_MAX: usize = 8 * 1024;

/// Why an address that an answer names is not used. Neither path nor query is shown, which may hold a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAddress {
    /// It cannot be read.
    #[error("it is no address")]
    Unreadable(#[from] url::ParseError),
    /// It is longer than any that is read.
    #[error("it is longer than {URL_BYTES_MAX} bytes")]
    TooLong,
    /// Its scheme is another.
    #[error("it is neither http nor https")]
    NoWeb,
    /// Money is not asked for in the clear.
    #[error("it is not https")]
    Clear,
    /// It would show somebody's credentials.
    #[error("it holds a user name or password")]
    User,
    /// It leads into a private network in which the endpoint does not stand; its host.
    #[error("it leads into a private network ({0})")]
    Private(String),
    /// A redirect that would give up encryption; the scheme.
    #[error("it leads from https to {0}")]
    Downgraded(String),
    /// It would steer requests elsewhere; its host.
    #[error("it is on another host ({0}) than the endpoint")]
    OtherHost(String),
    /// The same host, by another scheme or port.
    #[error("it is on another scheme or port than the endpoint")]
    OtherDoor,
    /// It is meant to be the result itself, and is not; what it is.
    #[error("it is a data URI {0}")]
    Data(&'static str),
    /// A redirect without one.
    #[error("a redirect names no address")]
    Nowhere,
    /// One redirect after the other.
    #[error("there are more than {0} redirects")]
    Redirects(usize),
}

/// The absolute address of a result, in an answer that came from `at`; where the text is the result itself, a word that says so.
///
/// # Errors
/// As [`web_url`].
pub(super) fn result_url(text: &str, at: &Url, endpoint: &Url) -> Result<Url, BadAddress> {
    inline::address(text).unwrap_or_else(|| web_url(text, at, endpoint))
}

/// An absolute address from which a result may be fetched, named by an answer that came from `at`.
///
/// # Errors
/// Where it is no web address, or leads into a private network in which the
/// endpoint itself does not stand.
pub(super) fn web_url(text: &str, at: &Url, endpoint: &Url) -> Result<Url, BadAddress> {
    let url = resolve(text, at)?;
    if is_private(&url) && !is_private(endpoint) {
        return Err(BadAddress::Private(host_of(&url)));
    }
    Ok(url)
}

/// Whether a result may be fetched from there: asked anew of each address that a redirect names.
///
/// # Errors
/// As [`web_url`], and where it would leave https.
pub(super) fn redirect_url(location: &str, from: &Url, endpoint: &Url) -> Result<Url, BadAddress> {
    let target = from.join(location.trim())?;
    let target = web_url(target.as_str(), endpoint, endpoint)?;
    if from.scheme() == "https" && target.scheme() != "https" {
        return Err(BadAddress::Downgraded(target.scheme().to_owned()));
    }
    Ok(target)
}

/// The absolute address to poll, named by an answer that came from `at`.
///
/// # Errors
/// Where it is no web address, or not on the endpoint's own host: an answer
/// must not steer requests elsewhere.
pub(super) fn poll_url(text: &str, at: &Url, endpoint: &Url) -> Result<Url, BadAddress> {
    let url = resolve(text, at)?;
    if url.host() != endpoint.host() {
        return Err(BadAddress::OtherHost(host_of(&url)));
    }
    if is_own_origin(&url, endpoint) { Ok(url) } else { Err(BadAddress::OtherDoor) }
}

/// Whether an address is of the endpoint's own origin: its host and door, or the better door of the same host. Only there
/// may its credential be shown.
#[must_use]
pub fn is_own_origin(url: &Url, endpoint: &Url) -> bool {
    let same_door =
        url.scheme() == endpoint.scheme() && url.port_or_known_default() == endpoint.port_or_known_default();
    let better_door = endpoint.scheme() == "http" && url.scheme() == "https" && url.port().is_none();
    url.host() == endpoint.host() && (same_door || better_door)
}

/// An address of a refund that the endpoint has offered: on any public host, over https. Where the endpoint itself stands
/// in a private network, as a sandbox does, so may this; in the clear on this machine alone.
///
/// # Errors
/// Where it is none of these.
pub(super) fn withdraw_url(text: &str, endpoint: &Url) -> Result<Url, BadAddress> {
    let text = text.trim();
    if text.len() > URL_BYTES_MAX {
        return Err(BadAddress::TooLong);
    }
    let absolute = Url::parse(text)?;
    let url = result_url(absolute.as_str(), endpoint, endpoint)?;
    match url.scheme() {
        "https" => Ok(url),
        _ if is_loopback(&url) => Ok(url),
        _ => Err(BadAddress::Clear),
    }
}

/// Whether that, with `http://` before it, names this machine.
pub(super) fn is_loopback_text(rest: &str) -> bool {
    Url::parse(&format!("http://{rest}")).is_ok_and(|url| is_loopback(&url))
}

fn resolve(text: &str, at: &Url) -> Result<Url, BadAddress> {
    let text = text.trim();
    if text.len() > URL_BYTES_MAX {
        return Err(BadAddress::TooLong);
    }
    let mut url = at.join(text)?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(BadAddress::NoWeb);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(BadAddress::User);
    }
    url.set_fragment(None);
    Ok(url)
}

fn host_of(url: &Url) -> String {
    crate::terminal_text::printable(url.host_str().unwrap_or("no host"))
}

/// Whether an address that the endpoint has named may resolve to a private one: where the endpoint stands in a private
/// network itself, or on the same host.
pub(super) fn is_at_home(url: &Url, endpoint: &Url) -> bool {
    is_private(endpoint) || url.host() == endpoint.host()
}

/// Whether the host is, by its very name or number, on this machine or in a private network. Names that a resolver
/// would lead there are not seen here.
pub(super) fn is_private(url: &Url) -> bool {
    match url.host() {
        None => true,
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            ["localhost", "localdomain", "local", "internal", "lan", "home.arpa"]
                .iter()
                .any(|end| name.strip_suffix(end).is_some_and(|before| before.is_empty() || before.ends_with('.')))
        }
        Some(Host::Ipv4(ip)) => is_private_v4(ip),
        Some(Host::Ipv6(ip)) => is_private_ip(IpAddr::V6(ip)),
    }
}

/// Whether the address is this machine's or of a private network.
pub(super) fn is_private_ip(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => is_private_v4(ip),
        IpAddr::V6(ip) => is_private_v6(ip),
    }
}

fn is_private_v6(ip: Ipv6Addr) -> bool {
    let [a, b, c, d, e, f, g, h] = ip.segments();
    let v4 = |high: u16, low: u16| {
        let [[first, second], [third, fourth]] = [high.to_be_bytes(), low.to_be_bytes()];
        is_private_v4(Ipv4Addr::new(first, second, third, fourth))
    };
    match (a, b) {
        // IPv4 within IPv6: compatible (RFC 4291), by NAT64 (RFC 6052), by 6to4 (RFC 3056).
        (0, 0) if [c, d, e, f] == [0; 4] => v4(g, h),
        (0x64, 0xff9b) if [c, d, e, f] == [0; 4] => v4(g, h),
        // NAT64 of a site's own (RFC 8215).
        (0x64, 0xff9b) => true,
        (0x2002, _) => v4(b, c),
        // Site-local, which is no longer in use and never was public (RFC 3879).
        (0xfec0..=0xfeff, _) => true,
        _ => ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_multicast(),
    }
}

const fn is_private_v4(ip: Ipv4Addr) -> bool {
    let [first, second, third, _] = ip.octets();
    ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_broadcast()
        || ip.is_multicast()
        || first == 0
        // Shared address space of carriers (RFC 6598).
        || (first == 100 && second & 0xc0 == 64)
        // Protocol assignments (RFC 6890), benchmarks (RFC 2544), reserved (RFC 1112).
        || (first == 192 && second == 0 && third == 0)
        || (first == 198 && second & 0xfe == 18)
        || first >= 240
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
            ("http://[2606:4700::6810:85e5]/", "http://[2606:4700::6810:85e5]/"),
            ("http://[64:ff9b::5db8:d822]/", "http://[64:ff9b::5db8:d822]/"),
        ] {
            assert_eq!(result_url(given, &endpoint, &endpoint), Ok(url(expected)));
        }
    }

    #[test]
    fn results_elsewhere_than_on_the_web_are_refused() {
        let endpoint = url("https://api.example/x");
        let long = format!("https://a.example/{}", "a".repeat(URL_BYTES_MAX));
        for given in [
            "file:///etc/passwd",
            "javascript:alert(1)",
            "data:video/mp4,AAAA",
            "blob:https://a.example/1",
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
            "http://[::127.0.0.1]/",
            "http://[64:ff9b::10.0.0.1]/",
            "http://[64:ff9b:1::1]/",
            "http://[2002:7f00:1::]/",
            "http://[fec0::1]/",
            "http://[ff02::1]/",
            "http://192.0.0.8/",
            "http://198.19.0.1/",
            "http://240.0.0.1/",
            "http://nas.lan/",
            "http://localhost.localdomain/",
            "https://",
            &long,
        ] {
            assert!(result_url(given, &endpoint, &endpoint).is_err(), "{given}");
        }
        assert!(web_url("/x", &url("http://127.0.0.1:9/"), &url("http://127.0.0.1:8080/y")).is_ok());
    }

    #[test]
    fn redirects_lead_nowhere_else_than_results_may_stand() {
        let (endpoint, from) = (url("https://api.example/x"), url("https://cdn.example/a/b.mp4"));
        assert_eq!(redirect_url("c.mp4", &from, &endpoint), Ok(url("https://cdn.example/a/c.mp4")));
        assert_eq!(redirect_url("//b.example/c", &from, &endpoint), Ok(url("https://b.example/c")));
        for given in ["http://cdn.example/c", "file:///etc/passwd", "https://10.0.0.1/", "https://localhost/"] {
            assert!(redirect_url(given, &from, &endpoint).is_err(), "{given}");
        }
        assert!(redirect_url("http://127.0.0.1:2/", &url("http://127.0.0.1:1/"), &url("http://127.0.0.1:1/")).is_ok());
    }

    #[test]
    fn poll_addresses_stay_with_the_endpoint() {
        let endpoint = url("https://api.example/api/l402/generate-video");
        assert_eq!(poll_url("/job?id=1", &endpoint, &endpoint), Ok(url("https://api.example/job?id=1")));
        assert!(poll_url("https://API.example:443/job", &endpoint, &endpoint).is_ok());
        for given in ["https://evil.example/job", "http://api.example/job", "https://api.example:8443/job", "//a.b/c"] {
            assert!(poll_url(given, &endpoint, &endpoint).is_err(), "{given}");
        }
        let plain = url("http://127.0.0.1:8080/x");
        assert!(poll_url("http://127.0.0.1:8080/job", &plain, &plain).is_ok());
        assert!(poll_url("https://127.0.0.1/job", &plain, &plain).is_ok());
        assert!(poll_url("http://127.0.0.1:22/job", &plain, &plain).is_err());
        assert!(poll_url("job", &url("https://cdn.example/7"), &endpoint).is_err(), "a redirect led elsewhere");
    }

    #[test]
    fn a_name_may_lead_home_where_the_endpoint_is_or_on_its_own_host() {
        let at_home = |given: &str, endpoint: &str| is_at_home(&url(given), &url(endpoint));
        assert!(at_home("https://pay.example/w", "http://127.0.0.1:8080/x"));
        assert!(at_home("https://shop.example:8443/w", "https://shop.example/x"));
        assert!(!at_home("https://pay.example/w", "https://shop.example/x"));
        assert!(!at_home("https://pay.shop.example/w", "https://shop.example/x"));
    }

    proptest! {
        #[test]
        fn whatever_is_accepted_is_a_web_address(text in any::<String>()) {
            let endpoint = url("https://api.example/x");
            for accepted in [web_url(&text, &endpoint, &endpoint), poll_url(&text, &endpoint, &endpoint)].into_iter().flatten() {
                prop_assert!(matches!(accepted.scheme(), "http" | "https"));
                prop_assert!(!is_private(&accepted));
            }
        }
    }
}
