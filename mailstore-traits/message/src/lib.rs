//! What a message is made of: RFC 5322 and MIME structure, found in one pass as octets arrive.
mod content;
mod defect;
mod digest;
mod digester;
mod encoding;
mod field;
mod limits;
mod parameter;
mod part;

pub use defect::{Defect, Defects};
pub use digest::{Digest, Preview};
pub use digester::Digester;
pub use encoding::{DIGEST_VERSION, DigestError};
pub use field::Field;
pub use limits::{Limits, MAX_DEPTH};
pub use parameter::{ParameterValue, Parameters};
pub use part::{Part, PartKind};
