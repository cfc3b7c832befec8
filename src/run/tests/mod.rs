//! Whole runs in a scripted world: paused time, a node and a shop that keep their own books, and a ledger that can be
//! stopped at any commit. The auditor believes the node's and the shop's books only.

mod bank;
mod codes;
mod contract;
mod crash;
mod credentials;
mod evidence;
mod flow;
mod identical;
mod ledger;
mod limits;
mod node;
mod pace;
mod patience;
mod payments;
mod refunds;
mod seeds;
mod shop;
mod stop;
mod till;
mod world;
