//! SMTP without a runtime: a session of `smtp_proto` over a socket of the standard library.
//!
//! Takes mail for anybody at `example.org`, one connection at a time, and says what came. Nothing is stored, so no message
//! is acknowledged: every one ends with a 4yz, which is the default answer.
//!
//! ```sh
//! cargo run -p pillarbox-examples --example smtp_sans_io
//! curl smtp://127.0.0.1:2525 --mail-from me@example.net --mail-rcpt ada@example.org -T README.md
//! ```
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use bytes::BytesMut;
use smtp_proto::session::{Config, Event, Protocol, ServerSession};

fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| String::from("127.0.0.1:2525"));
    let listener = TcpListener::bind(&address)?;
    println!("listening on {}", listener.local_addr()?);
    let config = Arc::new(Config::new("mail.example.org".parse()?, Protocol::Smtp));
    for socket in listener.incoming() {
        if let Err(error) = converse(socket?, Arc::clone(&config)) {
            println!("connection ended: {error}");
        }
    }
    Ok(())
}

fn converse(mut socket: TcpStream, config: Arc<Config>) -> Result<(), Box<dyn Error>> {
    let mut session = ServerSession::new(config);
    let (mut input, mut output, mut buffer) = (BytesMut::new(), BytesMut::new(), [0; 4096]);
    let mut octets = 0;
    loop {
        // Everything that has been read is answered before anything is written: one write for a pipelined group.
        while let Some(event) = session.next_event(&mut input)? {
            let answer = match &event {
                Event::Data(data) => {
                    octets += data.len();
                    continue;
                }
                Event::Rcpt(rcpt) if rcpt.path.to_string().to_ascii_lowercase().ends_with("@example.org>") => {
                    rcpt.accept()
                }
                Event::EndOfData(_) => {
                    println!("a message of {} octets", std::mem::take(&mut octets));
                    event.default_answer()
                }
                _ => event.default_answer(),
            };
            session.answer(answer, &mut output)?;
        }
        socket.write_all(&output.split())?;
        if session.is_closed() {
            return Ok(());
        }
        let count = socket.read(&mut buffer)?;
        if count == 0 {
            return Ok(session.end_of_input()?);
        }
        input.extend_from_slice(buffer.get(..count).unwrap_or_default());
    }
}
