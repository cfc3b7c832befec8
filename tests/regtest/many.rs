//! Many at once: none lost, none twice; and how fast beside the bare node.

use std::time::{Duration, Instant};

use futures::StreamExt;

use crate::audit::all_delivered;
use crate::lnd::block_on;
use crate::rig::Rig;
use crate::shop::Shop;

const JOBS: usize = 500;
const IN_FLIGHT: usize = 32;
/// A busy machine takes long.
const PATIENCE: Duration = Duration::from_secs(900);

pub fn five_hundred(rig: &Rig) {
    let shop = Shop::open(rig, "");
    let client = shop.client();
    let jobs: String = (0..JOBS)
        .map(|n| format!("\n[[job]]\nid = \"n{n}\"\nimage = \"picture.png\"\nprompt = \"a boat {n}\"\n"))
        .collect();
    client.write("jobs.toml", &format!("version = 1\n[defaults]\nendpoint = \"animate-image\"\nduration = 3\n{jobs}"));
    let began = Instant::now();
    let run = client.start(&format!("run jobs.toml --max-sats 1000000 --payments-in-flight {IN_FLIGHT}"));
    run.end_within(PATIENCE).with(0);
    let ours = began.elapsed();
    all_delivered(&shop, &client, JOBS);

    let invoices: Vec<String> = (0..JOBS).map(|_| rig.payee.invoice(300)).collect();
    let began = Instant::now();
    let paid = block_on(async {
        let sends = futures::stream::iter(&invoices).map(|invoice| rig.payer.pays(invoice));
        sends.buffer_unordered(IN_FLIGHT).filter(|paid| std::future::ready(*paid)).count().await
    });
    let bare = began.elapsed();
    assert_eq!(paid, JOBS);
    let rate = |took: Duration| JOBS as f64 / took.as_secs_f64();
    println!(
        "{JOBS} jobs from ask to video: {:.0} a second; {JOBS} bare payments: {:.0} a second; {:.2} of the bare rate",
        rate(ours),
        rate(bare),
        rate(ours) / rate(bare)
    );
}
