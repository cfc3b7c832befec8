//! A server of any shape: what it answers and what that costs is a test's to say, and a sandbox asks for the money.

use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::seller::send;
use super::{Asked, Sandbox, Served};

/// What a server sells.
pub trait Sells: Send + Sync + 'static {
    /// What a request costs, in msat, by what it asks for; else the answer to one that is not sold.
    fn price(&self, asked: &Asked) -> Result<u64, Served>;

    /// What who has paid gets. `origin` is the server's own address.
    fn goods(&self, asked: &Asked, origin: &str) -> Served;

    /// What nobody pays for: files, addresses to poll.
    fn free(&self, _: &Asked, _origin: &str) -> Option<Served> {
        None
    }
}

/// The server. Its threads end with the test's process.
pub struct Front {
    /// Where it listens, without a path.
    pub origin: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Front {
    /// Sells before that sandbox, whose node is paid through.
    pub fn before(sandbox: &Sandbox, sells: impl Sells) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let front = Self { origin: origin.clone(), asked: Arc::default() };
        let upstream = sandbox.origin.strip_prefix("http://").unwrap().to_owned();
        let (asked, shop) = (Arc::clone(&front.asked), Arc::new((upstream, origin, sells)));
        thread::spawn(move || {
            for mut client in listener.incoming().map_while(Result::ok) {
                let (asked, shop) = (Arc::clone(&asked), Arc::clone(&shop));
                thread::spawn(move || {
                    let (upstream, origin, sells) = &*shop;
                    let came = Asked::read(&client)?;
                    let served = match sells.free(&came, origin) {
                        Some(served) => served,
                        None => {
                            asked.lock().unwrap().push(came.clone());
                            sold(&came, upstream, origin, sells)?
                        }
                    };
                    send(&mut client, &served)
                });
            }
        });
        front
    }

    /// Each request for what is sold, in turn.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Each request that is paid for came twice, the same to the byte but for what shows the payment: here it stands once.
    #[track_caller]
    pub fn bought(&self) -> Vec<Asked> {
        const OF_PAYMENT: [&str; 4] = ["authorization", "accept-authenticate", "accept-payment", "idempotency-key"];
        let mut bought: Vec<Asked> = Vec::new();
        let all = self.asked();
        for mut came in all.iter().cloned() {
            OF_PAYMENT.iter().for_each(|name| drop(came.headers.remove(*name)));
            if !bought.contains(&came) {
                bought.push(came);
            }
        }
        assert_eq!(all.len(), 2 * bought.len(), "each is asked and redeemed with the same bytes: {all:?}");
        bought
    }
}

/// The sandbox's challenge for that price; and once it is paid, what is sold, with the sandbox's receipt.
fn sold(came: &Asked, upstream: &str, origin: &str, sells: &impl Sells) -> std::io::Result<Served> {
    let msat = match sells.price(came) {
        Ok(msat) => msat,
        Err(served) => return Ok(served),
    };
    let what = HEXLOWER.encode(&Sha256::digest(format!("{} {}", came.method, came.path)));
    let path = format!("/sandbox/sell/{msat}/{what}");
    let served = Asked { method: "POST".to_owned(), path, ..came.clone() }.forward(upstream)?;
    if served.status != 200 {
        return Ok(served);
    }
    let mut goods = sells.goods(came, origin);
    let receipt = served.headers.into_iter().filter(|(name, _)| !name.eq_ignore_ascii_case("content-type"));
    goods.headers.extend(receipt);
    Ok(goods)
}
