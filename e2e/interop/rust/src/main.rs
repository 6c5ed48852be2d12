//! A rust-libp2p host that does what it is told, one JSON command a line, and says what happened, one JSON event a line: the line protocol of
//! ../../README.md. It knows nothing of Footbridge but the public protocols of libp2p.
//!
//! Next: node.rs (what it is made of), commands.rs (what each command does), bulk.rs (bytes in bulk).

mod bulk;
mod commands;
mod node;

use std::{error::Error, io::Write};

use futures::StreamExt;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // With two providers in the program and none chosen, the DTLS of WebRTC panics in a task of its own, and its listener answers nobody.
    rustls::crypto::ring::default_provider().install_default().expect("none was chosen before");
    let settings: Value = serde_json::from_str(&std::env::args().nth(1).unwrap_or_default())?;
    let (mut swarm, key) = node::build(&settings)?;
    let mut control = swarm.behaviour().stream.new_control();
    let incoming = control.accept(bulk::PROTOCOL)?;
    tokio::spawn(incoming.for_each_concurrent(16, |(_, stream)| bulk::answer(stream)));

    let listening = node::listen(&mut swarm, &settings).await?;
    let me = *swarm.local_peer_id();
    let addresses: Vec<String> = listening.iter().map(|address| format!("{address}/p2p/{me}")).collect();
    say(&json!({ "event": "ready", "peer": me.to_string(), "addresses": addresses }));

    let mut desk = commands::Desk::new(swarm, key, control);
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut tick = tokio::time::interval(std::time::Duration::from_millis(250));
    loop {
        tokio::select! {
            line = lines.next_line() => match line? {
                Some(line) => desk.take(serde_json::from_str(&line)?),
                None => return Ok(()),
            },
            event = desk.swarm.select_next_some() => desk.happened(event),
            _ = tick.tick() => desk.look(),
        }
    }
}

/// Prints an event.
pub fn say(event: &Value) {
    let mut out = std::io::stdout().lock();
    // A reader that is gone is gone: the end of the input ends the process.
    let _ = writeln!(out, "{event}");
    let _ = out.flush();
}
