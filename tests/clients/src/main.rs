//! imap-clients PROGRAM PORT USER PASSWORD: a day's work with the crate `imap` or `async-imap`, over a
//! connection in clear. Ends with `done`.

mod asynchronous;
mod mails;
mod synchronous;

use std::{env, error::Error};

pub type Outcome<T = ()> = Result<T, Box<dyn Error>>;

fn main() -> Outcome {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [program, port, user, password] = arguments.as_slice() else {
        return Err("PROGRAM PORT USER PASSWORD".into());
    };
    let port = port.parse()?;
    match program.as_str() {
        "imap" => synchronous::run(port, user, password)?,
        "async-imap" => tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?
            .block_on(asynchronous::run(port, user, password))?,
        _ => return Err("imap or async-imap".into()),
    }
    println!("done");
    Ok(())
}
