//! Sessions over sockets: the one loop that reads, writes, times out, upgrades and shuts down, for every server.
//!
//! [`Link`] is a connection whose layers can change, [`Driver`] runs one session over it, [`serve`] accepts connections
//! and hands each to a driver of its own; [`metrics`] says what is counted. This is the only place where octets of a peer
//! meet a clock; rustls itself is sans-IO, so a host without tokio drives it and a session directly.

mod certificate;
mod connection;
mod counts;
mod driver;
mod link;
pub mod metrics;
mod prompt;
mod proxied;
mod serve;
mod shutdown;
mod tls;

pub use certificate::TlsCertificate;
pub use connection::{Accepted, ConnectionId};
pub use driver::{DriveError, Driver, DriverOptions};
pub use link::Link;
pub use proxied::read_proxy_header;
pub use serve::{Admission, ServeOptions, serve};
pub use shutdown::{Shutdown, ShutdownHandle};
pub use tls::{TlsConfig, TlsConfigBuilder, TlsConfigError};
