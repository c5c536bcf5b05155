//! Sessions over sockets: the one loop that reads, writes, times out, upgrades and shuts down, for every server.
//!
//! [`Link`] is a connection whose layers can change, [`Driver`] runs one session over it, [`serve`] accepts connections
//! and hands each to a driver of its own. This is the only place where octets of a peer meet a clock; rustls itself is
//! sans-IO, so a host without tokio drives it and a session directly.

mod driver;
mod link;
mod serve;
mod shutdown;
mod tls;

pub use driver::{DriveError, Driver, DriverOptions};
pub use link::Link;
pub use serve::{ServeOptions, serve};
pub use shutdown::{Shutdown, ShutdownHandle};
pub use tls::{TlsConfig, TlsConfigError};
